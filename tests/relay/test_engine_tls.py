"""The relay engine over TLS: bytes that are decrypted but not yet read, slow readers, and how a connection ends."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.dialects.feeding import frame
from tests.net.certificates import Authority
from tests.peers import Peer
from wsgateway.errors import ProtocolError
from wsgateway.net.channel import Channel, encrypt
from wsgateway.net.outgoing import outgoing
from wsgateway.policy.rates import Bucket
from wsgateway.relay.endpoint import Endpoint
from wsgateway.serve.throttle import Throttle
from wsgateway.settings.basics import Rate
from wsgateway.wire.events import Close

from .sessions import PATIENCE_SECONDS, Session, settled
from .stage import HELLO, KIB, MASKED_HELLO, MIB, Stage, chosen, clog, masked_zeros, staged, unclog

every_way = pytest.mark.parametrize(
    "sides", [("client",), ("upstream",), ("client", "upstream")], ids=["client", "upstream", "both"]
)
both_sides = pytest.mark.parametrize("side", ["client", "upstream"])


async def secured(authority: Authority, endpoint: Endpoint, peer: Peer) -> Peer:
    """Start TLS at one side of a session. Our end is the TLS server on both sides, which makes no difference here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("localhost"))
    tls = trio.SSLStream(peer.stream, authority.client(), server_hostname="localhost", https_compatible=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tls.do_handshake)
        endpoint.sock = endpoint.tls = await encrypt(endpoint.sock, context, None)
        endpoint.outgoing = outgoing(endpoint.sock)
    return Peer(peer.stream, tls)


@asynccontextmanager
async def secure(
    authority: Authority, *sides: str, client: str = "rfc6455", upstream: str = "rfc6455", **options: Any
) -> AsyncIterator[tuple[Stage, Session]]:
    """Run a stage with a session in which these sides have TLS."""
    async with staged() as stage:
        pair = stage.session(client, upstream, **options)
        if "client" in sides:
            pair.at_client = await secured(authority, pair.client, pair.at_client)
        if "upstream" in sides:
            pair.at_upstream = await secured(authority, pair.upstream, pair.at_upstream)
        yield stage, pair


def said_by(side: str, data: bytes) -> bytes:
    """Return what a side sends to say `data` in a frame of RFC 6455; only clients mask, with zeros."""
    plain = frame(0x82, data)
    if side == "upstream":
        return plain
    head = plain[: len(plain) - len(data)]
    return head[:1] + bytes([head[1] | 0x80]) + head[2:] + bytes(4) + data


@every_way
async def test_bytes_pass_both_ways(sides: tuple[str, ...], authority: Authority) -> None:
    async with secure(authority, *sides) as (stage, pair):
        stage.relay(pair)
        for _ in range(3):
            await pair.at_client.send(MASKED_HELLO)
            assert await pair.at_upstream.exactly(len(MASKED_HELLO)) == MASKED_HELLO
            await pair.at_upstream.send(HELLO)
            assert await pair.at_client.exactly(len(HELLO)) == HELLO
        assert pair.client.received == 3 * len(MASKED_HELLO)
        assert pair.upstream.received == 3 * len(HELLO)


@every_way
@pytest.mark.parametrize("tcp", [False, True], ids=["socketpair", "tcp"])
async def test_8_mib_pass_both_ways_at_once(sides: tuple[str, ...], tcp: bool, authority: Authority) -> None:
    data = bytes(range(256)) * (8 * MIB // 256)
    async with secure(authority, *sides, tcp=tcp) as (stage, pair):
        stage.relay(pair)
        async with trio.open_nursery() as nursery:
            for side, sender, receiver in (
                ("client", pair.at_client, pair.at_upstream),
                ("upstream", pair.at_upstream, pair.at_client),
            ):
                message = said_by(side, data)
                nursery.start_soon(sender.send, message)
                nursery.start_soon(_hear, receiver, message)


async def _hear(peer: Peer, message: bytes) -> None:
    heard = bytearray()
    while len(heard) < len(message):
        more = await peer.once()
        assert more
        heard += more
    assert heard == message


@both_sides
async def test_many_records_in_one_go_arrive_in_their_order(side: str, authority: Authority) -> None:
    async with secure(authority, "client", "upstream") as (stage, pair):
        _, peer, other = chosen(pair, side)
        stage.relay(pair)
        messages = [said_by(side, bytes([number]) * (number * 37)) for number in range(200)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, *messages)
            nursery.start_soon(_hear, other, b"".join(messages))


@both_sides
@pytest.mark.parametrize("read_bytes", [512, 2048, 4096, 5000])
async def test_a_record_that_is_read_in_pieces_stays_in_order(side: str, read_bytes: int, authority: Authority) -> None:
    # A piece of 4 KiB waits for the end of the turn, and a larger one does not: it must not overtake the other.
    async with secure(authority, "client", "upstream") as (stage, pair):
        endpoint, peer, other = chosen(pair, side)
        endpoint.read_bytes = read_bytes
        stage.relay(pair)
        message = said_by(side, bytes(range(256)) * 1024)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, message)
            nursery.start_soon(_hear, other, message)


