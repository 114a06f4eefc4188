"""The relay engine over real sockets: bytes, back-pressure, endings, and who they are blamed on.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

import hashlib
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import outcome
import pytest
import trio

from tests.dialects.feeding import frame
from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects import Limits
from wsgateway.dialects.base import Step
from wsgateway.errors import ProtocolError
from wsgateway.relay.engine import Ended, Endpoint, Engine
from wsgateway.wire.events import Close

from .sessions import PATIENCE_SECONDS, Peer, Session, session, settled, wait_until_gone

KIB, MIB = 1024, 1024 * 1024
# What one read of 64 KiB may become: `00 80 ff` of hixie is a masked frame of 9 bytes with a U+FFFD in it.
MOST_BACKLOG = 256 * KIB

MASKED_HELLO = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
HELLO = b"\x81\x05Hello"
both_sides = pytest.mark.parametrize("side", ["client", "upstream"])


@dataclass
class Relay:
    """A relay that runs in a task of its own, and what came of it."""

    session: Session
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _over: trio.Event = field(default_factory=trio.Event)
    _result: outcome.Outcome[Ended] | None = None

    async def run(self, engine: Engine) -> None:
        with self.scope:
            try:
                self._result = outcome.Value(await engine.relay(self.session.client, self.session.upstream))
            except RuntimeError as bug:
                self._result = outcome.Error(bug)
        self._over.set()

    async def ended(self) -> Ended:
        """Waits for its end; raises what it raised."""
        await self._over.wait()
        assert self._result is not None
        return self._result.unwrap()

    @property
    def over(self) -> bool:
        return self._over.is_set()


class Stage:
    """An engine that runs, and sessions that are closed at the end."""

    def __init__(self, nursery: trio.Nursery, sessions: ExitStack) -> None:
        self.nursery = nursery
        self.engine = Engine()
        self._sessions = sessions
        nursery.start_soon(self.engine.run)

    def session(self, client: str = "rfc6455", upstream: str = "rfc6455", **options: Any) -> Session:
        return self._sessions.enter_context(session(client, upstream, **options))

    def relay(self, session: Session) -> Relay:
        relay = Relay(session)
        self.nursery.start_soon(relay.run, self.engine)
        return relay

    async def stall(self, peer: Peer, message: bytes) -> int:
        """Has a peer say the same until nobody takes any more, or all of 64. Returns how many bytes were taken."""
        taken = 0

        async def say() -> None:
            nonlocal taken
            for _ in range(64):
                view = memoryview(message)
                while view:
                    count = await peer.stream.socket.send(view)
                    taken += count
                    view = view[count:]

        async with trio.open_nursery() as saying:
            saying.start_soon(say)
            await settled()
            saying.cancel_scope.cancel()
        return taken


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """A stage for one test, which may not hang."""
    with ExitStack() as sessions, trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            yield Stage(nursery, sessions)
            nursery.cancel_scope.cancel()


def chosen(session: Session, side: str) -> tuple[Endpoint, Peer, Peer]:
    """A side of a session, who is behind it, and who is behind the other."""
    if side == "client":
        return session.client, session.at_client, session.at_upstream
    return session.upstream, session.at_upstream, session.at_client


def say_at_once(peer: Peer, data: bytes) -> None:
    """Sends without giving the relay a turn."""
    assert os.write(peer.stream.socket.fileno(), data) == len(data)


# -- bytes pass -------------------------------------------------------------------------------------------------


async def test_bytes_pass_both_ways() -> None:
    async with staged() as stage:
        pair = stage.session()
        stage.relay(pair)
        for _ in range(3):
            await pair.at_client.send(MASKED_HELLO)
            assert await pair.at_upstream.exactly(len(MASKED_HELLO)) == MASKED_HELLO
            await pair.at_upstream.send(HELLO)
            assert await pair.at_client.exactly(len(HELLO)) == HELLO


async def test_bytes_are_translated_both_ways() -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "rfc6455")
        stage.relay(pair)
        await pair.at_client.send(b"\x00Hello\xff")
        assert await pair.at_upstream.exactly(len(MASKED_HELLO)) == MASKED_HELLO
        await pair.at_upstream.send(HELLO)
        assert await pair.at_client.exactly(7) == b"\x00Hello\xff"


async def test_a_ping_is_answered_to_who_asked() -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "rfc6455")
        stage.relay(pair)
        await pair.at_upstream.send(b"\x89\x05Hello")
        assert await pair.at_upstream.exactly(11) == bytes.fromhex("8a 85 37fa213d 7f9f4d5158")


@both_sides
async def test_what_came_behind_the_handshake_goes_first(side: str) -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "hixie-76")
        endpoint, peer, other = chosen(pair, side)
        endpoint.early = b"\x00one\xff\x00tw"
        await peer.send(b"o\xff")
        stage.relay(pair)
        assert await other.exactly(10) == b"\x00one\xff\x00two\xff"
        assert endpoint.received == len(b"\x00one\xff\x00two\xff")


async def test_what_came_behind_both_handshakes_goes_first_even_if_there_is_no_room_yet() -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "rfc6455")
        clog(pair.upstream.sock)
        pair.upstream.early = b"\x89\x05Hello"  # whose answer goes to the upstream, as the client's text does
        pair.client.early = b"\x00Hello\xff"
        relay = stage.relay(pair)
        await settled()
        assert not relay.over
        assert await unclog(pair.at_upstream, 22) == bytes.fromhex("8a 85 37fa213d 7f9f4d5158") + MASKED_HELLO


async def test_many_sessions_echo_at_the_same_time() -> None:
    async with staged() as stage:
        pairs = [stage.session("hixie-76", "rfc6455") for _ in range(200)]
        relays = [stage.relay(pair) for pair in pairs]

        async def echo(pair: Session) -> None:
            for _ in range(20):
                first, message = await pair.at_upstream.frame()
                await pair.at_upstream.send(frame(first, message))

        async def ask(number: int, pair: Session) -> None:
            for turn in range(20):
                message = b"%d of session %d" % (turn, number)
                await pair.at_client.send(b"\x00" + message + b"\xff")
                assert await pair.at_client.until(b"\xff") == b"\x00" + message + b"\xff"

        async with trio.open_nursery() as peers:
            for number, pair in enumerate(pairs):
                peers.start_soon(echo, pair)
                peers.start_soon(ask, number, pair)
        assert len(stage.engine) == 200
        assert not any(relay.over for relay in relays)
        assert all(pair.client.translator.messages == pair.upstream.translator.messages == 20 for pair in pairs)


async def test_a_session_that_floods_does_not_silence_another() -> None:
    async with staged() as stage:
        loud, quiet = stage.session(), stage.session()
        stage.relay(loud)
        stage.relay(quiet)

        async def flood() -> None:
            while True:
                await loud.at_upstream.send(frame(0x82, bytes(64 * KIB)))

        async def drain() -> None:
            while True:
                await loud.at_client.once()

        async with trio.open_nursery() as peers:
            peers.start_soon(flood)
            peers.start_soon(drain)
            for _ in range(50):
                await quiet.at_upstream.send(HELLO)
                assert await quiet.at_client.exactly(len(HELLO)) == HELLO
            peers.cancel_scope.cancel()


# -- back-pressure ----------------------------------------------------------------------------------------------


def clog(sock: socket.socket) -> None:
    """Fills what the kernel takes for the other end, with NULs."""
    try:
        while True:
            sock.send(bytes(64))
    except BlockingIOError:
        return


async def unclog(peer: Peer, count: int) -> bytes:
    """Reads the NULs of `clog`, and so many bytes behind them."""
    data = b""
    while len(data) < count:
        data = (data + await peer.once()).lstrip(b"\0")
    return data


def assorted(seed: int, total: int) -> list[bytes]:
    """Texts of all sizes, some of which go out at once and some at the end of a turn."""
    chance = random.Random(seed)
    texts: list[bytes] = []
    while sum(map(len, texts)) < total:
        size = chance.choice([0, 5, 125, 126, 4000, 4090, 4091, 4092, 4096, 5000, 65535, 65536, 200 * KIB])
        texts.append(chance.choice([b"a", b"b", b"c", b"d"]) * size)
    return texts


@dataclass
class Flood:
    """Says more than anybody takes, and counts it."""

    sent: int = 0

    async def run(self, peer: Peer, messages: list[bytes]) -> None:
        for message in messages:
            await peer.send(message)
            self.sent += len(message)


class Digest:
    """What a peer reads, not kept."""

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
        await settled()  # which a loop that spins never is: nobody waits to send any more
        assert pair.client.backlog == pair.upstream.backlog == b""
        assert not relay.over


def masked_zeros(size: int) -> bytes:
    """A frame of so many zeros from a client: masked, they are the key."""
    plain = frame(0x82, bytes(size))
    head = plain[: len(plain) - size]
    return head[:1] + bytes([head[1] | 0x80]) + head[2:] + MASK_KEY + (MASK_KEY * (size // 4 + 1))[:size]


WORST = {
    "texts that are repaired": ("hixie-76", "rfc6455", "client", b"\x00\x80\xff"),
    "empty texts that are masked": ("hixie-75", "hybi-08", "client", b"\x00\xff"),
    "empty fragments": ("hybi-08", "rfc6455", "upstream", b"\x01\x00\x80\x00"),
}


@pytest.mark.parametrize(("client", "upstream", "side", "unit"), WORST.values(), ids=WORST.keys())
async def test_what_grows_most_on_its_way_is_bounded_too(client: str, upstream: str, side: str, unit: bytes) -> None:
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


async def test_of_the_answers_that_must_wait_the_newest_leaves_between_whole_frames() -> None:
    """The upstream does not read, and asks all the same; it reads on, and finds one answer in its place."""
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
        await settled()  # which a loop that spins never is

        # It closed as anybody may, and all that it said is still to be heard.
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
        await pair.at_upstream.close()  # over what it has not read, which is a reset
        wait_until_gone(pair.upstream)
        await settled()

        stage.nursery.start_soon(pair.at_client.rest)
        ended = await relay.ended()
        assert ended.source is pair.upstream
        assert isinstance(ended.ending, OSError)


async def test_a_slow_client_hears_its_upstreams_last_words_though_its_own_reset_the_connection() -> None:
    """The upstream says goodbye and closes, as it should; what the client says then is answered by a reset, while we
    still hold what the client has no room for."""
    async with staged() as stage:
        pair = stage.session(tcp_to_upstream=True)
        clog(pair.client.sock)
        relay = stage.relay(pair)
        await pair.at_upstream.send(HELLO)
        while not pair.client.backlog:
            await settled()
        await pair.at_upstream.send(b"\x81\x03bye\x88\x02\x03\xe8")
        await pair.at_upstream.close()
        wait_until_gone(pair.upstream)
        await pair.at_client.send(MASKED_HELLO)
        await settled()
        assert not relay.over

        assert await unclog(pair.at_client, 16) == HELLO + b"\x81\x03bye\x88\x02\x03\xe8"
        ended = await relay.ended()
        assert (ended.source, ended.ending) == (pair.upstream, Close(1000))


async def test_both_sides_that_go_while_neither_is_read_do_not_keep_the_loop_busy() -> None:
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
async def test_a_reader_that_stalls_and_goes_ends_the_session(side: str) -> None:
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
async def test_what_a_side_said_before_it_went_still_arrives(tcp: bool, reset: bool) -> None:
    """All of it has happened before the loop looks: a send to the side fails before its last words are read."""
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


async def test_what_a_side_said_before_it_went_arrives_though_it_takes_several_reads() -> None:
    """The client's words are the first to be read, and nobody is there to be told them."""
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


