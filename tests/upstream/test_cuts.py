"""Connections to servers of old dialects that end without a Close, for a sample of pairs of dialects.

The clients of every dialect before a modern server are in `tests/serve`.
"""

from dataclasses import dataclass

import pytest
from trio.testing import MockClock

from tests.dialects.families import HIXIE
from tests.openings import BY_DIALECT, Opening
from tests.peers import Peer
from tests.support import Running, Upstream, end_of, serving
from tests.upstream.servers import HELLO, Behind, accepted
from wsgateway.wire.events import Close

PAIRS = [
    ("rfc6455", "hixie-75"),
    ("rfc6455", "hixie-76"),
    ("rfc6455", "hybi-04"),
    ("rfc6455", "hybi-08"),
    ("hixie-75", "hixie-75"),
    ("hixie-75", "hybi-05"),
    ("hixie-76", "hixie-76"),
    ("hixie-76", "hixie-75"),
    ("hybi-03", "hybi-06"),
    ("hybi-04", "hybi-04"),
    ("hybi-06", "hybi-06"),
    ("hybi-08", "hixie-76"),
]
every_pair = pytest.mark.parametrize(("client", "server"), PAIRS, ids=[f"{each} to {other}" for each, other in PAIRS])
every_way = pytest.mark.parametrize("how", ["end", "reset"])
CLOSE_1014 = bytes.fromhex("88 02 03f6")
WITHOUT_A_CLOSE = "the connection ended without a Close"


@dataclass
class Pair:
    """A session between a client and a server of different dialects."""

    opening: Opening
    client: Peer
    behind: Behind
    secret: bytes

    async def works(self) -> None:
        """Exchange one message each way."""
        await self.client.send(self.opening.written(self.opening.hello_back, self.secret))
        assert await self.behind.event() == HELLO
        await self.behind.say(HELLO)
        assert await self.client.exactly(len(self.opening.hello_back)) == self.opening.hello_back

    async def ended(self, gateway: Running) -> str:
        """Return how it ended, by the log, once both have closed."""
        await self.client.close()
        await self.behind.peer.close()
        how: str = end_of(await gateway.lines.line("session"))
        return how


async def opened(gateway: Running, upstream: Upstream, client: str) -> Pair:
    opening = BY_DIALECT[client]
    peer = await gateway.connect(opening.request)
    behind = await accepted(upstream)
    pair = Pair(opening, peer, behind, await opening.accepted(peer))
    await pair.works()
    return pair


def empty_close(opening: Opening) -> bytes:
    """Return a Close without a code, as the gateway sends it to a client."""
    if opening.dialect in (*HIXIE, "hybi-05"):
        return opening.goodbye
    return opening.spelled(b"\x88\x00")


@every_pair
async def test_a_client_that_is_cut_off_takes_its_server_along(client: str, server: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=server) as gateway:
        pair = await opened(gateway, upstream, client)
        pair.client.reset()
        # In hixie-75 the end of the stream is the only close, in 76 it is one of two; in others it is none.
        assert await pair.behind.end() == ("end" if server in HIXIE else WITHOUT_A_CLOSE)
        await pair.behind.peer.close()
        assert end_of(await gateway.lines.line("session")).startswith("client: ")


@every_pair
async def test_a_client_that_only_stops_to_send_has_ended_its_session(
    client: str, server: str, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=server, timeouts="close: 1s") as gateway:
        pair = await opened(gateway, upstream, client)
        await pair.client.send_eof()
        if client not in HIXIE:
            assert await pair.behind.end() == ("end" if server in HIXIE else WITHOUT_A_CLOSE)
            assert await pair.client.rest() == b""
            assert await pair.ended(gateway) == f"client: {WITHOUT_A_CLOSE} (1006)"
            return
        if server == "hixie-75":
            assert await pair.behind.end() == "end"
            await pair.behind.peer.send_eof()
        else:
            assert await pair.behind.event() == Close()
            await pair.behind.say(Close())
        assert await pair.client.rest() == pair.opening.goodbye
        assert await pair.ended(gateway) == "client: close no code"


@every_way
@every_pair
async def test_a_server_that_dies_between_messages_ends_the_session(
    client: str, server: str, how: str, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=server, timeouts="close: 1s") as gateway:
        pair = await opened(gateway, upstream, client)
        if how == "end":
            await pair.behind.peer.send_eof()
        else:
            pair.behind.peer.reset()

        goodbye = how == "end" and server in HIXIE
        lost = CLOSE_1014 if client == "rfc6455" else b""
        expected = empty_close(pair.opening) if goodbye else lost
        assert await pair.client.exactly(len(expected)) == expected
        if goodbye:
            await pair.client.send(pair.opening.written(expected, pair.secret))
        assert await pair.client.rest() == b""
        ended = await pair.ended(gateway)
        assert ended == "upstream: close no code" if goodbye else ended.startswith("upstream: ")


# An unfinished text, as a server of these dialects sends it.
PARTS = {
    "hixie-75": b"\x00Hel",
    "hixie-76": b"\x00Hel",
    "hybi-04": b"\x84\x05Hel",
    "hybi-05": b"\x84\x05Hel",
    "hybi-06": b"\x84\x05Hel",
    "hybi-08": b"\x81\x05Hel",
}


@every_way
@every_pair
async def test_a_server_that_dies_inside_a_message_never_finishes_it(client: str, server: str, how: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=server) as gateway:
        pair = await opened(gateway, upstream, client)
        await pair.behind.peer.send(PARTS[server])
        # If the text needs no repair, and has a length on both sides, the head of its frame is sent at once; otherwise
        # a message is sent when it is complete.
        streams = (client, server) in (("rfc6455", "hybi-08"), ("hybi-06", "hybi-06"))
        begun = PARTS[server] if client == server else pair.opening.spelled(b"\x81\x05Hel")
        part = begun if streams else b""
        assert await pair.client.exactly(len(part)) == part
        if how == "end":
            await pair.behind.peer.send_eof()
        else:
            pair.behind.peer.reset()

        # No Close is possible inside a frame.
        assert await pair.client.rest() == (CLOSE_1014 if client == "rfc6455" and not streams else b"")
        assert (await pair.ended(gateway)).startswith("upstream: ")