@both_sides
async def test_the_last_bytes_of_a_record_leave_at_once(
    side: str, authority: Authority, autojump_clock: MockClock
) -> None:
    async with secure(authority, "client", "upstream") as (stage, pair):
        endpoint, peer, other = chosen(pair, side)
        endpoint.read_bytes = 512
        stage.relay(pair)
        await settled()
        begun, message = trio.current_time(), said_by(side, bytes(1000))
        await peer.send(message)
        assert await other.exactly(len(message)) == message
        assert trio.current_time() == begun


def spilled(endpoint: Endpoint, size: int) -> bytes:
    """Read a few bytes, as a handshake does; then the rest of the record is decrypted, and the kernel has no bytes."""
    endpoint.sock.setblocking(True)
    data = endpoint.sock.recv(size)
    endpoint.sock.setblocking(False)
    assert endpoint.tls is not None
    assert endpoint.tls.pending()
    return data


@both_sides
async def test_what_is_decrypted_before_the_relay_is_relayed_at_once(side: str, authority: Authority) -> None:
    hello = MASKED_HELLO if side == "client" else HELLO
    async with secure(authority, "client", "upstream") as (stage, pair):
        endpoint, peer, other = chosen(pair, side)
        await peer.send(hello * 3)
        endpoint.early = spilled(endpoint, 4)
        await settled()  # the engine is waiting
        stage.relay(pair)
        assert await other.exactly(3 * len(hello)) == hello * 3


async def test_a_relay_may_end_by_what_was_decrypted_before_it(authority: Authority) -> None:
    async with secure(authority, "client") as (stage, pair):
        await pair.at_client.send(bytes.fromhex("88 82 37fa213d 3412"))
        pair.client.early = spilled(pair.client, 2)
        ended = await stage.relay(pair).ended()
        assert (ended.source, ended.ending) == (pair.client, Close(1000, ""))


async def test_a_bug_in_what_was_decrypted_before_the_relay_is_raised(authority: Authority) -> None:
    async with secure(authority, "client") as (stage, pair):
        await pair.at_client.send(MASKED_HELLO)
        spilled(pair.client, 1)

        def break_down(_: bytes) -> None:
            raise RuntimeError("a bug")

        class Broken:
            messages = heartbeats = 0
            plan = None
            feed = staticmethod(break_down)

        pair.client.translator = Broken()  # type: ignore[assignment]
        with pytest.raises(RuntimeError, match="a bug"):
            await stage.relay(pair).ended()
        assert len(stage.engine) == 0


@both_sides
async def test_a_side_that_was_not_read_for_a_while_loses_nothing(side: str, authority: Authority) -> None:
    async with secure(authority, "client", "upstream") as (stage, pair):
        endpoint, peer, other = chosen(pair, side)
        endpoint.read_bytes = 512
        stage.relay(pair)
        await settled()
        message = said_by(side, bytes(10_000))
        stage.engine.pause(endpoint, 0.01)
        await peer.send(message)
        await _hear(other, message)


async def test_a_client_that_a_rate_pauses_is_not_read_on_from_what_tls_has_decrypted(authority: Authority) -> None:
    """It has said a hundred messages in one record, most of which is read before the relay waits for anything."""
    async with secure(authority, "client") as (stage, pair):
        client = pair.client
        message = said_by("client", b"Hello")
        await pair.at_client.send(message * 100)
        client.early = await Channel(client.sock).receive(len(message))
        client.read_bytes = 512

        def over(ahead: float) -> None:
            stage.engine.pause(client, ahead)

        bucket = Bucket(Rate(1, 3600), trio.current_time())
        client.translator = Throttle(client.translator, bucket, trio.current_time, over)
        stage.relay(pair)
        await settled()
        heard = await pair.at_upstream.exactly(len(message) + 512)
        assert heard == (message * 100)[: len(message) + 512]
        await settled()
        assert client.received == len(message) + 512