# -- how a relay ends -------------------------------------------------------------------------------------------

# Who ended it and how: the dialects of both sides, the side, what it says last, what the other side hears; the ending.
ENDINGS = {
    "a client's Close": (
        ("rfc6455", "rfc6455", "client"),
        (MASKED_HELLO + bytes.fromhex("88 82 37fa213d 3412"), MASKED_HELLO + bytes.fromhex("88 82 37fa213d 3412")),
        Close(1000),
    ),
    "an upstream's Close": (
        ("hixie-76", "rfc6455", "upstream"),
        (HELLO + bytes.fromhex("88 05 03e9 627965"), b"\x00Hello\xff\xff\x00"),
        Close(1001, "bye"),
    ),
    "a hixie client's Close": (
        ("hixie-76", "rfc6455", "client"),
        (b"\x00Hello\xff\xff\x00", MASKED_HELLO + bytes.fromhex("88 80 37fa213d")),
        Close(),
    ),
    "a client's fault": (("rfc6455", "rfc6455", "client"), (MASKED_HELLO + HELLO, MASKED_HELLO), 1002),
    "an upstream's fault": (("rfc6455", "rfc6455", "upstream"), (HELLO + MASKED_HELLO, HELLO), 1002),
    "binary for a hixie client": (("hixie-75", "rfc6455", "upstream"), (HELLO + b"\x82\x00", b"\x00Hello\xff"), 1003),
    "broken text": (("hixie-75", "rfc6455", "upstream"), (HELLO + b"\x81\x01\xff", b"\x00Hello\xff"), 1007),
    "a text that is too long": (
        ("hixie-76", "rfc6455", "client"),
        (b"\x00Hello\xff\x00" + b"x" * 1001 + b"\xff", MASKED_HELLO),
        1009,
    ),
}


