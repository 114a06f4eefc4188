"""The log: one line for each session, and one for each connection that did not become a session.

Lines go to the standard error stream, as systemd and containers want them: `event key=value ...`, or JSON. `writer` has
the stream. Of a value that others can make long a line has its beginning and its end; the line itself is never cut.
"""

import logging
import re
from typing import TextIO, cast

import structlog

from wsgateway.errors import brief
from wsgateway.observe.writer import Writer
from wsgateway.settings.process import Logging

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}
# A traceback of some hundred lines, which is ours, but may end with words of a peer.
TRACEBACK_CHARACTERS = 16384
# The keys at the beginning of a line, and a value that stands there as it is.
_FIRST = ("timestamp", "level", "event")
_PLAIN = re.compile(r"[!#-<>-\[\]-~]*\Z")

Log = structlog.typing.FilteringBoundLogger


class Whole(str):
    """A text of the operator or of ours, which the log does not cut."""

    __slots__ = ()


def _cut(key: str, value: object, most: int) -> object:
    """Return a value of a line, a text with at most so many characters."""
    if not isinstance(value, str) or isinstance(value, Whole):
        return value
    return brief(value, TRACEBACK_CHARACTERS if key == "exception" else most)


def _json_line(most: int) -> structlog.typing.Processor:
    """Return a renderer of lines of JSON, whose values have at most so many characters."""
    render = structlog.processors.JSONRenderer()

    def line(logger: object, method: str, event: structlog.typing.EventDict) -> str | bytes:
        return render(logger, method, {key: _cut(key, value, most) for key, value in event.items()})

    return line


def _text_line(most: int) -> structlog.typing.Processor:
    """Return a renderer of lines of `key=value` (logfmt), whose values have at most so many characters.

    Each session has two lines, so that this is done in one pass, and a plain value costs one match.
    """

    def line(_: object, method: str, event: structlog.typing.EventDict) -> str:
        ordered = {**{key: event.pop(key) for key in _FIRST}, **event}
        return " ".join(
            f"{key}={value if _PLAIN.match(value) and len(value) <= most else _spelled(key, value, most)}"
            if isinstance(value, str)
            else f"{key}={_spelled(key, value, most)}"
            for key, value in ordered.items()
        )

    return line


def _spelled(key: str, value: object, most: int) -> str:
    """Return a value as logfmt has it: in quotes where it has spaces, and with control characters spelled out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not value.isprintable():
        # A terminal would obey them. What was spelled out is longer now.
        plain = Whole if isinstance(value, Whole) else str
        value = plain("".join(map(_character, str(_cut(key, value, most)))))
    text = str(_cut(key, value, most))
    quoted = any(each in text for each in ' ="')
    if quoted:
        text = text.replace("\\", "\\\\")
    text = text.replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"' if quoted else text


def _character(each: str) -> str:
    return each if each.isprintable() or each == "\n" else ascii(each)[1:-1]


def _with_priority(renderer: structlog.typing.Processor) -> structlog.typing.Processor:
    """Return what puts the priority of a line before it (syslog(3))."""

    def render(logger: object, method: str, event: structlog.typing.EventDict) -> str:
        priority = _PRIORITIES[event["level"]]
        return f"<{priority}>{renderer(logger, method, event)!s}"

    return render


def make_log(logging: Logging, writer: Writer) -> Log:
    """Return a log of the level of the settings and above, whose lines a writer writes.

    If lines were lost and writing works again, the log says how many.
    """
    writer.queue_bytes = logging.queue_bytes
    renderer = (_json_line if logging.format == "json" else _text_line)(logging.value_characters)
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _with_priority(renderer) if writer.is_journal else renderer,
    ]
    lazy = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, writer)),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[logging.level]),
        cache_logger_on_first_use=False,
    )
    log: Log = lazy.bind()  # otherwise every line would build a logger first
    writer.flowing = lambda lost: log.error("log lines dropped", lines=lost)
    return log
