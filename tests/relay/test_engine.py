"""The relay engine over real sockets: bytes that pass, and bugs of ours.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D. The ends of relays are in `test_engine_endings`, peers
that do not read in `test_engine_pressure`.
"""

import os
import socket
from contextlib import suppress

import pytest
import trio

from tests.dialects.feeding import frame
from tests.relay.awaited import relay
from wsgateway import native
from wsgateway.dialects.base import Step
from wsgateway.relay.engine import Engine
from wsgateway.trace.tap import tap

from .sessions import Session, settled
from .stage import HELLO, KIB, MASKED_HELLO, both_sides, chosen, clog, say_at_once, staged, unclog


def test_a_test_has_the_engine_in_the_language_that_its_name_says(request: pytest.FixtureRequest) -> None:
    language = request.node.callspec.params["engine_in"]
    assert type(Engine()._turn) is (native._Turn if language == "Python" else native.Turn)


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


async def test_a_ping_is_answered_to_its_sender() -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "rfc6455")
        stage.relay(pair)
        await pair.at_upstream.send(b"\x89\x05Hello")
        assert await pair.at_upstream.exactly(11) == bytes.fromhex("8a 85 37fa213d 7f9f4d5158")


@both_sides
async def test_bytes_that_came_with_the_handshake_go_first(side: str) -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "hixie-76")
        endpoint, peer, other = chosen(pair, side)
        endpoint.early = b"\x00one\xff\x00tw"
        await peer.send(b"o\xff")
        stage.relay(pair)
        assert await other.exactly(10) == b"\x00one\xff\x00two\xff"
        assert endpoint.received == len(b"\x00one\xff\x00two\xff")


async def test_bytes_that_came_with_both_handshakes_go_first_even_if_they_cannot_be_sent_yet() -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "rfc6455")
        clog(pair.upstream.sock)
        pair.upstream.early = b"\x89\x05Hello"  # its answer goes to the upstream, as the client's text does
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
        assert all(pair.client.messages == pair.upstream.messages == 20 for pair in pairs)


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


# -- a bug of ours ----------------------------------------------------------------------------------------------


class Broken:
    """A translator with a bug."""

    messages = 0
    heartbeats = 0
    plan = None

    def feed(self, data: bytes) -> Step:
        raise RuntimeError(f"a bug at {len(data)} bytes")

    def finish(self) -> Step:
        raise RuntimeError("a bug at the end")

    def unfinished(self) -> int | None:
        return 0

    def inside(self) -> bool:
        return False


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


@both_sides
async def test_a_bug_of_what_sees_the_sent_bytes_ends_its_own_session_and_no_other(side: str) -> None:
    """Small data of all sessions is sent together, and a trace sees what is sent."""

    def broken(data: bytes) -> None:
        raise RuntimeError(f"a bug at {len(data)} bytes")

    async with staged() as stage:
        bad, good = stage.session(), stage.session()
        endpoint, _, sender = chosen(bad, side)
        tap(endpoint.sock, lambda data: None, broken)
        relay = stage.relay(bad)
        stage.relay(good)
        await settled()
        say_at_once(sender, MASKED_HELLO if side == "upstream" else HELLO)
        say_at_once(good.at_upstream, HELLO)
        with pytest.raises(RuntimeError, match="a bug at"):
            await relay.ended()
        assert await good.at_client.exactly(len(HELLO)) == HELLO
        assert len(stage.engine) == 1


async def test_a_bug_in_the_first_bytes_is_raised_to_its_own_session() -> None:
    async with staged() as stage:
        bad = stage.session()
        bad.client.translator = Broken()
        bad.client.early = b"Hello"
        with pytest.raises(RuntimeError, match="a bug at 5 bytes"):
            await relay(stage.engine, bad.client, bad.upstream)
        assert len(stage.engine) == 0


async def test_no_descriptor_of_an_engine_is_inherited_by_another_program() -> None:
    async with staged() as stage:
        stage.relay(stage.session())
        await settled()
        found = set()
        for fd in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):  # the one of this list is closed
                found.add((os.readlink(f"/proc/self/fd/{fd}"), os.get_inheritable(fd)))
        assert {each for each in found if "[event" in each[0]} == {
            ("anon_inode:[eventfd]", False),
            ("anon_inode:[eventpoll]", False),
        }