@pytest.mark.parametrize(("where", "said", "ending"), ENDINGS.values(), ids=ENDINGS.keys())
async def test_a_relay_ends_with_what_was_said(
    where: tuple[str, str, str],
    said: tuple[bytes, bytes],
    ending: Close | int,
) -> None:
    client, upstream, side = where
    async with staged() as stage:
        pair = stage.session(client, upstream, limits=Limits(message_bytes=1000))
        endpoint, peer, other = chosen(pair, side)
        relay = stage.relay(pair)
        await peer.send(said[0])
        ended = await relay.ended()
        assert ended.source is endpoint
        assert (ended.ending.close_code if isinstance(ended.ending, ProtocolError) else ended.ending) == ending
        assert await other.exactly(len(said[1])) == said[1]
        assert len(stage.engine) == 0


@pytest.mark.parametrize(("dialect", "ending"), [("hixie-75", None), ("hixie-76", None), ("hybi-08", 1006)])
@both_sides
async def test_a_stream_that_ends_is_the_end_of_the_relay(side: str, dialect: str, ending: int | None) -> None:
    async with staged() as stage:
        pair = stage.session(dialect, dialect)
        endpoint, peer, _ = chosen(pair, side)
        relay = stage.relay(pair)
        await peer.send_eof()
        ended = await relay.ended()
        assert ended.source is endpoint
        if ending is None:
            assert ended.ending == Close()
        else:
            assert isinstance(ended.ending, ProtocolError)
            assert ended.ending.close_code == ending


