"""The relay engine over real sockets, with peers that do not read or that hang up: back-pressure, and last bytes.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

import errno
import hashlib
import math
import os
import socket

import pytest
import trio
from trio.testing import MockClock

from tests.dialects.feeding import frame
from tests.peers import Peer
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close

from .sessions import Session, settled, wait_until_gone
from .stage import (
    HELLO,
    KIB,
    MASKED_HELLO,
    MIB,
    MOST_BACKLOG,
    Flood,
    Relay,
    Stage,
    assorted,
    both_sides,
    chosen,
    clog,
    masked_zeros,
    say_at_once,
    staged,
    unclog,
)

# -- back-pressure ----------------------------------------------------------------------------------------------


class Digest:
    """Read from a peer and drop the bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    async def read(self, peer: Peer, count: int) -> None:
        while count:
            data = await peer.once()
            assert data, f"{count} bytes are missing"
            assert len(data) <= count, f"{len(data) - count} bytes too many"
            self._hash.update(data)
            count -= len(data)

    def is_of(self, messages: list[bytes]) -> bool:
        return self._hash.digest() == hashlib.sha256(b"".join(messages)).digest()


@pytest.mark.parametrize("tcp", [False, True], ids=["over a socket pair", "over TCP"])
@pytest.mark.parametrize(("client", "upstream"), [("rfc6455", "rfc6455"), ("hixie-76", "hixie-75")])
async def test_readers_that_stall_stall_their_senders_and_lose_nothing(client: str, upstream: str, tcp: bool) -> None:
    hixie = client == "hixie-76"
    async with staged() as stage:
        pair = stage.session(client, upstream, tcp=tcp)
        relay = stage.relay(pair)
        texts = assorted(1, 16 * MIB)
        up = [b"\x00" + text + b"\xff" if hixie else masked_zeros(len(text)) for text in texts]
        down = [b"\x00" + text + b"\xff" if hixie else frame(0x81, text) for text in reversed(texts)]
        floods = Flood(), Flood()
        stage.nursery.start_soon(floods[0].run, pair.at_client, up)
        stage.nursery.start_soon(floods[1].run, pair.at_upstream, down)
        await settled()
        while not (pair.client.backlog and pair.upstream.backlog):
            await settled()  # over TCP some bytes may still be on their way

        for flood, endpoint in zip(floods, (pair.upstream, pair.client), strict=True):
            assert flood.sent < 15 * MIB
            assert 0 < len(endpoint.backlog) < MOST_BACKLOG
        assert not relay.over

        digests = Digest(), Digest()
        async with trio.open_nursery() as readers:
            readers.start_soon(digests[0].read, pair.at_upstream, sum(map(len, up)))
            readers.start_soon(digests[1].read, pair.at_client, sum(map(len, down)))
        assert digests[0].is_of(up)
        assert digests[1].is_of(down)
        await settled()  # a loop that spins would never settle: no task waits to send
        assert pair.client.backlog == pair.upstream.backlog == b""
        assert not relay.over


WORST = {
    "texts that are repaired": ("hixie-76", "rfc6455", "client", b"\x00\x80\xff"),
    "empty texts that are masked": ("hixie-75", "hybi-08", "client", b"\x00\xff"),
    "empty texts under masks of our own": ("hixie-75", "hybi-04", "client", b"\x00\xff"),
    "empty fragments": ("hybi-08", "rfc6455", "upstream", b"\x01\x00\x80\x00"),
}


