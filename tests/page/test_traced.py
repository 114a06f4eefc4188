"""A trace for a browser: what it shows, who may start it, and when it ends."""

import json
import re
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.page.sites import Told, told_site
from tests.page.test_live import Browser
from tests.page.test_site import asked, connected, token
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS
from wsgateway.page.live import BEAT_SECONDS, MOST_STREAMS, UNREAD_SECONDS
from wsgateway.page.traced import Item, Send, show_trace

LINE: Item = {"kind": "line", "session": "1.1", "at": 0.5, "peer": "client", "way": ">", "text": "GET /", "meaning": ""}


async def started(told: Told, query: str = "", **headers: str) -> Peer:
    """Start a trace as the page does."""
    given = {"Origin": told.origin, "Wsgateway-Token": await token(told), **headers}
    sent = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    peer = await connected(told)
    host = f"127.0.0.1:{told.port}"
    await peer.send(f"POST /do/trace?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{sent}\r\n".encode())
    return peer


def items_of(said: bytes) -> list[Any]:
    return [item for block in re.findall(rb"data: (\[.*\])", said) for item in json.loads(block)]


async def test_the_page_may_trace_and_the_gateway_learns_who_asks_and_for_which_sessions() -> None:
    async with told_site() as told:
        with trio.fail_after(PATIENCE_SECONDS):
            peer = await started(told, "dialect=hixie-76&client=192.0.2.7&route=chat&agent=Old&payload=9&record=true")
            said = await peer.until(b'"watching"}]\n\n')
            assert said.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nContent-Type: text/event-stream\r\n" in said
            told.trace(LINE)
            assert items_of(await peer.until(b"\n\n")) == [LINE]
            [(command, arguments, who)] = told.asked
            assert command == "trace"
            assert arguments == {"dialect": "hixie-76", "client": "192.0.2.7", "route": "chat", "agent": "Old"}
            assert str(who["page"]).startswith("127.0.0.1:")
            await peer.close()
            await told.none_traces()


async def test_bytes_and_secrets_never_reach_a_browser() -> None:
    secret = "c2VjcmV0"
    async with told_site() as told:
        with trio.fail_after(PATIENCE_SECONDS):
            peer = await started(told)
            await peer.until(b'"watching"}]\n\n')
            told.trace(
                {
                    "kind": "bytes",
                    "session": "1.1",
                    "at": 0,
                    "peer": "client",
                    "way": ">",
                    "of": "frames",
                    "data": secret,
                },
                {"kind": "frames", "session": "1.1", "at": 0, "peer": "client", "framing": "hybi-04", "secret": secret},
                {"kind": "end", "session": "1.1", "at": 1, "by": "client", "reason": "closed", "why": f"1000 {secret}"},
            )
            said = await peer.until(b"\n\n")
            assert items_of(said) == [{"kind": "end", "session": "1.1", "at": 1, "by": "client", "reason": "closed"}]
            assert secret.encode() not in said
            await peer.close()


async def test_what_the_gateway_refuses_is_the_end_of_the_trace() -> None:
    async with told_site() as told:
        told.refusal = "4 traces are running, and more are not possible at once"
        with trio.fail_after(PATIENCE_SECONDS):
            peer = await started(told)
            assert items_of(await peer.rest()) == [{"kind": "over", "why": told.refusal}]
            await peer.close()


@pytest.mark.parametrize("wrong", [{"Origin": "http://evil.example"}, {"Wsgateway-Token": "A" * 43}], ids=str)
async def test_nobody_else_may_trace_and_the_log_says_who_tried(wrong: dict[str, str]) -> None:
    async with told_site() as told:
        with trio.fail_after(PATIENCE_SECONDS):
            peer = await started(told, **wrong)
            assert (await peer.rest()).startswith(b"HTTP/1.1 403 ")
            await peer.close()
        (line,) = told.lines.every("control refused")
        assert (line["command"], line["reason"]) == ("trace", "control-denied")
        assert (await asked(told, "GET /do/trace"))[0] == 405
        assert told.asked == []


async def test_a_gateway_that_allows_nothing_lets_nobody_trace() -> None:
    async with told_site(actions=False) as told:
        with trio.fail_after(PATIENCE_SECONDS):
            peer = await started(told)
            said = await peer.rest()
            await peer.close()
        assert said.startswith(b"HTTP/1.1 403 ")
        assert said.endswith(b"the configuration allows no actions (admin.actions: none)\n")


async def test_only_so_many_may_ask_at_once() -> None:
    async with told_site() as told:
        with trio.fail_after(PATIENCE_SECONDS):
            peers = [await started(told) for _ in range(MOST_STREAMS)]
            for peer in peers:
                await peer.until(b'"watching"}]\n\n')
            one_more = await started(told)
            assert (await one_more.rest()).startswith(b"HTTP/1.1 503 ")
            for peer in [*peers, one_more]:
                await peer.close()


async def endless(send: Send) -> str:
    await send([LINE])
    await trio.sleep_forever()
    raise AssertionError("unreachable")


async def test_something_comes_even_if_no_session_comes(autojump_clock: MockClock) -> None:
    browser = Browser()
    with trio.move_on_after(10.5 * BEAT_SECONDS):
        await show_trace(browser.write, endless)
    assert browser.events == [[LINE]]
    assert browser.beats == 10


async def test_a_browser_that_does_not_read_is_waited_for_and_then_let_go(autojump_clock: MockClock) -> None:
    browser, sent = Browser(), 0

    async def start(send: Send) -> str:
        nonlocal sent
        while True:
            await send([LINE])
            sent += 1
            if sent == 3:
                browser.reads = trio.Event()

    await show_trace(browser.write, start)
    assert trio.current_time() == pytest.approx(UNREAD_SECONDS)
    assert sent == len(browser.events) == 3
