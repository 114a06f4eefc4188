"""The relay engine between peers of the drafts 04 to 06, whose masks cover whole frames, heads too."""

from itertools import repeat

import pytest

from tests.dialects.feeding import text
from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects import DIALECTS
from wsgateway.wire.events import Fragment, Role

from .passing import CLIENT, SECRETS, UPSTREAM
from .sessions import settled
from .spelling import Word, said, told
from .stage import MIB, MOST_BACKLOG, Flood, assorted, staged

# The masks of 04 depend on a secret of each connection.
PAIRS = [
    ("hybi-04", "hybi-04"),
    ("hybi-05", "hybi-05"),
    ("hybi-04", "hybi-05"),
    ("hybi-06", "hybi-04"),
    ("hybi-04", "rfc6455"),
    ("rfc6455", "hybi-04"),
    ("hixie-76", "hybi-04"),
    ("hybi-04", "hybi-01"),
]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_frames_under_a_mask_pass_both_ways(client: str, upstream: str) -> None:
    async with staged() as stage:
        pair = stage.session(client, upstream)
        stage.relay(pair)
        for number in range(3):
            words: list[Word] = [("text", b"Hello"), ("text", b"x" * (number * 1000))]
            await pair.at_client.send(said(client, CLIENT, *words))
            expected = told(upstream, UPSTREAM, *words)
            assert await pair.at_upstream.exactly(len(expected)) == expected
            await pair.at_upstream.send(said(upstream, UPSTREAM, *words))
            expected = told(client, CLIENT, *words)
            assert await pair.at_client.exactly(len(expected)) == expected
        assert pair.client.messages == pair.upstream.messages == 6


async def test_a_ping_is_answered_with_the_mask_of_its_connection() -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "hybi-04")
        stage.relay(pair)
        await pair.at_upstream.send(b"\x82\x05Hello")
        assert await pair.at_upstream.exactly(11) == bytes.fromhex("37fa213d e9065ef7bbf3cc")


async def test_a_covered_frame_that_came_in_part_with_the_handshake_is_read_on() -> None:
    async with staged() as stage:
        pair = stage.session("hybi-04", "hybi-04")
        received = bytes.fromhex("37fa213d 06457dc9392a52")
        pair.client.early = received[:5]
        stage.relay(pair)
        await pair.at_client.send(received[5:])
        assert await pair.at_upstream.exactly(11) == bytes.fromhex("37fa213d ee065ef7bbf3cc")


@pytest.mark.parametrize(
    ("client", "upstream"), [("hybi-04", "hybi-04"), ("hybi-05", "hybi-04"), ("rfc6455", "hybi-05")]
)
async def test_a_reader_that_stalls_loses_nothing_of_frames_that_we_mask(client: str, upstream: str) -> None:
    """Long messages are sent in fragments, so the comparison is of what the upstream reads from them."""
    async with staged() as stage:
        pair = stage.session(client, upstream)
        stage.relay(pair)
        texts = assorted(2, 4 * MIB)
        # The peers' ends of both connections, each with its own secret.
        encoder = DIALECTS[client].framing.encoder(Role.CLIENT, repeat(MASK_KEY), SECRETS[CLIENT])
        decoder = DIALECTS[upstream].framing.decoder(Role.SERVER, secret=SECRETS[UPSTREAM])
        flood = Flood()
        stage.nursery.start_soon(flood.run, pair.at_client, [encoder.send(text(each)) for each in texts])
        await settled()
        assert flood.sent < 3 * MIB
        assert 0 < len(pair.upstream.backlog) < MOST_BACKLOG

        heard: list[bytes] = [b""]
        while len(heard) <= len(texts):
            for event in decoder.receive(await pair.at_upstream.once()):
                assert isinstance(event, Fragment)
                heard[-1] += event.data
                if event.final:
                    heard.append(b"")
        assert heard == [*texts, b""]
        await settled()
        assert pair.upstream.backlog == b""
