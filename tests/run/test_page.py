"""What the page gets of a whole gateway, and what it has that do, without a browser."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trio
from trio.testing import MockClock

import wsgateway
from tests.openings import BY_DIALECT
from tests.page.events import Events
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Lines, Upstream, configuration
from wsgateway.observe.status import Status
from wsgateway.page.live import MOST_STREAMS
from wsgateway.run.admin_pages import AdminPages, Behind
from wsgateway.run.listening import Listening
from wsgateway.run.operator import commander_of
from wsgateway.run.request_kinds import Nothing
from wsgateway.run.requests import ControlAnswer, Send
from wsgateway.settings.load import parse

from .gateways import ADMIN, supervised, whole

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]
ACTIVE = 'admin: {bind: "127.0.0.1:0", actions: local}\n'


def write(file: Path, text: str) -> None:
    file.write_text(text)


@asynccontextmanager
async def looking(lines: Lines) -> AsyncIterator[tuple[Events, str]]:
    """Yield the events of the page of a gateway, and where its admin pages are."""
    address = (await lines.line("admin pages"))["address"]
    host, _, port = address.rpartition(":")
    peer = Peer(await trio.open_tcp_stream(host, int(port)))
    events = Events(peer, address)
    await events.ask()
    yield events, address
    await peer.close()


async def posted(address: str, what: str, token: str) -> bytes:
    """Return the answer to a request as the page makes it."""
    host, _, port = address.rpartition(":")
    peer = Peer(await trio.open_tcp_stream(host, int(port)))
    await peer.send(
        f"POST /do/{what} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nContent-Length: 0\r\n"
        f"Wsgateway-Token: {token}\r\n\r\n".encode()
    )
    answer = await peer.rest()
    await peer.close()
    return answer


async def test_the_page_shows_what_happens_in_all_workers(file: Path) -> None:
    async with (
        Upstream() as upstream,
        supervised(file, whole(upstream.port, 2, path="/chat")) as gateway,
        looking(gateway.lines) as (events, _),
    ):
        shown = await events.until(lambda shown: shown["workers"]["count"] == 2)
        assert shown["own"] == {"token": "", "actions": []}, "it may only look"
        assert shown["sessions"] == {"rows": [], "count": 0}
        assert shown["configuration"]["file"] == str(file)
        assert shown["chart"].keys() == {"hour", "day", "quarter"}
        client = await gateway.connect(OLD.request.replace(b" /demo ", b" /chat?secret=1 "))
        await upstream.agree()
        await client.until(b"\r\n\r\n")
        await events.until(lambda shown: shown["sessions"]["count"] == 1)
        assert shown["sessions"]["rows"] == [{"dialect": "hixie-76", "route": "all", "open": 1}]
        for _ in range(3):
            refused = await gateway.connect(MODERN.request.replace(b"GET /chat ", b"GET /other?secret=1 "))
            assert (await refused.head()).startswith(b"HTTP/1.1 404 ")
        await events.until(lambda shown: len(shown["refusals"]) == 3)
        assert {each["reason"] for each in shown["refusals"]} == {"route-missing"}
        assert "secret" not in str(shown)


async def test_a_session_is_closed_by_the_page_and_the_log_says_who_asked(file: Path) -> None:
    async with Upstream() as upstream:
        text = whole(upstream.port).replace(ADMIN, ACTIVE)
        async with supervised(file, text) as gateway, looking(gateway.lines) as (events, address):
            shown = await events.until(lambda shown: shown["workers"]["count"] == 1)
            client = await gateway.connect(MODERN.request)
            await upstream.agree()
            await client.head()
            answer = await posted(address, "close?id=1-1", shown["own"]["token"])
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert await client.exactly(4) == MODERN.goodbye
            (line,) = gateway.lines.every("command")
            assert (line["command"], line["id"], line["done"]) == ("close", "1-1", True)
            assert line["page"].startswith("127.0.0.1:")
            assert (await posted(address, "close?id=1-1", "wrong")).startswith(b"HTTP/1.1 403 ")
            assert len(gateway.lines.every("control refused")) == 1


async def test_a_gateway_in_a_program_has_the_page_too(file: Path) -> None:
    lines = Lines()
    async with Upstream() as upstream, trio.open_nursery() as nursery:
        write(file, configuration(upstream.port) + ACTIVE)
        gateway = wsgateway.Gateway(file, lines.log())
        with trio.fail_after(PATIENCE_SECONDS):
            addresses = await nursery.start(gateway.serve)
            async with looking(lines) as (events, address):
                listener = addresses["public"][0]
                client = Peer(await trio.open_tcp_stream(listener.host, listener.port))
                await client.send(MODERN.request)
                await upstream.agree()
                await client.head()
                shown = await events.until(lambda shown: shown["summary"]["sessions"] == 1)
                assert shown["own"]["actions"] == ["close", "trace"]
                answer = await posted(address, "close?id=1-1", shown["own"]["token"])
                assert answer.startswith(b"HTTP/1.1 200 ")
                assert await client.exactly(4) == MODERN.goodbye
                await client.close()
        nursery.cancel_scope.cancel()


async def test_pages_that_read_nothing_delay_no_other_request(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, whole(upstream.port)) as gateway:
        address = (await gateway.lines.line("admin pages"))["address"]
        host, _, port = address.rpartition(":")
        silent = [Peer(await trio.open_tcp_stream(host, int(port))) for _ in range(MOST_STREAMS)]
        for peer in silent:
            await Events(peer, address).ask()
        assert (await gateway.ask("/health/ready"))[0] == 200
        assert (await gateway.status())["ready"] is True
        for peer in silent:
            await peer.close()


async def test_refusals_stay_when_their_worker_is_killed_or_leaves(file: Path) -> None:
    async with (
        Upstream() as upstream,
        supervised(file, whole(upstream.port, 2, path="/chat")) as gateway,
        looking(gateway.lines) as (events, _),
    ):
        for number in (1, 2):
            first, second = await gateway.pids()
            pid, other = (first, second) if number == 1 else (second, first)
            os.kill(other, signal.SIGSTOP)
            refused = await gateway.connect(OLD.request)
            assert (await refused.head()).startswith(b"HTTP/1.1 404 ")
            os.kill(other, signal.SIGCONT)
            await events.until(lambda shown, number=number: len(shown["refusals"]) == number)
            if number == 1:
                os.kill(pid, signal.SIGKILL)
                await gateway.lines.nth("worker serves", 3)
        before = events.shown["refusals"]
        gateway.write(whole(upstream.port, 1, path="/chat"))
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        await events.until(lambda shown: shown["workers"]["count"] == 1)
        assert events.shown["refusals"] == before


async def test_charts_are_made_anew_every_ten_seconds_and_not_with_all_else_that_is_seen(
    mock_clock: MockClock,
) -> None:
    lines, settings, made = Lines(), parse(configuration(9) + ADMIN, "settings"), count()
    async with trio.open_nursery() as nursery:
        gateway = wsgateway.Gateway(settings, Lines().log())
        await nursery.start(gateway.serve)
        seen = gateway.status()
        nursery.cancel_scope.cancel()

    async def look() -> Status:
        return seen

    async def charts() -> Any:
        return {"made before": next(made)}

    async def refusals(fields: Nothing, send: Send) -> ControlAnswer:
        return ControlAnswer(ok=True)

    mock_clock.autojump_threshold = 0  # no thread is at work any more
    listening = Listening({}).fitted(settings)
    async with trio.open_nursery() as nursery:
        commander = commander_of(SimpleNamespace(functions={"refusals": refusals}), lines.log())
        AdminPages(Behind(look, charts, commander), nursery, lines.log()).serve(settings, listening)
        async with looking(lines) as (events, _):
            begun = trio.current_time()
            for before in range(3):
                await events.until(lambda shown, before=before: shown["chart"] == {"made before": before})
                assert trio.current_time() - begun == 10 * before
            nursery.cancel_scope.cancel()
    listening.close()
