"""Frames in any order, also broken ones, raise only the intended errors."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
import trio.testing
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.heads import switching
from tests.net.certificates import Authority
from tests.peers import Peer
from tests.serve.exchanging import HTTP_OK, serving_http
from tests.support import Upstream

from .http2 import CONNECT, GET, listener, method, speaking_http2

CONNECTIONS = 40
REQUESTS = [
    GET, CONNECT, CONNECT[:3], method("POST"), method("POST", "/", ("content-length", "5")), method("HEAD"),
    method("OPTIONS", "*"), [*GET, ("x", "\x01")],
]  # fmt: skip


def noise(chance: random.Random) -> bytes:
    """Draw the frames of a client on one connection."""
    encoder = Encoder()

    def number() -> int:
        return chance.choice([1, 1, 1, 3, 5, 7, 9])

    def flags(*some: str) -> list[str]:
        return [flag for flag in some if chance.random() < 0.5]

    kinds: list[Callable[[], Frame]] = [
        lambda: HeadersFrame(
            number(), encoder.encode(chance.choice(REQUESTS)), flags=["END_HEADERS", *flags("END_STREAM")]
        ),
        lambda: DataFrame(number(), chance.randbytes(chance.choice([0, 1, 5, 100])), flags=flags("END_STREAM")),
        lambda: RstStreamFrame(number(), chance.randint(0, 20)),
        lambda: WindowUpdateFrame(chance.choice([0, number()]), chance.choice([1, 1000, 2**31 - 1])),
        lambda: SettingsFrame(settings={chance.choice([1, 2, 3, 4, 5, 6, 8, 99]): chance.choice([0, 1, 16384, 65535])}),
        lambda: PingFrame(opaque_data=b"12345678"),
        lambda: chance.choice(
            [GoAwayFrame(0, 1, 0), PriorityFrame(1, 3, 1), ContinuationFrame(1, b"\x82"), PushPromiseFrame(1, 2, b"x")]
        ),
        lambda: HeadersFrame(number(), chance.randbytes(20), flags=["END_HEADERS"]),
    ]
    said = bytearray(SettingsFrame().serialize())
    for _ in range(chance.randint(1, 25)):
        frame = bytearray(chance.choices(kinds, [6, 3, 2, 2, 1, 1, 1, 1])[0]().serialize())
        if chance.random() < 0.05:
            frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
        said += frame
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(said)


@pytest.mark.parametrize("seed", range(4))
async def test_noise_costs_its_own_connection_at_most(seed: int, authority: Authority) -> None:
    chance = random.Random(seed)
    offered = listener(authority.issue("localhost"))
    timeouts = "close: 50ms, send: 500ms"
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered, timeouts=timeouts) as gateway:

        async def serve() -> None:
            while True:
                gateway.nursery.start_soon(answer, await upstream.accept(), chance.random() < 0.5)

        gateway.nursery.start_soon(serve)
        for _ in range(CONNECTIONS):
            peer = await gateway.connect_tls(speaking_http2(authority))
            with suppress(trio.BrokenResourceError):
                await peer.send(noise(chance))
                if chance.random() < 0.5:
                    await trio.testing.wait_all_tasks_blocked()
            peer.stream.socket.close()
        # A bug would be in the log, and raise an error at the end.
        await trio.testing.wait_all_tasks_blocked()


async def answer(peer: Peer, soon: bool) -> None:
    """Run an upstream that answers, or only listens."""
    with suppress(AssertionError, trio.BrokenResourceError):  # the client may have disconnected
        head = await peer.head()
        if soon:
            await peer.send(switching(head) if b"Sec-WebSocket-Key" in head else HTTP_OK)
        await peer.rest()
    peer.stream.socket.close()