@pytest.mark.parametrize(("client", "upstream", "side", "unit"), WORST.values(), ids=WORST.keys())
async def test_data_that_grows_most_in_translation_is_bounded_too(
    client: str, upstream: str, side: str, unit: bytes
) -> None:
    async with staged() as stage:
        pair = stage.session(client, upstream)
        endpoint, peer, _ = chosen(pair, side)
        stage.relay(pair)
        await stage.stall(peer, unit * (MIB // 2 // len(unit)))
        assert endpoint.received > 64 * KIB
        assert len(endpoint.backlog) < MOST_BACKLOG
        assert len(endpoint.peer.backlog) < MOST_BACKLOG


async def test_a_reader_that_stalls_does_not_stall_the_other_direction() -> None:
    async with staged() as stage:
        pair = stage.session()
        stage.relay(pair)
        await stage.stall(pair.at_upstream, frame(0x82, bytes(MIB)))
        assert pair.client.backlog
        for _ in range(3):
            await pair.at_client.send(MASKED_HELLO)
            assert await pair.at_upstream.exactly(len(MASKED_HELLO)) == MASKED_HELLO


async def test_of_waiting_answers_only_the_newest_is_sent_between_whole_frames() -> None:
    """The upstream does not read and sends pings; when it reads again, it finds one answer, in the right place."""
    async with staged() as stage:
        pair = stage.session("hixie-76", "rfc6455")
        stage.relay(pair)
        sent = b"".join(b"\x00" + b"%8d" % number + b"x" * 1000 + b"\xff" for number in range(2000))
        stage.nursery.start_soon(pair.at_client.send, sent)
        await settled()
        assert pair.upstream.backlog
        for name in (b"one", b"two", b"three"):
            await pair.at_upstream.send(b"\x89" + bytes([len(name)]) + name)
            await settled()

        answers: list[bytes] = []
        numbers: list[int] = []
        whole = b""
        while len(numbers) < 2000:
            first, payload = await pair.at_upstream.frame()
            if first == 0x8A:
                answers.append(payload)
                continue
            # A long text may have been cut into fragments.
            assert first & 0x0F == (0x00 if whole else 0x01)
            whole += payload
            if first & 0x80:
                numbers.append(int(whole[:8]))
                assert whole[8:] == b"x" * 1000
                whole = b""
        assert answers == [b"three"]
        assert numbers == list(range(2000))

        await pair.at_upstream.send(b"\x89\x04four")
        assert await pair.at_upstream.frame() == (0x8A, b"four")


# -- a side that hangs up ---------------------------------------------------------------------------------------


async def test_a_side_that_closes_while_it_is_not_read_does_not_keep_the_loop_busy() -> None:
    async with staged() as stage:
        pair = stage.session()
        relay = stage.relay(pair)
        said = await stage.stall(pair.at_upstream, frame(0x82, bytes(MIB)))
        assert pair.client.backlog
        await pair.at_upstream.close()
        wait_until_gone(pair.upstream)
        await settled()  # a loop that spins would never settle

        # It closed properly, and all that it sent is still to be read.
        await pair.at_client.exactly(said)
        ended = await relay.ended()
        assert ended.source is pair.upstream
        assert isinstance(ended.ending, ProtocolError)


async def test_a_side_that_is_reset_while_it_is_not_read_does_not_keep_the_loop_busy() -> None:
    async with staged() as stage:
        pair = stage.session()
        relay = stage.relay(pair)
        await pair.at_client.send(MASKED_HELLO)
        await stage.stall(pair.at_upstream, frame(0x82, bytes(MIB)))
        assert pair.client.backlog
        await pair.at_upstream.close()  # with unread bytes, which is a reset
        wait_until_gone(pair.upstream)
        await settled()

        stage.nursery.start_soon(pair.at_client.rest)
        ended = await relay.ended()
        assert ended.source is pair.upstream
        assert isinstance(ended.ending, OSError)


async def clogged(stage: Stage) -> tuple[Session, Relay]:
    """Relay a session over TCP to its upstream, whose client does not take the Hello that waits for it."""
    pair = stage.session(tcp_to_upstream=True)
    clog(pair.client.sock)
    relay = stage.relay(pair)
    await pair.at_upstream.send(HELLO)
    while not pair.client.backlog:
        await settled()
    return pair, relay


async def test_a_slow_client_gets_the_last_bytes_of_its_upstream_despite_a_reset() -> None:
    """The upstream sends a Close and closes, as it should. What the client sends then is answered by a reset, while the
    gateway still holds bytes that the client has not taken."""
    async with staged() as stage:
        pair, relay = await clogged(stage)
        await pair.at_upstream.send(b"\x81\x03bye\x88\x02\x03\xe8")
        await pair.at_upstream.close()
        wait_until_gone(pair.upstream)
        await pair.at_client.send(MASKED_HELLO)
        await settled()
        assert not relay.over

        assert await unclog(pair.at_client, 16) == HELLO + b"\x81\x03bye\x88\x02\x03\xe8"
        ended = await relay.ended()
        assert (ended.source, ended.ending) == (pair.upstream, Close(1000))


async def test_an_upstream_that_has_closed_and_is_reset_with_no_byte_unread_ends_the_session() -> None:
    """The kernel reports the reset, and not the end of the stream: nothing that the client could still take would wake
    the loop."""
    async with staged() as stage:
        pair, relay = await clogged(stage)
        await pair.at_upstream.close()
        wait_until_gone(pair.upstream)
        await pair.at_client.send(MASKED_HELLO)
        ended = await relay.ended()
        assert ended.source is pair.upstream
        assert isinstance(ended.ending, ProtocolError)


async def test_two_sides_that_disconnect_while_neither_is_read_do_not_keep_the_loop_busy() -> None:
    async with staged() as stage:
        pair = stage.session()
        relay = stage.relay(pair)
        await stage.stall(pair.at_client, masked_zeros(MIB))
        await stage.stall(pair.at_upstream, frame(0x82, bytes(MIB)))
        assert pair.client.backlog
        assert pair.upstream.backlog
        pair.at_client.stream.socket.close()
        pair.at_upstream.stream.socket.close()
        wait_until_gone(pair.client)
        wait_until_gone(pair.upstream)
        assert isinstance((await relay.ended()).ending, OSError | ProtocolError)
        await settled()


@both_sides
async def test_a_reader_that_stalls_and_disconnects_ends_the_session(side: str) -> None:
    async with staged() as stage:
        pair = stage.session()
        relay = stage.relay(pair)
        endpoint, peer, other = chosen(pair, side)
        message = frame(0x82, bytes(MIB)) if side == "client" else masked_zeros(MIB)
        await stage.stall(other, message)
        assert endpoint.backlog
        await peer.close()
        ended = await relay.ended()
        assert ended.source is endpoint
        assert isinstance(ended.ending, OSError | ProtocolError)
        assert len(stage.engine) == 0


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("tcp", [False, True], ids=["over a socket pair", "over TCP"])
async def test_bytes_sent_before_a_disconnect_still_arrive(tcp: bool, reset: bool) -> None:
    """All of it has happened before the loop runs: a send to the side fails before its last bytes are read."""
    async with staged() as stage:
        pair = stage.session(tcp=tcp)
        relay = stage.relay(pair)
        await settled()
        say_at_once(pair.at_upstream, HELLO + b"\x81\x03bye")
        say_at_once(pair.at_client, MASKED_HELLO * 3)
        if reset:
            pair.at_upstream.reset()
        else:
            pair.at_upstream.stream.socket.close()
        wait_until_gone(pair.upstream)

        assert await pair.at_client.exactly(12) == HELLO + b"\x81\x03bye"
        ended = await relay.ended()
        assert ended.source is pair.upstream
        assert isinstance(ended.ending, OSError | ProtocolError)


async def test_bytes_sent_before_a_disconnect_arrive_in_several_reads_too() -> None:
    """The client's bytes are read first, and cannot be sent to the other side."""
    async with staged() as stage:
        pair = stage.session()
        relay = stage.relay(pair)
        await settled()
        last_words = frame(0x82, bytes(100 * KIB))
        say_at_once(pair.at_client, MASKED_HELLO)
        say_at_once(pair.at_upstream, last_words)
        pair.at_upstream.stream.socket.close()

        assert await pair.at_client.exactly(len(last_words)) == last_words
        ended = await relay.ended()
        assert ended.source is pair.upstream
        assert isinstance(ended.ending, ProtocolError)


# -- held to a rate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.125, 0.5, 0.6, 3.0])
@both_sides
async def test_a_side_that_is_paused_is_read_again_at_the_first_look_when_its_time_is_over(
    side: str, seconds: float, autojump_clock: MockClock
) -> None:
    async with staged() as stage:
        session = stage.session()
        stage.relay(session)
        endpoint, peer, other = chosen(session, side)
        await settled()
        begun = trio.current_time()
        stage.engine.pause(endpoint, seconds)
        hello = MASKED_HELLO if side == "client" else HELLO
        await peer.send(hello)
        assert await other.exactly(len(hello)) == hello
        # The sides are looked at eight times in a second, from the start on.
        assert trio.current_time() == begun + math.ceil(seconds * 8) / 8


class Poor(socket.socket):
    """A socket for which the kernel has no memory at first, as for a Unix socket in a container at its limit."""

    refused = False

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        if not self.refused:
            self.refused = True
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return super().send(data, flags)


@both_sides
async def test_bytes_for_which_the_kernel_has_no_memory_are_sent_later(side: str) -> None:
    async with staged() as stage:
        pair = stage.session()
        receiver, peer, sender = chosen(pair, side)
        receiver.sock = Poor(fileno=receiver.sock.detach())
        receiver.sock.setblocking(False)
        stage.relay(pair)
        said = MASKED_HELLO if side == "upstream" else HELLO
        await sender.send(said)
        assert await peer.exactly(len(said)) == said
