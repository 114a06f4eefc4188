"""Upstreams that fail and come back while clients keep connecting: nothing hangs, and all works again soon after."""

import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.serve.exchanging import HTTP_GET
from tests.support import Running, Upstream, dead_port, end_of, serving, serving_text

from .targets import MODERN, agree_to_all, agreeable, finish, session, several


async def test_one_of_three_that_is_down_costs_no_client_its_session_and_serves_again_when_it_is_back() -> None:
    with dead_port() as port:
        async with agreeable() as a, agreeable() as b:
            checks = "interval: 20ms, timeout: 1m, rise: 2, fall: 2"
            more = f"health: {{active: {{{checks}}}, passive: {{failures: none}}}}"
            text = several(a.port, b.port, port, more=more)
            async with serving_text(text) as gateway:
                await gateway.lines.line("target down", target=f"ws://127.0.0.1:{port}", upstream="chat")
                urls = [f"ws://127.0.0.1:{each}" for each in (a.port, b.port, port)]
                assert await served_by(gateway, 6) == {urls[0]: 3, urls[1]: 3}
                async with agreeable(port):
                    line = await gateway.lines.line("target up", target=urls[2], upstream="chat")
                    assert line["why"] == "it answers health checks again"
                    assert await served_by(gateway, 6) == dict.fromkeys(urls, 2)


async def served_by(gateway: Running, count: int) -> Counter[str]:
    """Return which target served how many of so many sessions. None of them may fail."""
    before = len(gateway.lines.every("session"))
    for _ in range(count):
        client = await gateway.connect(MODERN.request)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.close()
    lines = (await gateway.lines.enough("session", before + count))[before:]
    assert all("failed" not in line for line in lines)
    return Counter(line["target"] for line in lines)


async def test_an_upstream_that_restarts_under_load_leaves_no_client_hanging_and_is_used_at_once() -> None:
    answers: Counter[str] = Counter()
    async with Upstream() as first:
        port = first.port
        async with serving(port, timeouts="close: 100ms") as gateway:
            running = trio.CancelScope()
            open_ = [await session(first, gateway) for _ in range(20)]
            first.hang_up()
            first.stop()
            gateway.nursery.start_soon(keep_coming, gateway, answers, running)
            for client, _ in open_:
                assert (await client.rest())[:1] in (b"\x88", b"")
            while answers["502"] < 20:
                await trio.lowlevel.checkpoint()
            async with agreeable(port):
                while not answers["101"]:
                    await trio.lowlevel.checkpoint()
                seen = answers["502"]
                while answers["101"] < 20:
                    await trio.lowlevel.checkpoint()
                assert answers["502"] == seen
                running.cancel()
    assert answers.keys() == {"502", "101"}


async def keep_coming(gateway: Running, answers: Counter[str], running: trio.CancelScope) -> None:
    """Run clients, one after another, each of which must get an answer."""
    with running:
        while True:
            client = await gateway.connect(MODERN.request)
            head = await client.head()
            answers[head.split()[1].decode()] += 1
            await client.close()


@dataclass
class Internal:
    """The addresses of the name chat.internal, in the place of the system's resolver."""

    hosts: tuple[str, ...]


