"""Every state of a connection, and what may happen in it: the gateway is cancelled or drains, the client is gone.

In each state the connection has an owner, which closes all of its sockets: nothing remains.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET
from tests.serve.test_remains import Scene, scene
from wsgateway.relay import ends

MODERN = BY_DIALECT["rfc6455"].request
HIXIE = BY_DIALECT["hixie-76"]
CLOSE = bytes.fromhex("88 82 37fa213d 3412")
FAULT = bytes.fromhex("83 80 37fa213d")  # no frame has this opcode

State = Callable[[Scene], Awaitable[Peer]]


@asynccontextmanager
async def stuck() -> AsyncIterator[int]:
    """Return a port at 127.0.0.1 and 127.0.0.2 that accepts no connection and refuses none: its backlog is full."""
    with ExitStack() as sockets:
        port = 0
        for host in ("127.0.0.1", "127.0.0.2"):
            full = sockets.enter_context(socket.socket())
            full.bind((host, port))
            full.listen(0)
            port = full.getsockname()[1]
            for _ in range(4):
                waiting = sockets.enter_context(socket.socket())
                waiting.setblocking(False)
                with suppress(BlockingIOError):
                    waiting.connect((host, port))
        yield port


async def has_sent_nothing(scene: Scene) -> Peer:
    return await scene.gateway.connect()


async def is_inside_its_head(scene: Scene) -> Peer:
    return await scene.gateway.connect(MODERN[:40])


async def waits_for_its_upstream(scene: Scene) -> Peer:
    client = await scene.gateway.connect(MODERN)
    await (await scene.upstream.accept()).head()
    return client


async def waits_for_the_rest_of_an_answer(scene: Scene) -> Peer:
    client = await scene.gateway.connect(MODERN)
    behind = await scene.upstream.accept()
    await behind.head()
    await behind.send(b"HTTP/1.1 101 Switching")
    return client


async def owes_its_challenge(scene: Scene) -> Peer:
    client = await scene.gateway.connect(HIXIE.head)
    await scene.upstream.agree()
    await client.head()
    return client


async def has_a_session(scene: Scene) -> Peer:
    return (await scene.session())[0]


async def awaits_the_answer_to_its_close(scene: Scene) -> Peer:
    client, behind = await scene.session()
    await client.send(CLOSE)
    await behind.frame()
    return client


async def awaits_the_last_replies_after_its_fault(scene: Scene) -> Peer:
    client, _ = await scene.session()
    await client.send(FAULT)
    while len(scene.gateway.service._gateway.engine):
        await trio.testing.wait_all_tasks_blocked()
    return client


async def is_being_refused_by_its_upstream(scene: Scene) -> Peer:
    client = await scene.gateway.connect(MODERN)
    behind = await scene.upstream.accept()
    await behind.head()
    await behind.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhalf")
    await client.until(b"half")
    return client


async def waits_in_a_queue(scene: Scene) -> Peer:
    await scene.session(MODERN.replace(b"/chat", b"/narrow"))
    client = await scene.gateway.connect(MODERN.replace(b"/chat", b"/narrow"))
    pool = scene.gateway.service._gateway.pools["narrow"]
    while not pool.waiting:
        await trio.testing.wait_all_tasks_blocked()
    return client


async def has_a_plain_request(scene: Scene) -> Peer:
    return (await scene.asked(HTTP_GET))[0]


STATES: list[State] = [
    has_sent_nothing, is_inside_its_head, waits_for_its_upstream, waits_for_the_rest_of_an_answer, owes_its_challenge,
    has_a_session, awaits_the_answer_to_its_close, awaits_the_last_replies_after_its_fault,
    is_being_refused_by_its_upstream, waits_in_a_queue, has_a_plain_request,
]  # fmt: skip
each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.replace("_", " "))


async def is_closed(client: Peer) -> None:
    """Wait for the end of a client's connection; a reset is one, too."""
    with suppress(trio.BrokenResourceError):
        await client.rest()


@each_state
async def test_a_cancelled_gateway_closes_it(state: State, authority: Authority) -> None:
    async with scene(authority, patience="5s") as here:
        client = await state(here)
        inside = here.gateway.service._gateway
        here.gateway.cancel()
        await is_closed(client)
        await here.gateway.stopped.wait()
        assert (len(inside.owner), len(inside.engine), len(inside.engine.watches), len(inside.waiting)) == (0, 0, 0, 0)
        assert len(inside.counters.live) == 0
        assert all(each.connections == 0 for each in inside.listener_states.values())
        assert all(inside.pools[name].open == 0 for name in inside.settings.upstreams)
        assert len(inside.connections._open) == 0


