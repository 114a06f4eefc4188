"""The page of a gateway that says what the test says, over real connections."""

import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from tests.support import Lines
from wsgateway.observe.admin import AdminServer
from wsgateway.page.live import Fact
from wsgateway.page.site import ACTIONS, Answer, PageSite
from wsgateway.page.traced import Send
from wsgateway.settings.basics import UnixAddress
from wsgateway.settings.process import Admin

DIALECTS = ["hixie-75", "hixie-76", "hybi-00", "hybi-07", "hybi-08", "rfc6455"]
NOW = 1_796_000_000.0


def rows(*items: Mapping[str, object]) -> dict[str, object]:
    return {"rows": list(items), "count": len(items)}


def nothing() -> dict[str, Any]:
    """Return the sections of a gateway that has just begun."""
    return {
        "summary": {
            "version": "0.1.0",
            "sentence": "serving 0 sessions with 1 worker",
            "ready": True,
            "draining": False,
            "sessions": 0,
        },
        "dialects": DIALECTS,
        "sessions": rows(),
        "census": {},
        "targets": rows(),
        "refusals": [],
        "certificates": rows(),
        "configuration": {
            "file": "/etc/wsgateway.yaml",
            "sha256": "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592",
            "since": NOW,
            "reload": {"ok": True, "at": NOW, "reason": None, "why": None},
        },
        "workers": rows({"worker": 1, "pid": 4711, "state": "serving", "since": NOW, "restarts": 0, "open": 0}),
    }


def session(number: int, **facts: Fact) -> dict[str, Fact]:
    """Return a session as a gateway lists it."""
    return {
        "id": f"1-{number}",
        "client": f"192.0.2.{number % 250}:{10000 + number}",
        "listener": "public",
        "dialect": DIALECTS[number % len(DIALECTS)],
        "route": "chat",
        "host": "ws.example.com",
        "path": "/chat",
        "origin": "http://example.com",
        "agent": "Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10_6_8) AppleWebKit/533.19.4 Version/5.0.3 Safari/533.19.4",
        "target": "ws://10.0.1.11:9000",
        "since": NOW + number,
        "messages_in": number * 3,
        "messages_out": number * 5,
        "bytes_in": number * 700,
        "bytes_out": number * 90_000,
        **facts,
    }


def _parts(id_: Fact) -> tuple[int, int]:
    """Return the number of a process, and that of a session in it."""
    process, number = map(int, str(id_).split("-"))
    return process, number


def _first_of_each(sessions: list[dict[str, Fact]], limit: int) -> list[dict[str, Fact]]:
    """Return the first sessions of each process, at most so many of each."""
    counts: Counter[int] = Counter()
    first = []
    for each in sessions:
        counts[_parts(each["id"])[0]] += 1
        if counts[_parts(each["id"])[0]] <= limit:
            first.append(each)
    return first


class Told:
    """A gateway that shows and answers what the test says."""

    def __init__(self) -> None:
        self.sections = nothing()
        self.sessions: list[dict[str, Fact]] = []
        self.asked: list[tuple[str, dict[str, Fact], dict[str, object]]] = []
        self.refusal = ""
        self.lines = Lines()
        self.port = 0
        self._tracing = 0
        self._traced = trio.lowlevel.ParkingLot()
        self._items: list[dict[str, Fact]] = []
        self._more = trio.Event()

    async def look(self) -> dict[str, Any]:
        return json.loads(json.dumps(self.sections))

    async def ask(self, command: str, arguments: dict[str, Fact], who: Mapping[str, object], send: Send) -> Answer:
        self.asked.append((command, arguments, dict(who)))
        if self.refusal:
            return Answer(False, [self.refusal], {})
        if command == "trace":
            await self._trace(send)
        if command != "sessions":
            return Answer(True, [], {"closed": 1})
        found = [each for each in self.sessions if arguments.get("dialect") in (None, each["dialect"])]
        last = dict(map(_parts, str(arguments.get("after", "")).split()))
        later = [each for each in found if _parts(each["id"])[1] > last.get(_parts(each["id"])[0], -1)]
        facts = {"matching": len(found), "open": len(self.sessions), "before": len(found) - len(later)}
        await send(_first_of_each(later, int(arguments["limit"])))
        return Answer(True, [], facts)

    async def _trace(self, send: Send) -> None:
        self._tracing += 1
        try:
            await send([{"kind": "watching"}])
            while True:
                await self._more.wait()
                self._more = trio.Event()
                items, self._items = self._items, []
                await send(items)
        finally:
            self._tracing -= 1
            self._traced.unpark_all()

    async def none_traces(self) -> None:
        """Wait until no trace is running."""
        while self._tracing:
            await self._traced.park()

    def trace(self, *items: dict[str, Fact]) -> None:
        """Have a trace send these items."""
        self._items += items
        self._more.set()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def told_site(actions: bool = True, names: tuple[str, ...] = ()) -> AsyncIterator[Told]:
    """Yield what says what a page shows, which is served meanwhile. A bug that is logged is an error."""
    told = Told()
    gate = Admin(UnixAddress("not used"), names=names)
    pages = PageSite(told.look, told.ask, ACTIONS if actions else (), told.lines.log()).pages
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        told.port = sock.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(AdminServer(pages, gate, told.lines.log()).run, [sock], trio.CancelScope())
            yield told
            # A browser that has gone may still have a connection.
            nursery.cancel_scope.cancel()
    assert not told.lines.every("bug")