# -- backpressure --------------------------------------------------------------------------------------------------


@both_sides
@every_way
async def test_a_slow_reader_holds_the_other_side_back(side: str, sides: tuple[str, ...], authority: Authority) -> None:
    async with secure(authority, *sides) as (stage, pair):
        endpoint, reader, talker = chosen(pair, side)
        stage.relay(pair)
        message = masked_zeros(MIB) if side == "upstream" else b"\x82\x7f" + MIB.to_bytes(8) + bytes(MIB)
        sent = 0

        async def talk() -> None:
            nonlocal sent
            for _ in range(16):
                await talker.send(message)
                sent += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            await settled()
            assert sent < 8
            assert 0 < len(endpoint.backlog) <= 256 * KIB
            await _hear(reader, message * 16)
        assert not endpoint.backlog


@both_sides
async def test_what_waits_in_openssl_while_a_backlog_clears_is_read_then(side: str, authority: Authority) -> None:
    # One record, read in part before the other side takes no more: the kernel has none of the rest.
    async with secure(authority, side) as (stage, pair):
        endpoint, peer, other = chosen(pair, side)
        endpoint.read_bytes = 512
        stage.relay(pair)
        await settled()
        clog(endpoint.peer.sock)
        message = said_by(side, b"x" * 10_000)
        await peer.send(message)
        await settled()
        assert endpoint.tls is not None
        assert endpoint.peer.backlog
        assert endpoint.tls.pending()
        assert await unclog(other, len(message)) == message


# -- the end -------------------------------------------------------------------------------------------------------


@both_sides
@pytest.mark.parametrize("polite", [True, False], ids=["close_notify", "without a word"])
async def test_the_end_of_a_connection_ends_the_relay(side: str, polite: bool, authority: Authority) -> None:
    async with secure(authority, "client", "upstream") as (stage, pair):
        endpoint, peer, other = chosen(pair, side)
        relay = stage.relay(pair)
        hello = MASKED_HELLO if side == "client" else HELLO
        await peer.send(hello)
        await (peer.close() if polite else peer.stream.aclose())
        ended = await relay.ended()
        assert await other.exactly(len(hello)) == hello
        assert ended.source is endpoint
        # Also if its kernel makes a reset of it, because it has not read its session tickets of TLS 1.3.
        assert isinstance(ended.ending, ProtocolError)
        assert ended.ending.close_code == 1006


@both_sides
async def test_a_connection_that_is_cut_ends_the_relay(side: str, authority: Authority) -> None:
    async with secure(authority, "client", "upstream", tcp=True) as (stage, pair):
        endpoint, peer, _ = chosen(pair, side)
        relay = stage.relay(pair)
        await settled()
        peer.reset()
        ended = await relay.ended()
        assert ended.source is endpoint
        # Over TLS a reset counts as an end: no version of Python can tell them apart in all cases.
        assert isinstance(ended.ending, ProtocolError)
        assert ended.ending.close_code == 1006


@both_sides
async def test_a_side_that_is_cut_while_it_is_not_read_ends_the_relay(side: str, authority: Authority) -> None:
    async with secure(authority, "client", "upstream", tcp=True) as (stage, pair):
        endpoint, peer, _ = chosen(pair, side)
        other = pair.upstream if endpoint is pair.client else pair.client
        relay = stage.relay(pair)
        flood = said_by(side, bytes(16 * MIB))
        with trio.move_on_after(PATIENCE_SECONDS) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.send, flood)
                while not other.backlog:
                    await trio.lowlevel.checkpoint()
                await settled()
                nursery.cancel_scope.cancel()
        assert not scope.cancelled_caught
        peer.reset()
        assert (await relay.ended()).source is endpoint


@both_sides
async def test_bytes_that_are_no_tls_end_the_relay(side: str, authority: Authority) -> None:
    async with secure(authority, "client", "upstream") as (stage, pair):
        endpoint, peer, _ = chosen(pair, side)
        relay = stage.relay(pair)
        await peer.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        ended = await relay.ended()
        assert ended.source is endpoint
        assert isinstance(ended.ending, ssl.SSLError)
