"""The 8 bytes after the head of a hixie-76 client, which proxies hold back until they see a 101.

The old browsers and HAProxy, for which this is needed, are in `test_quirks`.
"""

import pytest
from trio.testing import MockClock

from tests.dialects.families import MORE
from tests.heads import head_of
from tests.openings import BY_DIALECT, CHALLENGE, HIXIE76, PROOF
from tests.peers import Peer
from tests.support import Running, Upstream, serving

HIXIE = BY_DIALECT["hixie-76"]
REPLY = HIXIE.reply.removesuffix(PROOF)


async def opened_early(upstream: Upstream, gateway: Running) -> tuple[Peer, Peer]:
    """Return a client that has sent only its head and has got the head of the 101, and the upstream's end."""
    client = await gateway.connect(HIXIE.head)
    behind, _ = await upstream.agree()
    assert await client.exactly(len(REPLY)) == REPLY
    return client, behind


@pytest.mark.parametrize("cut", [1, 4, 7])
async def test_a_challenge_may_come_in_two_pieces(cut: int) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _ = await opened_early(upstream, gateway)
        await client.send(CHALLENGE[:cut], CHALLENGE[cut:])
        assert await client.exactly(16) == PROOF


@pytest.mark.parametrize("cut", [1, 4, 7])
async def test_a_challenge_may_be_cut_by_the_reply(cut: int) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(HIXIE.head + CHALLENGE[:cut])
        await upstream.agree()
        assert await client.exactly(len(REPLY)) == REPLY

        await client.send(CHALLENGE[cut:])
        assert await client.exactly(16) == PROOF


async def test_frames_after_a_late_challenge_are_the_first_of_the_session() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await opened_early(upstream, gateway)
        await client.send(CHALLENGE + HIXIE.hello)
        assert await client.exactly(16) == PROOF
        assert await behind.frame() == (0x81, b"Hello")


async def test_bytes_of_the_upstream_before_the_challenge_are_sent_after_the_proof() -> None:
    # A client reads the 16 bytes after the head as the proof, whatever they are.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(HIXIE.head)
        await upstream.agree(behind=b"\x81\x05Hello")
        assert await client.exactly(len(REPLY)) == REPLY

        await client.send(CHALLENGE)
        assert await client.exactly(23) == PROOF + HIXIE.hello_back


@pytest.mark.parametrize("dialect", MORE)
async def test_the_challenge_of_the_first_drafts_of_hybi_may_be_held_back_too(dialect: str) -> None:
    opening = BY_DIALECT[dialect]
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.head)
        behind, _ = await upstream.agree()
        assert await client.exactly(len(opening.reply) - 16) == opening.reply[:-16]
        await client.send(opening.challenge + opening.hello)
        assert await client.exactly(16) == opening.reply[-16:]
        assert await behind.frame() == (0x81, b"Hello")


# Bytes that a parser of lines would read or strip. The answers are made with `openssl md5`.
CHALLENGES = [
    ("0d0a0d0a0d0a0d0a", "fbfe51467eeb432cd8579391dfbe2996"),
    ("2020202020202020", "04c6fd06f684b6650b3604aae377d1eb"),
    ("0000000000000000", "eaeadb0cd89711788eb3f9b5ed8c719f"),
    ("474554202f0d0a0d", "dec3d005dfaa25b0b0361a3301261fd6"),
    ("ff00ff00ff00ff00", "416ef8c4ec503fa54e29467e3e32e6bc"),
]


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize(("challenge", "proof"), CHALLENGES)
async def test_a_challenge_is_eight_bytes_of_any_kind(challenge: str, proof: str, late: bool) -> None:
    data = bytes.fromhex(challenge)
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(HIXIE.head + (b"" if late else data))
        await upstream.agree()
        assert await client.exactly(len(REPLY)) == REPLY
        if late:
            await client.send(data)
        assert (await client.exactly(16)).hex() == proof


# -- challenges that never come --------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [b"", CHALLENGE[:7]], ids=["none of it", "all but one byte"])
async def test_a_challenge_that_never_comes_ends_the_connection_after_the_early_head(
    part: bytes, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="challenge: 600ms") as gateway:
        client = await gateway.connect(HIXIE.head + part)
        behind, _ = await upstream.agree()

        assert await client.rest() == REPLY
        assert await behind.rest() == b""
        line = await gateway.lines.line("refused")
        assert line["why"] == "no 8 bytes after the head within 0.6 s"
        assert "status" not in line


async def test_a_short_challenge_timeout_also_sends_the_head_early(autojump_clock: MockClock) -> None:
    # Less than the default grace: half of it passes before the head is sent.
    async with Upstream() as upstream, serving(upstream.port, timeouts="challenge: 50ms") as gateway:
        client = await gateway.connect(HIXIE.head)
        behind, _ = await upstream.agree()

        assert await client.rest() == REPLY
        assert await behind.rest() == b""
        assert (await gateway.lines.line("refused"))["why"] == "no 8 bytes after the head within 0.05 s"


async def test_the_time_for_the_handshake_bounds_the_wait_for_the_challenge_too(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 1s") as gateway:
        client = await gateway.connect(HIXIE.head)
        await upstream.agree()
        assert await client.rest() == REPLY
        await gateway.lines.line("refused")


@pytest.mark.parametrize("early", [False, True], ids=["at once", "behind the early head"])
@pytest.mark.parametrize("part", [b"", CHALLENGE[:3]], ids=["none of it", "a part of it"])
async def test_a_client_may_disconnect_before_its_challenge_is_complete(part: bytes, early: bool) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(HIXIE.head + part)
        if not early:
            await client.send_eof()
        behind, _ = await upstream.agree()
        if early:
            assert await client.exactly(len(REPLY)) == REPLY
            await client.send_eof()

        assert await client.rest() == b""
        assert await behind.rest() == b""
        assert (await gateway.lines.line("disconnected"))["why"] == "before its challenge was whole"


async def test_no_bytes_of_a_client_reach_the_upstream_before_its_challenge_is_complete() -> None:
    # The 8 bytes are no frame, also if they look like one.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *HIXIE76) + b"\x00Hello\xff\x00")
        behind, _ = await upstream.agree()
        await client.head()
        await client.exactly(16)
        await client.send(b"\x00second\xff")
        assert await behind.frame() == (0x81, b"second")
