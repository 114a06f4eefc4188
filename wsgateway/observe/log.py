"""The log: one line for each session, and one for each connection that did not become a session.

Lines go to the standard error stream, as systemd and containers want them: `event key=value ...`, or JSON. `writer` has
the stream. Of a value that others can make long a line has its beginning and its end; the line itself is never cut.
"""

import json
import re
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from wsgateway.errors import BRIEF_CHARACTERS, brief
from wsgateway.observe.writer import Writer
from wsgateway.settings.basics import UNIX, is_among
from wsgateway.settings.patterns import peers
from wsgateway.settings.process import Level, Logging
from wsgateway.wire.addresses import canonical
from wsgateway.wire.heads import Names

Facts = Mapping[str, object]
"""what a line tells beside its event, by names"""
# As syslog(3) has them: the most important is the smallest.
_PRIORITIES: Mapping[Level, int] = {"debug": 7, "info": 6, "warning": 4, "error": 3}
# A traceback of some hundred lines, which is ours, but may end with words of a peer.
TRACEBACK_CHARACTERS = 16384
# A value that stands in a line as it is.
_PLAIN = re.compile(r"[!#-<>-\[\]-~]*\Z")
# A value that stands in quotes.
_QUOTED = re.compile('[ ="]')


class Log(Protocol):
    """Describe a log: a `Logger`, or the program's own, such as one of structlog."""

    def debug(self, event: str, /, **facts: Any) -> object:
        """Log what helps to find a fault."""

    def info(self, event: str, /, **facts: Any) -> object:
        """Log what happens all the time."""

    def warning(self, event: str, /, **facts: Any) -> object:
        """Log what an operator should look at."""

    def error(self, event: str, /, **facts: Any) -> object:
        """Log what an operator must look at."""

    def exception(self, event: str, /, **facts: Any) -> object:
        """Log an error, with the traceback of the exception that is being handled."""


def log_at(log: Log, level: Level, event: str, /, **facts: Any) -> None:
    """Log a line whose level depends on what it tells."""
    getattr(log, level)(event, **facts)


Levels = Mapping[str, Level]
"""levels by networks of clients, as text; that of the empty text is for all lines"""


class Logger:
    """A log whose lines a function takes."""

    def __init__(self, level: Level, take: Callable[[Level, str, Facts], object]) -> None:
        """Take a function, which gets the level, the event and the facts of each line of this level and above."""
        self._level: Level = level
        self._take = take
        self.use({})

    def use(self, levels: Levels) -> None:
        """Use these levels in place of the one that it began with: for all lines, and for those about some clients.

        Where several networks hold a client, the smallest counts. Raise ValueError for what is no network.
        """
        networks = [(peers(name), _PRIORITIES[level]) for name, level in levels.items() if name]
        self._networks = sorted(networks, key=lambda each: 0 if each[0] == UNIX else -each[0].prefixlen)
        self._least = _PRIORITIES[levels.get("", self._level)]

    def debug(self, event: str, /, **facts: Any) -> None:
        self._log("debug", event, facts)

    def info(self, event: str, /, **facts: Any) -> None:
        self._log("info", event, facts)

    def warning(self, event: str, /, **facts: Any) -> None:
        self._log("warning", event, facts)

    def error(self, event: str, /, **facts: Any) -> None:
        self._log("error", event, facts)

    def exception(self, event: str, /, **facts: Any) -> None:
        text = Whole(brief(traceback.format_exc().removesuffix("\n"), TRACEBACK_CHARACTERS))
        self._log("error", event, {**facts, "exception": text})

    def _log(self, level: Level, event: str, facts: Facts) -> None:
        if _PRIORITIES[level] <= (self._least_about(facts) if self._networks else self._least):
            self._take(level, event, facts)

    def _least_about(self, facts: Facts) -> int:
        """Return the priority of the least important lines about the client of a line."""
        ip = _ip_of(facts)
        return next((least for network, least in self._networks if ip and is_among(ip, (network,))), self._least)


def _ip_of(facts: Facts) -> str:
    """Return the address of the client that a line is about, or UNIX; empty if there is none."""
    client = str(facts.get("client", ""))
    ip = str(facts.get("forwarded_for", "")) or client.rpartition(":")[0].strip("[]") or client
    try:
        return ip if ip == UNIX else canonical(ip)
    except ValueError:
        return ""


class Whole(str):
    """A text of the operator or of ours, which the log does not cut."""

    __slots__ = ()


def _clock() -> Callable[[], str]:
    """Return a function that returns the time, as ISO 8601 has it. What stays within a second is written once in it."""
    latest, text = 0, ""

    def now() -> str:
        nonlocal latest, text
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        if second != latest:
            latest, text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{text}.{nanoseconds // 1000:06d}Z"

    return now


def _cut(value: object, most: int) -> object:
    """Return a value of a line, a text with at most so many characters."""
    return brief(value, most) if isinstance(value, str) and not isinstance(value, Whole) else value


_Line = Callable[[str, Level, str, Facts], str]
"""returns a line, given its time, its level, its event and its facts"""


def _json_line(most: int) -> _Line:
    """Return a renderer of lines of JSON, whose values have at most so many characters."""

    def line(now: str, level: Level, event: str, facts: Facts) -> str:
        values = {key: _cut(value, most) for key, value in facts.items()}
        return json.dumps({**values, "event": event, "level": level, "timestamp": now}, default=repr)

    return line


def _text_line(most: int) -> _Line:
    """Return a renderer of lines of `key=value` (logfmt), whose values have at most so many characters.

    Each session has two lines, most of whose values were in lines before: how they are spelled is remembered.
    """

    def spelled_anew(value: str) -> str:
        return value if _PLAIN.match(value) and len(value) <= most else _spelled(value, most)

    spelled = Names(spelled_anew, BRIEF_CHARACTERS).of
    seldom = partial(_spelled, most=most)
    by_type: dict[type, Callable[[Any], str]] = {str: spelled, int: str, float: str}

    def line(now: str, level: Level, event: str, facts: Facts) -> str:
        values = [by_type.get(type(value), seldom)(value) for value in facts.values()]
        start = f"timestamp={now} level={level} event={spelled(event)}"
        return " ".join([start, *map("=".join, zip(facts, values, strict=True))])

    return line


def _spelled(value: object, most: int) -> str:
    """Return a value as logfmt has it: in quotes where it has spaces, and with control characters spelled out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not value.isprintable():
        # A terminal would obey them. What was spelled out is longer now.
        plain = Whole if isinstance(value, Whole) else str
        value = plain("".join(map(_character, str(_cut(value, most)))))
    text = str(_cut(value, most))
    quoted = _QUOTED.search(text)
    if quoted:
        text = text.replace("\\", "\\\\")
    text = text.replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"' if quoted else text


def _character(each: str) -> str:
    return each if each.isprintable() or each == "\n" else ascii(each)[1:-1]


def make_log(logging: Logging, writer: Writer) -> Logger:
    """Return a log of the level of the settings and above, whose lines a writer writes.

    If lines were lost and writing works again, the log says how many.
    """
    writer.queue_bytes = logging.queue_bytes
    line = (_json_line if logging.format == "json" else _text_line)(logging.value_characters)
    now = _clock()
    # systemd's journal takes the priority of a line from its beginning.
    before = {level: f"<{priority}>" if writer.is_journal else "" for level, priority in _PRIORITIES.items()}

    def take(level: Level, event: str, facts: Facts) -> None:
        writer.write(f"{before[level]}{line(now(), level, event, facts)}\n")

    log = Logger(logging.level, take)
    writer.flowing = lambda lost: log.error("log lines dropped", lines=lost)
    return log
