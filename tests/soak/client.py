"""One session, which knows what it has to get."""

import os
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import trio

from wsgateway.dialects import Dialect, Limits, Offer
from wsgateway.errors import ProtocolError, UpstreamError
from wsgateway.net.channel import Channel
from wsgateway.upstream.handshake import Agreement, Refusal, shake_hands
from wsgateway.wire.closecodes import ABNORMAL, NORMAL
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.masking import mask_keys

from .judge import Call, Judge
from .messages import fragments, message

# For anything that has to happen, on a busy machine.
PATIENCE_SECONDS = 60.0
MOST_AT_ONCE = 20
_READ_BYTES = 65536
SLOW_BYTES_PER_SECOND = 5000
SLOW_READ_BYTES = 1000
# It takes 80 s to be read, which is longer than the gateway waits for the answer to a ping.
SLOW_MESSAGE_BYTES = 400_000
SLOW_PATIENCE_SECONDS = 240.0
SLOW_BUFFER_BYTES = 4096


@asynccontextmanager
async def connected(judge: Judge, what: str, listener: str, port: int) -> AsyncIterator[tuple[Call, Channel | None]]:
    """Yield a connection, or none if it could not be made, which is judged."""
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))  # so that it is known before anybody can accept it
        call = Call(what, sock.getsockname()[1], listener, trio.current_time())
        judge.live.add(call)
        try:
            yield call, await _channel(judge, call, sock, port)
        finally:
            judge.live.remove(call)


async def _channel(judge: Judge, call: Call, sock: socket.socket, port: int) -> Channel | None:
    try:
        await trio.socket.from_stdlib_socket(sock).connect(("127.0.0.1", port))
    except OSError as error:
        judge.not_connected(call, error)
        return None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ClientHandshake(sock, call)


async def agreed(judge: Judge, call: Call, channel: Channel, dialect: Dialect, path: str) -> Agreement | None:
    """Return the handshake of a client; None if it came to nothing, which is judged."""
    client_handshake = dialect.handshake.client(Offer(path, "soak.example", "http://soak.example"), os.urandom)
    agreement: Agreement | Refusal | None = None
    with trio.move_on_after(PATIENCE_SECONDS):
        try:
            agreement = await shake_hands(channel, client_handshake)
        except UpstreamError as error:  # for whom the gateway is the upstream
            judge.unanswered(call, error)
            return None
    match agreement:
        case Agreement():
            judge.counts["sessions"] += 1
            return agreement
        case Refusal():
            judge.refused(call, agreement.response.status)
        case None:
            judge.fault(f"{call}: no answer within {PATIENCE_SECONDS:g} s")
    return None