@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76", "hybi-08", "rfc6455"])
@both_sides
async def test_a_reset_is_the_end_of_the_relay(side: str, dialect: str) -> None:
    async with staged() as stage:
        pair = stage.session(dialect, dialect, tcp=True)
        endpoint, peer, _ = chosen(pair, side)
        relay = stage.relay(pair)
        await settled()
        peer.reset()
        ended = await relay.ended()
        assert ended.source is endpoint
        assert isinstance(ended.ending, ConnectionResetError)


@both_sides
async def test_a_goodbye_behind_the_handshake_ends_a_relay_that_has_not_begun(side: str) -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "hixie-76")
        endpoint, _, other = chosen(pair, side)
        endpoint.early = b"\x00bye\xff\xff\x00"
        ended = await stage.relay(pair).ended()
        assert (ended.source, ended.ending) == (endpoint, Close())
        assert await other.exactly(7) == b"\x00bye\xff\xff\x00"
        assert len(stage.engine) == 0


async def test_what_could_not_be_sent_when_a_relay_ends_is_still_there() -> None:
    """The last text and the Close come in one read for which there is no room: nobody reads until the relay is over."""
    async with staged() as stage:
        pair = stage.session()
        clog(pair.client.sock)
        relay = stage.relay(pair)
        await pair.at_upstream.send(HELLO + b"\x88\x00")
        ended = await relay.ended()
        assert (ended.source, ended.ending) == (pair.upstream, Close())
        assert pair.client.backlog == HELLO + b"\x88\x00"


async def test_an_end_of_one_relay_is_nothing_to_another() -> None:
    async with staged() as stage:
        first, second = stage.session(), stage.session()
        ending, going_on = stage.relay(first), stage.relay(second)
        await settled()
        assert len(stage.engine) == 2
        await first.at_client.send_eof()
        await ending.ended()
        assert len(stage.engine) == 1
        await second.at_upstream.send(HELLO)
        assert await second.at_client.exactly(len(HELLO)) == HELLO
        assert not going_on.over


