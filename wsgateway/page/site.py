"""The page for browsers, and the requests that it makes.

    GET /, /app.js, /parts.js, ...        the page
    GET /live                             what it shows, as it changes: see `live`
    GET /sessions?dialect=...&after=...   a part of the list of sessions, the oldest first
    POST /do/NAME?...                     one of the requests to a running gateway, for those in `ACTIONS`
    POST /do/trace?...                    one that is answered until the browser hangs up: see `traced`

All that it lists and does takes the way of every request to a running gateway, so the log has the same line about it.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl

from wsgateway.errors import Reason
from wsgateway.observe.admin import Page, Pages, Visit
from wsgateway.observe.http_server import Reply, Stream
from wsgateway.observe.log import Log
from wsgateway.page.live import MOST_STREAMS, Fact, Live, Sections, Write
from wsgateway.page.rules import Rules
from wsgateway.page.traced import Item, Send, show_trace

# So many sessions are shown at once.
SESSIONS_SHOWN = 25
# The requests that change something, or show what clients say, and have a button.
ACTIONS = ("close", "target", "trace")
# By what sessions may be chosen.
_FILTERS = ("dialect", "client", "route", "agent")
_FOLDER = Path(__file__).parent
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/parts.js": ("parts.js", "text/javascript; charset=utf-8"),
    "/trace.js": ("trace.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_JSON = "application/json"


class Answer(NamedTuple):
    """The answer of a running gateway to a request."""

    ok: bool
    findings: list[str]
    """sentences for people"""
    facts: Mapping[str, Fact]


class Ask(Protocol):
    """Whatever carries out requests to a running gateway."""

    async def __call__(self, command: str, arguments: dict[str, Fact], who: Mapping[str, object], send: Send) -> Answer:
        """Return the answer to a request; `send` gets the items before it. `who` says who asks, for the log."""


class PageSite:
    """The page of one gateway."""

    def __init__(self, look: Callable[[], Awaitable[Sections]], ask: Ask, actions: Collection[str], log: Log) -> None:
        """Take what returns all that is shown, what carries out requests, and those of `ACTIONS` that are offered."""
        self._live = Live(look)
        self._ask = ask
        self._actions = list(actions)
        self._traces = 0
        self._rules = Rules(bool(actions))
        self._log = log

    @property
    def pages(self) -> Pages:
        """All that it answers, by path."""
        files = {path: Page(partial(_file, name, kind)) for path, (name, kind) in _FILES.items()}
        ways = {"trace": self._trace}
        actions = {f"/do/{name}": Page(partial(ways.get(name, self._act), name), ("POST",)) for name in ACTIONS}
        return {**files, "/live": Page(self._watch, ("GET",)), "/sessions": Page(self._sessions), **actions}

    async def _watch(self, visit: Visit) -> Reply | Stream:
        if why := self._rules.why_not_look(visit):
            return _text(403, why)
        if self._live.streams >= MOST_STREAMS:
            return _text(503, f"{MOST_STREAMS} pages are open already")
        token = self._rules.token_for(visit)
        own = {"own": {"token": token, "actions": self._actions if token else []}}
        return Stream(partial(self._live.stream, own=own), "text/event-stream")

    async def _sessions(self, visit: Visit) -> Reply:
        if why := self._rules.why_not_look(visit):
            return _text(403, why)
        given = _query(visit)
        arguments: dict[str, Fact] = {name: given[name] for name in (*_FILTERS, "after") if given.get(name)}
        items: list[Item] = []
        answer = await self._ask("sessions", {**arguments, "limit": SESSIONS_SHOWN}, {}, into(items))
        if not answer.ok:
            return _text(400, "; ".join(answer.findings))
        rows = sorted(items, key=lambda item: float(item["since"]))[:SESSIONS_SHOWN]
        end = _end(given.get("after", ""), [str(row["id"]) for row in rows])
        return _json({"before": 0, **answer.facts, "rows": rows, "end": end})

    async def _act(self, command: str, visit: Visit) -> Reply:
        if why := self._why_not_act(command, visit):
            return _text(403, why)
        answer = await self._ask(command, {**_query(visit)}, {"page": visit.client}, into([]))
        if not answer.ok:
            return _text(409, "; ".join(answer.findings))
        return _json({**answer.facts, "findings": answer.findings})

    async def _trace(self, command: str, visit: Visit) -> Reply | Stream:
        """Return the stream of a trace, which has no payload whatever is asked for."""
        if why := self._why_not_act(command, visit):
            return _text(403, why)
        if self._traces >= MOST_STREAMS:
            return _text(503, f"{MOST_STREAMS} traces are asked for already")
        given = _query(visit)
        arguments: dict[str, Fact] = {name: given[name] for name in _FILTERS if given.get(name)}

        async def start(send: Send) -> str:
            answer = await self._ask(command, arguments, {"page": visit.client}, send)
            return "; ".join(answer.findings)

        return Stream(partial(self._show_trace, start=start), "text/event-stream")

    async def _show_trace(self, write: Write, start: Callable[[Send], Awaitable[str]]) -> None:
        self._traces += 1
        try:
            await show_trace(write, start)
        finally:
            self._traces -= 1

    def _why_not_act(self, command: str, visit: Visit) -> str:
        """Return why a browser may not act, and write it into the log; an empty text if it may."""
        why = self._rules.why_not_act(visit)
        if why:
            facts = {"command": command, "page": visit.client, **Reason.CONTROL_DENIED.facts}
            self._log.warning("control refused", **facts, why=why)
        return why


def into(items: list[Item]) -> Send:
    """Return what adds the items before an answer to a list."""

    async def send(more: list[Item]) -> None:
        items.extend(more)

    return send


@cache
def _content(name: str) -> bytes:
    """Return a file of the page, which is read once: that of another version would not fit."""
    return _FOLDER.joinpath(name).read_bytes()


async def _file(name: str, kind: str, _: Visit) -> Reply:
    return Reply(_content(name), kind)


def _end(after: str, ids: list[str]) -> str:
    """Return where a list with these ids ends, given where the one before it ended: the last id of each process."""
    return " ".join({each.partition("-")[0]: each for each in (*after.split(), *ids)}.values())


def _query(visit: Visit) -> dict[str, str]:
    return dict(parse_qsl(visit.request.target.partition("?")[2], keep_blank_values=True))


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), _JSON)


def _text(status: int, why: str) -> Reply:
    return Reply(f"{why}\n".encode(), status=status)