class ClientHandshake(Channel):
    """A channel that notes when the request is out: on a machine that is busy with so many clients it may be late."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        super().__init__(sock)
        self._call = call

    async def send(self, data: bytes) -> None:
        await super().send(data)
        if not self._call.asked:
            self._call.asked = trio.current_time()


class Slow(Channel):
    """A channel that is read at a steady, slow pace."""

    async def receive(self, limit: int) -> bytes:
        data = await super().receive(min(limit, SLOW_READ_BYTES))
        await trio.sleep(len(data) / SLOW_BYTES_PER_SECOND)
        return data


class WrongMessageError(Exception):
    """A message is not the one that has to come now."""


class Session:
    """One that is open."""

    def __init__(self, judge: Judge, call: Call, channel: Channel, dialect: Dialect, agreement: Agreement) -> None:
        self._judge = judge
        self._call = call
        self._channel = channel
        self._dialect = dialect
        self._early = agreement.early
        self._encoder = dialect.framing.encoder(Role.CLIENT, mask_keys(os.urandom), agreement.secret)
        self._decoder = dialect.framing.decoder(Role.CLIENT, Limits(), agreement.secret)
        self._turn = trio.Lock()
        self._talking = trio.CancelScope()
        self._expected: deque[tuple[Kind, bytes]] = deque()
        self._news = trio.lowlevel.ParkingLot()
        self._received: list[Fragment] = []
        self._parting = False
        self._number = 0

    async def run(self, random: Random, seconds: float, pause_seconds: float, enough: trio.Event) -> None:
        """Talk for so long, or until that is enough, and say goodbye; or end earlier, which is judged."""
        until = trio.current_time() + seconds
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            with self._talking:
                try:
                    while await self._all_is_back() and trio.current_time() < until and not enough.is_set():
                        await self._burst(random)
                        with trio.move_on_after(random.expovariate(1 / pause_seconds)):
                            await enough.wait()
                    await self._part()
                except OSError:
                    await trio.sleep_forever()  # whoever listens knows more
            nursery.cancel_scope.cancel()

    async def _burst(self, random: Random) -> None:
        for _ in range(random.randrange(1, MOST_AT_ONCE)):
            self._number += 1
            whole = message(random, self._number, self._dialect.framing.carries_binary)
            self._expected.append(whole)
            for fragment in fragments(random, *whole):
                await self._say(fragment)

    async def read_slowly(self, enough: trio.Event) -> None:
        """Send one large message after the other and read it slowly, until that is enough, and leave."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            with self._talking:
                try:
                    nursery.start_soon(self._leave, enough)
                    while await self._all_is_back(SLOW_PATIENCE_SECONDS):
                        self._number += 1
                        text = str(self._number).encode().ljust(SLOW_MESSAGE_BYTES, b".")
                        self._expected.append((Kind.TEXT, text))
                        await self._say(Fragment(Kind.TEXT, text, True))
                except OSError:
                    await trio.sleep_forever()  # the task that reads knows more
            nursery.cancel_scope.cancel()

    async def _leave(self, enough: trio.Event) -> None:
        await enough.wait()
        self._talking.cancel()

    async def _say(self, event: Event) -> None:
        async with self._turn:
            await self._channel.send(self._encoder.send(event))

    async def _all_is_back(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait for it, and for the name of the upstream, the first of all."""
        with trio.move_on_after(seconds):
            while self._expected or self._call.upstream is None:
                await self._news.park()
            return True
        self._judge.fault(f"{self._call}: {len(self._expected)} messages are not back within {seconds:g} s")
        return False

    async def _part(self) -> None:
        framing = self._dialect.framing
        self._parting = True
        if framing.has_close:
            await self._say(Close(NORMAL if NORMAL in framing.close_codes else None))
        else:
            self._channel.end()
        with trio.move_on_after(PATIENCE_SECONDS):
            await trio.sleep_forever()
        self._judge.fault(f"{self._call}: no answer to its goodbye within {PATIENCE_SECONDS:g} s")

    # -- what comes ------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            close = await self._until_the_end()
        except ProtocolError as error:
            if error.close_code == ABNORMAL:
                inside = bool(self._received) or self._dialect.framing.delimits_text
                self._judge.cut(self._call, inside, error)
            else:
                self._judge.fault(f"{self._call}: {error}")
        except WrongMessageError as error:
            self._judge.fault(f"{self._call}: {error}")
        except OSError as error:
            self._judge.cut(self._call, bool(self._received), error)
        else:
            self._judge.closed(self._call, self._dialect, close, self._parting)
        self._talking.cancel()

    async def _until_the_end(self) -> Close:
        data, self._early = self._early, b""
        while True:
            for event in self._decoder.receive(data):
                match event:
                    case Fragment():
                        self._take(event)
                    case Ping():
                        await self._say(Pong(event.data))
                    case Close() if not self._parting and self._turn.locked():
                        return event  # inside a frame of ours there is no place for an answer
                    case Close():
                        if not self._parting:
                            await self._say(Close(event.code))
                        return event
            data = await self._channel.receive(_READ_BYTES)
            if not data:
                close = self._decoder.finish()
                if self._dialect.framing.has_close:  # hixie-76, whose clients may leave so, and servers may not
                    raise ConnectionError("its connection ended")
                return close

    def _take(self, fragment: Fragment) -> None:
        """Take a piece of a message. A whole one has to be the one that is expected."""
        self._received.append(fragment)
        if not fragment.final:
            return
        got = fragment.kind, b"".join(each.data for each in self._received)
        self._received = []
        self._news.unpark_all()
        if self._call.upstream is None:
            self._call.upstream = got[1].decode()
            return
        self._judge.counts["messages"] += 1
        expected = self._expected.popleft() if self._expected else None
        if got != expected:
            told = "none" if expected is None else _spelled(*expected)
            raise WrongMessageError(f"got {_spelled(*got)} where {told} was expected")


def _spelled(kind: Kind, data: bytes) -> str:
    return f"{kind.value} of {len(data)} bytes, {data[:20]!r}"