async def test_stop_ends_every_relay_and_those_to_come() -> None:
    async with staged() as stage:
        relays = [stage.relay(stage.session()) for _ in range(5)]
        await settled()
        assert len(stage.engine) == 5
        stage.engine.stop()
        for relay in relays:
            ended = await relay.ended()
            assert (ended.source, ended.ending) == (None, None)
        assert len(stage.engine) == 0

        late = stage.session()
        ended = await stage.engine.relay(late.client, late.upstream)
        assert (ended.source, ended.ending) == (None, None)
        assert len(stage.engine) == 0
        # Their goodbyes need to know who is opposite.
        assert (late.client.peer, late.upstream.peer) == (late.upstream, late.client)


async def test_a_relay_that_is_cancelled_lets_go_of_both_sockets() -> None:
    async with staged() as stage:
        pair = stage.session()
        cancelled = stage.relay(pair)
        await settled()
        assert len(stage.engine) == 1
        cancelled.scope.cancel()
        await settled()
        assert len(stage.engine) == 0
        await pair.at_upstream.send(HELLO)
        await settled()
        assert pair.upstream.received == 0

        # Neither is watched any more: they can begin again.
        stage.relay(pair)
        assert await pair.at_client.exactly(len(HELLO)) == HELLO


async def test_a_relay_that_is_cancelled_while_it_waits_to_send_lets_go_of_both_sockets() -> None:
    async with staged() as stage:
        pair = stage.session()
        clog(pair.client.sock)
        cancelled = stage.relay(pair)
        await pair.at_upstream.send(HELLO)
        await settled()
        assert pair.client.backlog == HELLO
        cancelled.scope.cancel()
        await settled()
        assert len(stage.engine) == 0
        await unclog(pair.at_client, 0)
        await settled()
        assert pair.client.backlog == HELLO


async def test_a_relay_may_be_cancelled_and_ended_at_the_same_time() -> None:
    """Trio wakes the task then, and nobody else may; whether it or the engine has the next turn is left to chance."""
    async with staged() as stage:
        cancelled = [stage.relay(stage.session()) for _ in range(20)]
        pair = stage.session()
        stage.relay(pair)
        await settled()
        for relay in cancelled:
            say_at_once(relay.session.at_upstream, HELLO + b"\x88\x00")
            relay.scope.cancel()
        await settled()
        assert len(stage.engine) == 1
        await pair.at_upstream.send(HELLO)
        assert await pair.at_client.exactly(len(HELLO)) == HELLO


async def test_a_relay_may_be_cancelled_before_we_stop() -> None:
    async with staged() as stage:
        cancelled, stopped = stage.relay(stage.session()), stage.relay(stage.session())
        await settled()
        cancelled.scope.cancel()
        stage.engine.stop()
        ended = await stopped.ended()
        assert (ended.source, ended.ending) == (None, None)
        await settled()
        assert cancelled.scope.cancelled_caught
        assert len(stage.engine) == 0


# -- a bug of ours ----------------------------------------------------------------------------------------------


class Broken:
    """A translator with a bug."""

    messages = 0

    def feed(self, data: bytes) -> Step:
        raise RuntimeError(f"a bug at {len(data)} bytes")

    def finish(self) -> Step:
        raise RuntimeError("a bug at the end")

    def unfinished(self) -> int | None:
        return 0


@both_sides
@pytest.mark.parametrize("said", [b"Hello", b""], ids=["at bytes", "at the end"])
async def test_a_bug_ends_its_own_session_and_no_other(side: str, said: bytes) -> None:
    async with staged() as stage:
        bad, good = stage.session(), stage.session()
        endpoint, peer, _ = chosen(bad, side)
        endpoint.translator = Broken()
        relay = stage.relay(bad)
        stage.relay(good)
        await settled()
        # Both are ready in the same turn.
        say_at_once(good.at_upstream, HELLO)
        if said:
            say_at_once(peer, said)
        else:
            peer.stream.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(RuntimeError, match="a bug at 5 bytes" if said else "a bug at the end"):
            await relay.ended()
        assert len(stage.engine) == 1
        assert await good.at_client.exactly(len(HELLO)) == HELLO


async def test_a_bug_in_the_first_bytes_is_raised_to_its_own_session() -> None:
    async with staged() as stage:
        bad = stage.session()
        bad.client.translator = Broken()
        bad.client.early = b"Hello"
        with pytest.raises(RuntimeError, match="a bug at 5 bytes"):
            await stage.engine.relay(bad.client, bad.upstream)
        assert len(stage.engine) == 0
