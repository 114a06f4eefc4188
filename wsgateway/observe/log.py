"""The log: one line for each session, and one for each connection that did not become a session.

Lines go to the standard error stream, as systemd and containers want them: `event key=value ...`, or JSON.
"""

import logging
import sys
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Log = structlog.typing.FilteringBoundLogger


class _Unfailing:
    """A stream that loses what cannot be written: a log whose reader is gone must not end the sessions."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _escape(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Spells out what has no shape, as a terminal would obey it. Line breaks are the renderer's, and JSON's all."""
    return {
        key: "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in value)
        if isinstance(value, str) and not value.isprintable()
        else value
        for key, value in event.items()
    }


def make_log(level: str, form: Literal["text", "json"]) -> Log:
    """A log that writes lines of this level and above. Levels are debug, info, warning and error."""
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            _escape,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ]
    )
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *renderers,
    ]
    lazy = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, _Unfailing(sys.stderr))),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    log: Log = lazy.bind()  # otherwise every line would build a logger first
    return log
