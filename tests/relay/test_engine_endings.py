"""The ends of relays over real sockets, and the side that caused them.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

import pytest

from wsgateway.dialects import Limits
from wsgateway.errors import ProtocolError, Reason
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Close

from .sessions import settled
from .stage import HELLO, MASKED_HELLO, both_sides, chosen, clog, say_at_once, staged, unclog

# Ends of relays: the dialects of both sides, the side that ends it, its last bytes, what the other side gets; the
# ending.
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
    "a Close of a client of 04": (
        ("hybi-04", "hybi-04", "client"),
        (
            bytes.fromhex("37fa213d 06457dc9392a52  37fa213d 0340"),
            bytes.fromhex("37fa213d ee065ef7bbf3cc  37fa213d eb03"),
        ),
        Close(),
    ),
    "a Close of an upstream of 05": (("hybi-04", "hybi-05", "upstream"), (b"\x81\x01S", b"\x81\x00"), Close()),
    "a fault of a client of 05, an opcode of the standard": (
        ("hybi-05", "hybi-04", "client"),
        (bytes.fromhex("37fa213d b3ff69585b964e  37fa213d bffa"), bytes.fromhex("37fa213d ee065ef7bbf3cc")),
        1002,
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
async def test_a_relay_ends_with_the_close_or_fault_of_a_side(
    where: tuple[str, str, str],
    said: tuple[bytes, bytes],
    ending: Close | int,
) -> None:
    client, upstream, side = where
    async with staged() as stage:
        pair = stage.session(client, upstream, options=TranslationOptions(Limits(message_bytes=1000)))
        endpoint, peer, other = chosen(pair, side)
        relay = stage.relay(pair)
        await peer.send(said[0])
        ended = await relay.ended()
        assert ended.source is endpoint
        assert (ended.ending.close_code if isinstance(ended.ending, ProtocolError) else ended.ending) == ending
        assert await other.exactly(len(said[1])) == said[1]
        assert len(stage.engine) == 0


@pytest.mark.parametrize(
    ("dialect", "ending"),
    [
        ("hixie-75", None),
        ("hixie-76", None),
        ("hybi-01", 1006),
        ("hybi-04", 1006),
        ("hybi-05", 1006),
        ("hybi-08", 1006),
    ],
)
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


@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76", "hybi-04", "hybi-05", "hybi-08", "rfc6455"])
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
async def test_a_close_right_after_the_handshake_ends_a_relay_that_has_not_begun(side: str) -> None:
    async with staged() as stage:
        pair = stage.session("hixie-76", "hixie-76")
        endpoint, _, other = chosen(pair, side)
        endpoint.early = b"\x00bye\xff\xff\x00"
        ended = await stage.relay(pair).ended()
        assert (ended.source, ended.ending) == (endpoint, Close())
        assert await other.exactly(7) == b"\x00bye\xff\xff\x00"
        assert len(stage.engine) == 0


async def test_unsent_bytes_are_kept_when_a_relay_ends() -> None:
    """The last text and the Close come in one read, which the other side takes only after the relay's end."""
    async with staged() as stage:
        pair = stage.session()
        clog(pair.client.sock)
        relay = stage.relay(pair)
        await pair.at_upstream.send(HELLO + b"\x88\x00")
        ended = await relay.ended()
        assert (ended.source, ended.ending) == (pair.upstream, Close())
        assert pair.client.backlog == HELLO + b"\x88\x00"


async def test_the_end_of_one_relay_does_not_end_another() -> None:
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


async def test_a_cancelled_relay_stops_using_both_sockets() -> None:
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

        # Neither socket is watched any more: they can be relayed again.
        stage.relay(pair)
        assert await pair.at_client.exactly(len(HELLO)) == HELLO


async def test_a_relay_cancelled_while_it_waits_to_send_stops_using_both_sockets() -> None:
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
    """Trio then wakes the task, and the engine must not; whether it or the engine runs first is random."""
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
        for client in list(stage.engine.clients()):
            stage.engine.close(client, ServerClose(Reason.GATEWAY_STOPPING, "stopped"))
        ended = await stopped.ended()
        assert (ended.source, ended.ending) == (None, ServerClose(Reason.GATEWAY_STOPPING, "stopped"))
        await settled()
        assert cancelled.scope.cancelled_caught
        assert len(stage.engine) == 0
