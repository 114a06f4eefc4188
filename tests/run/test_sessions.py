"""The list of the open sessions of a process, and their end by an operator."""

import time
from typing import Any

import pytest
import trio

from tests.openings import BY_DIALECT, opened
from tests.support import Running, Upstream, serving
from wsgateway.errors import Reason
from wsgateway.run.request_kinds import REQUEST_KINDS
from wsgateway.run.requests import ControlAnswer, Fact, Item

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]


class Asked:
    """What a process has answered."""

    def __init__(self, portions: list[list[Item]], answer: ControlAnswer) -> None:
        self.portions = portions
        self.items = [item for portion in portions for item in portion]
        self.answer = answer


async def ask(gateway: Running, command: str, **arguments: Fact) -> Asked:
    portions: list[list[Item]] = []

    async def send(items: list[Item]) -> None:
        await trio.lowlevel.checkpoint()
        portions.append(items)

    fields = REQUEST_KINDS[command].read(arguments)
    return Asked(portions, await gateway.service.functions[command](fields, send))


async def test_a_session_is_described_by_what_its_client_and_its_figures_are() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        before = time.time()
        session = await opened(upstream, gateway, OLD)
        await session.works()
        [item] = (await ask(gateway, "sessions")).items
        since = item.pop("since")
        assert isinstance(since, float)
        assert before - 0.001 <= since <= time.time() + 0.001
        assert item == {
            "id": "1-1",
            "client": session.client.name,
            "listener": "public",
            "host": "example.com",
            "path": "/demo",
            "origin": "http://example.com",
            "dialect": "hixie-76",
            "route": "all",
            "target": f"ws://127.0.0.1:{upstream.port}",
            # Hello is 7 bytes in both framings, as no mask comes from a server.
            "messages_in": 1,
            "messages_out": 1,
            "bytes_in": 7,
            "bytes_out": 7,
        }


async def test_only_sessions_that_match_are_listed_and_all_are_counted() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        for opening in (OLD, MODERN, OLD):
            await opened(upstream, gateway, opening)
        every = await ask(gateway, "sessions")
        assert [item["id"] for item in every.items] == ["1-1", "1-2", "1-3"]
        assert every.answer.facts == {"matching": 3, "open": 3}
        old = await ask(gateway, "sessions", dialect="hixie-75..76")
        assert [item["id"] for item in old.items] == ["1-1", "1-3"]
        assert old.answer.facts == {"matching": 2, "open": 3}
        first = await ask(gateway, "sessions", dialect="hixie-76", limit=1)
        assert [item["id"] for item in first.items] == ["1-1"]
        assert first.answer.facts == {"matching": 2, "open": 3}
        assert (await ask(gateway, "sessions", limit=0)).portions == []
        assert (await ask(gateway, "sessions", client="127.0.0.0/8")).answer.facts["matching"] == 3
        assert (await ask(gateway, "sessions", client="192.0.2.0/24")).items == []


async def test_a_list_goes_on_where_an_earlier_one_has_ended() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        for opening in (OLD, MODERN, OLD, OLD):
            await opened(upstream, gateway, opening)
        part = await ask(gateway, "sessions", dialect="hixie-76", limit=2, after="1-1 2-99")
        assert [item["id"] for item in part.items] == ["1-3", "1-4"]
        assert part.answer.facts == {"matching": 3, "open": 4, "before": 1}
        of_others = await ask(gateway, "sessions", limit=1, after="2-3")
        assert [item["id"] for item in of_others.items] == ["1-1"]
        assert of_others.answer.facts == {"matching": 4, "open": 4, "before": 0}
        assert (await ask(gateway, "sessions", after="1-4")).items == []


async def test_behind_a_trusted_proxy_the_client_is_the_one_that_is_named() -> None:
    listener = "forwarded: {trusted: [127.0.0.1]}"
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        head = MODERN.request.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
        client = await gateway.connect(head)
        await upstream.agree()
        await client.head()
        [item] = (await ask(gateway, "sessions", client="192.0.2.0/24")).items
        assert (item["client"], item["forwarded_for"]) == (client.name, "192.0.2.7")
        assert (await ask(gateway, "sessions", client="127.0.0.1")).items == []


async def test_many_sessions_are_taken_in_portions_between_which_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgateway.run.sessions.SESSIONS_AT_ONCE", 2)
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        for _ in range(5):
            await opened(upstream, gateway, MODERN)
        every = await ask(gateway, "sessions")
        assert [[item["id"] for item in items] for items in every.portions] == [["1-1", "1-2"], ["1-3", "1-4"], ["1-5"]]
        monkeypatch.setattr("wsgateway.run.sessions.SESSIONS_AT_ONCE", 1)
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_turns)
            await ask(gateway, "sessions", limit=0)
            nursery.cancel_scope.cancel()
        assert turns >= 2  # between five portions, in any order of the tasks


async def test_a_session_that_ends_while_the_list_is_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgateway.run.sessions.SESSIONS_AT_ONCE", 1)
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        sessions = [await opened(upstream, gateway, MODERN) for _ in range(3)]
        listed: list[Item] = []

        async def send(items: list[Item]) -> None:
            if not listed:
                await sessions[1].client.close()
                await sessions[1].behind.close()
                await gateway.lines.line("session")
            listed.extend(items)

        await gateway.service.functions["sessions"](REQUEST_KINDS["sessions"].read({}), send)
        assert [item["id"] for item in listed] == ["1-1", "1-3"]


async def closing(gateway: Running, **arguments: Any) -> ControlAnswer:
    return (await ask(gateway, "close", **arguments)).answer


@pytest.mark.parametrize("opening", [MODERN, OLD], ids=lambda opening: opening.dialect)
async def test_a_closed_session_gets_the_goodbye_that_is_configured(opening: Any) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="spread: none, close_code: 1013") as gateway:
        session = await opened(upstream, gateway, opening)
        other = await opened(upstream, gateway, opening)
        assert await closing(gateway, id="1-1") == ControlAnswer(ok=True, facts={"closed": 1})
        assert await session.behind.frame() == (0x88, b"\x03\xf5")
        goodbye = b"\x88\x02\x03\xf5" if opening is MODERN else b"\xff\x00"  # hixie has no codes
        assert await session.client.exactly(len(goodbye)) == goodbye
        await session.ends()
        line = await gateway.lines.line("session")
        assert (line["by"], line["reason"], line["why"]) == (
            "gateway",
            Reason.CLOSED_BY_OPERATOR,
            "closed by an operator",
        )
        await other.works()
        assert await closing(gateway, id="1-1") == ControlAnswer(ok=True, facts={"closed": 0})


async def test_a_filter_closes_those_that_match() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        sessions = [await opened(upstream, gateway, opening) for opening in (OLD, MODERN, OLD)]
        assert (await closing(gateway, dialect="hixie-76")).facts == {"closed": 2}
        assert (await closing(gateway, dialect="hixie-76")).facts == {"closed": 0}  # they end already
        for each in (sessions[0], sessions[2]):
            assert await each.client.exactly(2) == b"\xff\x00"
        await sessions[1].works()
