"""The log: one line for each session, and one for each connection that did not become a session.

Lines go to the standard error stream, as systemd and containers want them: `event key=value ...`, or JSON. `writer` has
the stream. Of a value that others can make long a line has its beginning and its end; the line itself is never cut.
"""

import logging
import re
import time
from typing import TextIO, cast

import structlog

from wsgateway.errors import brief
from wsgateway.observe.writer import Writer
from wsgateway.settings.process import Logging

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}
# A traceback of some hundred lines, which is ours, but may end with words of a peer.
TRACEBACK_CHARACTERS = 16384
# A value that stands in a line as it is.
_PLAIN = re.compile(r"[!#-<>-\[\]-~]*\Z")

Log = structlog.typing.FilteringBoundLogger


class Whole(str):
    """A text of the operator or of ours, which the log does not cut."""

    __slots__ = ()


def _timestamps() -> structlog.typing.Processor:
    """Return what adds the time to a line, as ISO 8601 has it. What stays within a second is written once in it."""
    latest, text = 0, ""

    def stamp(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        nonlocal latest, text
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        if second != latest:
            latest, text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        event["timestamp"] = f"{text}.{nanoseconds // 1000:06d}Z"
        return event

    return stamp


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
    plain = _PLAIN.match

    def line(_: object, method: str, event: structlog.typing.EventDict) -> str:
        words = [f"timestamp={event.pop('timestamp')} level={event.pop('level')}"]
        for key, value in (("event", event.pop("event")), *event.items()):
            if not (type(value) is str and plain(value) and len(value) <= most):
                value = _spelled(key, value, most)
            words.append(f"{key}={value}")
        return " ".join(words)

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
        _timestamps(),
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