def chat_internal(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> Internal:
    """Give chat.internal an address; the system still resolves all other names."""
    internal, system = Internal(hosts), socket.getaddrinfo

    def getaddrinfo(host: str, port: object, *rest: Any, **more: Any) -> list[Any]:
        if host != "chat.internal":
            return system(host, port, *rest, **more)  # type: ignore[call-overload, no-any-return]
        if not internal.hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [info for each in internal.hosts for info in system(each, None, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return internal


def addresses_of(gateway: Running) -> list[object]:
    """Return the known addresses of the upstream chat."""
    pools = gateway.service.status()["pools"]
    assert isinstance(pools, dict)
    addresses: list[object] = pools["chat"]["targets"]
    return addresses


async def test_new_sessions_go_to_the_new_address_of_a_name_and_old_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = chat_internal(monkeypatch, "127.0.0.1")
    async with Upstream() as old, Upstream(host="127.0.0.2", port=old.port) as new:
        text = several(f'url: "ws://chat.internal:{old.port}"', more="resolve: {interval: 20ms}")
        async with serving_text(text) as gateway:
            before = await session(old, gateway)
            resolver.hosts = ("127.0.0.2",)
            line = await gateway.lines.line("addresses changed", upstream="chat")
            assert line["addresses"] == f"127.0.0.2:{old.port}"
            after = await session(new, gateway)
            resolver.hosts = ()
            assert (await gateway.lines.line("name not resolved"))["why"] == "Name or service not known"
            await session(new, gateway)
            await before[1].send(b"\x81\x05Hello")
            assert await before[0].frame() == (0x81, b"Hello")
            line = await finish(gateway, *after)
            assert (line["target"], line["address"]) == (
                f"ws://chat.internal:{old.port}",
                f"127.0.0.2:{old.port}",
            )


async def test_an_address_that_a_name_has_lost_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = chat_internal(monkeypatch, "127.0.0.1")
    async with Upstream() as old, Upstream(host="127.0.0.2", port=old.port) as new:
        pages = '{url: "http://127.0.0.1:1"}'
        more = "resolve: {interval: 20ms}, health: {active: {interval: 10ms}}"
        text = several(f'url: "ws://chat.internal:{old.port}"', more=more, pages=pages)
        async with serving_text(text) as gateway:
            await old.accept()
            resolver.hosts = ("127.0.0.2",)
            await gateway.lines.line("addresses changed")
            while not old.nobody_came():
                await trio.lowlevel.checkpoint()
            for _ in range(5):
                await new.accept()
            assert old.nobody_came()


@pytest.mark.parametrize("dead", ["127.0.0.3", "::1"])
async def test_an_address_of_a_name_that_refuses_costs_no_attempt(dead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chat_internal(monkeypatch, dead, "127.0.0.1")
    async with Upstream() as upstream:
        text = several(f'url: "ws://chat.internal:{upstream.port}"', more="retry: {attempts: 1}")
        async with serving_text(text) as gateway:
            for _ in range(3):
                await session(upstream, gateway)


async def test_an_address_of_a_name_that_does_not_answer_has_the_next_one_tried_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chat_internal(monkeypatch, "127.0.0.2", "127.0.0.1")
    async with Upstream() as upstream:
        # Linux takes one connection more than the backlog, and then lets all others wait.
        with socket.socket() as full, socket.socket() as first:
            full.bind(("127.0.0.2", upstream.port))
            full.listen(0)
            first.connect(full.getsockname())
            text = several(
                f'url: "ws://chat.internal:{upstream.port}"',
                timeouts="connect: 1h",
                more="retry: {attempts: 1}, health: {passive: {failures: 1}}",
            )
            async with serving_text(text) as gateway:
                for _ in range(2):
                    await session(upstream, gateway)
                line = await gateway.lines.line("target ejected", address=f"127.0.0.2:{upstream.port}")
                assert line["why"] == "slower to accept than another address of its name; for 30 s"


async def test_the_log_names_the_address_of_a_target_only_for_that_target(monkeypatch: pytest.MonkeyPatch) -> None:
    chat_internal(monkeypatch, "127.0.0.3")
    async with Upstream() as upstream:
        # No server listens at the same port of another address.
        text = several(f'url: "ws://chat.internal:{upstream.port}"', upstream.port)
        async with serving_text(text) as gateway:
            while len(addresses_of(gateway)) < 2:
                await trio.lowlevel.checkpoint()
            lines = [await finish(gateway, *await session(upstream, gateway)) for _ in range(2)]
            assert any("failed" in line for line in lines)
            assert all("address" not in line for line in lines)


# -- half open -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def frozen_later() -> AsyncIterator[tuple[Upstream, trio.CancelScope]]:
    """Yield a server that accepts every handshake until the scope is cancelled.

    From then on it is like a process that is stopped: the kernel still accepts connections for it, all of them stay
    open, and nobody reads.
    """
    answering = trio.CancelScope()

    async def answer(upstream: Upstream) -> None:
        with answering:
            async with trio.open_nursery() as nursery:
                await agree_to_all(upstream, nursery)

    async with Upstream() as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(answer, upstream)
        yield upstream, answering
        nursery.cancel_scope.cancel()


async def test_a_stopped_upstream_is_found_by_pings_and_by_checks(autojump_clock: MockClock) -> None:
    asked = "health: {active: {type: websocket, interval: 1s, timeout: 500ms, fall: 1}}"
    async with frozen_later() as (upstream, answering), agreeable() as other:
        text = several(upstream.port, other.port).replace(
            "defaults: {", "defaults: {keepalive: {interval: 4s, timeout: 2s}, "
        )
        text = text.replace("  chat: {", f"  chat: {{{asked}, ")
        async with serving_text(text) as gateway:
            client = await gateway.connect(MODERN.request)
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            answering.cancel()
            while (frame := await client.frame())[0] == 0x89:
                await client.send(b"\x8a" + bytes([0x80 | len(frame[1])]) + bytes(4) + frame[1])
            assert frame[0] == 0x88
            assert "no answer to a ping" in end_of(await gateway.lines.line("session"))
            await gateway.lines.line("target down", target=f"ws://127.0.0.1:{upstream.port}")
            for _ in range(2):
                client = await gateway.connect(MODERN.request)
                assert (await client.head()).startswith(b"HTTP/1.1 101 ")


# -- the queue -------------------------------------------------------------------------------------------------------

QUEUED = "max_connections: 1, queue: {size: 1, timeout: 1h}"


@pytest.mark.parametrize("request_", [MODERN.request, HTTP_GET], ids=["websocket", "http"])
async def test_a_client_waits_for_its_turn_unless_too_many_do(request_: bytes) -> None:
    async with Upstream() as upstream, serving_text(several(upstream.port, more=QUEUED)) as gateway:
        first = await gateway.connect(request_)
        behind = await upstream.accept()
        await behind.head()
        second = await gateway.connect(request_)
        await wait_all_tasks_blocked()
        third = await gateway.connect(request_)
        assert (await third.head()).startswith(b"HTTP/1.1 503 ")
        await behind.close()
        assert (await first.head()).startswith(b"HTTP/1.1 502 ")
        behind = await upstream.accept()
        await behind.head()
        await behind.close()
        assert (await second.head()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("request_", [MODERN.request, HTTP_GET], ids=["websocket", "http"])
async def test_a_client_that_disconnects_loses_its_place_in_the_queue(request_: bytes) -> None:
    async with Upstream() as upstream, serving_text(several(upstream.port, more=QUEUED)) as gateway:
        client = await gateway.connect(request_)
        behind = await upstream.accept()
        await behind.head()
        leaving = await gateway.connect(request_, b"more that it says")
        await wait_all_tasks_blocked()
        await leaving.close()
        event = "disconnected" if request_ is MODERN.request else "http"
        assert (await gateway.lines.line(event, client=leaving.name))["why"] == "while it waited for its upstream"
        waiting = await gateway.connect(request_)
        await wait_all_tasks_blocked()
        await behind.close()
        await client.head()
        await (await upstream.accept()).close()
        assert (await waiting.head()).startswith(b"HTTP/1.1 502 ")


async def test_a_waiting_client_is_served_by_a_target_that_is_up_again() -> None:
    with dead_port() as port:
        async with agreeable() as up:
            more = "health: {active: {interval: 20ms, timeout: 1m, fall: 1, rise: 1}}, queue: {size: 1, timeout: 1h}"
            targets = (f'url: "ws://127.0.0.1:{each}", max_connections: 1' for each in (up.port, port))
            async with serving_text(several(*targets, more=more)) as gateway:
                await gateway.lines.line("target down", upstream="chat")
                first = await gateway.connect(MODERN.request)
                assert (await first.head()).startswith(b"HTTP/1.1 101 ")
                waiting = await gateway.connect(MODERN.request)
                await wait_all_tasks_blocked()
                async with agreeable(port):
                    assert (await waiting.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_client_waits_in_the_queue_no_longer_than_a_handshake_may_take(autojump_clock: MockClock) -> None:
    text = several("url: ws://127.0.0.1:{}", timeouts="handshake: 300ms", more=QUEUED)
    async with Upstream() as upstream, serving_text(text.replace("{}", str(upstream.port))) as gateway:
        await session(upstream, gateway)
        late = await gateway.connect(MODERN.request)
        assert (await late.head()).startswith(b"HTTP/1.1 503 ")
        assert "no end of one within 0." in (await gateway.lines.line("refused"))["why"]
