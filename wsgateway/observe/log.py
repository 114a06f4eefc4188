"""The log: one line for each session, and one for each connection that did not become a session.

Lines go to the standard error stream, as systemd and containers want them: `event key=value ...`, or JSON. `writer` has
the stream. Of a value that others can make long a line has its beginning and its end; the line itself is never cut.
"""

import logging
from typing import TextIO, cast

import structlog

from wsgateway.errors import brief
from wsgateway.observe.writer import Writer
from wsgateway.settings.process import Logging

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}
# A traceback of some hundred lines, which is ours, but may end with words of a peer.
TRACEBACK_CHARACTERS = 16384

Log = structlog.typing.FilteringBoundLogger


class Whole(str):
    """A text of the operator or of ours, which the log does not cut."""

    __slots__ = ()


def _cut(most: int) -> structlog.typing.Processor:
    """Return what cuts the values of a line that are longer than so many characters."""

    def one(key: str, value: object) -> object:
        if not isinstance(value, str) or isinstance(value, Whole):
            return value
        return brief(value, TRACEBACK_CHARACTERS if key == "exception" else most)

    def cut(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {key: one(key, value) for key, value in event.items()}

    return cut


def _escape(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Spell out what has no shape, as a terminal would obey it. Line breaks are the renderer's, and JSON's all."""
    return {
        key: "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in value)
        if isinstance(value, str) and not value.isprintable()
        else value
        for key, value in event.items()
    }


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
    cut = _cut(logging.value_characters)
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if logging.format == "json"
        else [
            _escape,
            cut,  # what was spelled out is longer now
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ]
    )
    if writer.is_journal:
        renderers[-1] = _with_priority(renderers[-1])
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        cut,
        *renderers,
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