@each_state
async def test_a_drain_ends_it(state: State, authority: Authority) -> None:
    async with scene(authority, patience="300ms") as here:
        client = await state(here)
        here.gateway.service.drain()
        await is_closed(client)
        await here.gateway.stopped.wait()
        assert len(here.gateway.service._gateway.owner) == 0


@each_state
async def test_nothing_remains_when_its_client_is_cut_off(state: State, authority: Authority) -> None:
    async with scene(authority, patience="5s") as here:
        before = await here.settled()
        client = await state(here)
        client.reset()
        await here.remains_only(before)


@each_state
async def test_it_goes_on_after_a_reload(state: State, authority: Authority) -> None:
    async with scene(authority, patience="5s") as here:
        client = await state(here)
        here.gateway.reload(here.text)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BlockingIOError):
            client.stream.socket._sock.recv(1)  # neither an end nor a byte


async def test_an_address_that_neither_accepts_nor_refuses_has_its_time(authority: Authority) -> None:
    async with stuck() as port, scene(authority, dead=port) as here:
        before = await here.settled()
        client = await here.gateway.connect(MODERN.replace(b"/chat", b"/dead"))
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 504 ")
        line = await here.gateway.lines.line("upstream failed")
        assert line["reason"] == "target-connect-timeout"
        assert line["why"] == f"no connection to 127.0.0.2:{port} within 0.1 s"
        await here.remains_only(before)


async def test_a_gateway_that_is_cancelled_while_it_connects_closes_both_sockets(authority: Authority) -> None:
    async with stuck() as port, scene(authority, dead=port) as here:
        client = await here.gateway.connect(MODERN.replace(b"/chat", b"/dead"))
        inside = here.gateway.service._gateway
        while len(inside.engine.watches) < 2:
            await trio.testing.wait_all_tasks_blocked()
        here.gateway.cancel()
        await is_closed(client)
        await here.gateway.stopped.wait()
        assert (len(inside.engine.watches), inside.pools["dead"].open) == (0, 0)


@pytest.mark.parametrize("where", ["opened", "ended"])
async def test_a_bug_at_the_beginning_or_the_end_of_a_session_costs_that_alone(
    where: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with scene(authority) as here:
        before = await here.settled()
        inside = here.gateway.service._gateway
        counted = getattr(inside.counters, where)
        monkeypatch.setattr(inside.counters, where, broken)
        client = await here.gateway.connect(MODERN)
        behind, _ = await here.upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        client.reset()
        await is_closed(behind)
        assert (await here.gateway.lines.line("bug"))["reason"] == "bug"
        monkeypatch.setattr(inside.counters, where, counted)
        inside.counters.live.clear()

        await (await has_a_session(here)).close()
        await here.remains_only(before)
        here.gateway.lines.entries[:] = [entry for entry in here.gateway.lines.entries if entry["event"] != "bug"]


async def untold(scene: Scene, count: int = 4) -> list[Peer]:
    """Have the clients of so many sessions cut. Return their upstreams when all relays have ended, and none is told."""
    sessions = [await scene.session() for _ in range(count)]
    inside = scene.gateway.service._gateway
    for client, _ in sessions:
        client.reset()
    while len(inside.engine):
        await trio.lowlevel.checkpoint()
    assert (len(inside.engine.ends.untold), len(inside.owner), len(inside.counters.live)) == (count, count, count)
    return [behind for _, behind in sessions]


async def test_a_cancelled_gateway_closes_sessions_whose_ends_are_not_told_yet(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "MOST_ENDS", 0)
    async with scene(authority) as here:
        upstreams = await untold(here)
        inside = here.gateway.service._gateway
        here.gateway.cancel()
        for each in upstreams:
            await is_closed(each)
        await here.gateway.stopped.wait()
        assert (len(inside.owner), len(inside.engine.ends.untold), len(inside.counters.live)) == (0, 0, 0)
        assert [line["reason"] for line in here.gateway.lines.every("session")] == ["cut-off"] * 4


async def test_a_drain_waits_for_ends_that_are_not_told_yet(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "MOST_ENDS", 0)
    async with scene(authority) as here:
        upstreams = await untold(here)
        here.gateway.service.drain()
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert not here.gateway.stopped.is_set()
        monkeypatch.setattr(ends, "MOST_ENDS", 1)
        for each in upstreams:
            await each.rest()
            await each.close()
        await here.gateway.stopped.wait()
        assert [line["reason"] for line in here.gateway.lines.every("session")] == ["connection-lost"] * 4
