"""A client that breaks the rules gets its upstream's last replies, then its Close, all in bounded time."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from tests.dialects.families import close_payload
from tests.dialects.vectors import MASK_KEY
from tests.relay.awaited import relay
from tests.relay.passing import CLIENT, UPSTREAM
from tests.relay.sessions import session, settled
from tests.relay.spelling import said, told
from tests.serve.closings import (
    BRIEF_SECONDS,
    CLOSE_1000,
    CLOSE_1001,
    CLOSE_SECONDS,
    HELLO,
    HIXIE_HELLO,
    MASKED_CLOSE_1001,
    MASKED_HELLO,
    Parting,
    clog,
    parting,
    rest_behind_it,
)
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.relay.endpoint import Ended
from wsgateway.relay.translate import TranslationOptions

# How long the upstream may reply before it is sent the Close, and how much of that is passed on.
REPLY_SECONDS = 0.25
REPLIES_BYTES = 1024 * 1024
CLOSE_1002, CLOSE_1007 = bytes.fromhex("88 02 03ea"), bytes.fromhex("88 02 03ef")
OLD_TEXT = b"\x84\x05Hello"
COVERED_HELLO = bytes.fromhex("37fa213d b3ff69585b964e")
# A frame of a server, which no client may send.
FAULT = HELLO
SMALL = TranslationOptions(Limits(message_bytes=5))


@pytest.mark.parametrize("upstream", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
async def test_a_fault_costs_no_reply_that_is_under_way(autojump_clock: MockClock, client: str, upstream: str) -> None:
    """A text and one that is too big come in one packet. The upstream replies only when it has got its Close."""
    async with parting(client, upstream, options=SMALL) as end:
        await end.client.send(said(client, CLIENT, ("text", b"Hello"), ("text", b"6 byte")))
        goodbye = told(upstream, UPSTREAM, ("text", b"Hello"), ("close", close_payload(upstream, 1001, by_client=True)))
        assert await end.upstream.exactly(len(goodbye)) == goodbye
        if upstream == "hixie-75":  # its close is the end of the stream
            assert await end.upstream.rest() == b""
        await end.upstream.send(
            said(upstream, UPSTREAM, ("text", b"reply"), ("close", close_payload(upstream, 1001, by_client=False)))
        )
        if upstream == "hixie-75":
            await end.upstream.send_eof()
        heard = told(client, CLIENT, ("text", b"reply"), ("close", close_payload(client, 1009, by_client=False)))
        assert await end.client.rest() == heard
        assert await end.upstream.rest() == b""
        assert await end.both_close() == REPLY_SECONDS


# The dialects, the fault after a valid text, and the Close that the client gets.
CLIENTS_FAULTS = {
    "no mask": ("rfc6455", "rfc6455", FAULT, CLOSE_1002),
    "no mask in hybi-07": ("hybi-07", "rfc6455", FAULT, CLOSE_1002),
    "a reserved bit": ("rfc6455", "rfc6455", b"\xa1\x80" + MASK_KEY, CLOSE_1002),
    "a reserved opcode": ("rfc6455", "rfc6455", b"\x83\x80" + MASK_KEY, CLOSE_1002),
    "a control frame in fragments": ("rfc6455", "hybi-08", b"\x09\x80" + MASK_KEY, CLOSE_1002),
    "a code that may not be sent": ("rfc6455", "rfc6455", bytes.fromhex("88 82 37fa213d 3414"), CLOSE_1002),
    "an opcode of the standard": ("hybi-05", "rfc6455", bytes.fromhex("37fa213d bffa"), b"\x81\x01S"),
    "a message beyond the limit": ("rfc6455", "rfc6455", b"\x82\x86" + MASK_KEY, bytes.fromhex("88 02 03f1")),
    "a limit for hixie": ("hixie-76", "rfc6455", b"\x006 byte\xff", b"\xff\x00"),
    "binary for one that has text": ("rfc6455", "hixie-76", b"\x82\x80" + MASK_KEY, bytes.fromhex("88 02 03eb")),
    "broken text for hixie": ("rfc6455", "hixie-76", bytes.fromhex("81 81 37fa213d c8"), CLOSE_1007),
    "broken text of hixie": ("hixie-76", "rfc6455", b"\x00\xc3(\xff", b"\xff\x00"),
}
# How the text and the fault come.
CUTS = {
    "in one packet": lambda text, fault: [text + fault],
    "in two": lambda text, fault: [text, fault],
    "the fault byte by byte": lambda text, fault: [text, *(bytes([byte]) for byte in fault)],
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize(("client", "upstream", "fault", "heard"), CLIENTS_FAULTS.values(), ids=CLIENTS_FAULTS.keys())
async def test_the_reply_comes_before_the_close_whatever_the_fault(
    autojump_clock: MockClock,
    client: str,
    upstream: str,
    fault: bytes,
    heard: bytes,
    cut: Callable[[bytes, bytes], list[bytes]],
) -> None:
    async with parting(
        client, upstream, options=TranslationOptions(Limits(message_bytes=5), invalid_utf8="close")
    ) as end:
        for piece in cut(said(client, CLIENT, ("text", b"Hello")), fault):
            await end.client.send(piece)
            await settled()
        text = told(upstream, UPSTREAM, ("text", b"Hello"))
        assert await end.upstream.exactly(len(text)) == text
        await end.upstream.send(said(upstream, UPSTREAM, ("text", b"Hello")))
        # The first part of a text of hixie may have been sent before the fault.
        await end.upstream.until(told(upstream, UPSTREAM, ("close", close_payload(upstream, 1001, by_client=True))))
        await end.upstream.send(said(upstream, UPSTREAM, ("close", close_payload(upstream, 1001, by_client=False))))
        assert await end.client.rest() == told(client, CLIENT, ("text", b"Hello")) + heard
        assert await end.both_close() == REPLY_SECONDS


async def test_a_message_that_is_held_back_for_a_client_is_still_finished_when_the_client_breaks_the_rules(
    autojump_clock: MockClock,
) -> None:
    async with parting("rfc6455", "hixie-76") as end:
        await end.upstream.send(b"\x00Hel")
        await settled()
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.exactly(9) == HIXIE_HELLO + b"\xff\x00"
        await end.upstream.send(b"lo\xff\xff\x00")
        assert await end.client.rest() == HELLO + CLOSE_1002


async def test_held_bytes_of_a_client_that_breaks_the_rules_are_never_sent(autojump_clock: MockClock) -> None:
    async with parting("hixie-76", options=SMALL) as end:
        await end.client.send(HIXIE_HELLO + b"\x00Hel")
        await settled()
        assert end.session.client.held == 3
        await end.client.send(b"lo all\xff")
        assert await end.upstream.exactly(19) == MASKED_HELLO + MASKED_CLOSE_1001
        await end.upstream.send(HELLO + CLOSE_1001)
        assert await end.client.rest() == HIXIE_HELLO + b"\xff\x00"


# -- how the upstream is told -----------------------------------------------------------------------------------


async def test_an_upstream_has_time_to_reply_before_it_is_sent_the_close(autojump_clock: MockClock) -> None:
    """Many libraries send nothing more after they have read a Close."""
    async with parting() as end:
        begun = trio.current_time()
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.exactly(11) == MASKED_HELLO
        await end.upstream.send(HELLO)
        assert await end.client.exactly(7) == HELLO
        assert trio.current_time() == begun
        assert await end.upstream.exactly(8) == MASKED_CLOSE_1001
        assert trio.current_time() == begun + REPLY_SECONDS


async def test_replies_of_an_upstream_that_waits_for_the_end_of_the_stream_arrive(autojump_clock: MockClock) -> None:
    async with parting() as end:
        begun = trio.current_time()
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.rest() == MASKED_HELLO + MASKED_CLOSE_1001
        assert trio.current_time() == begun + REPLY_SECONDS + BRIEF_SECONDS
        await end.upstream.send(HELLO)
        await end.upstream.close()
        assert await end.client.rest() == HELLO + CLOSE_1002
        await end.client.close()
        assert await end.over() == REPLY_SECONDS + BRIEF_SECONDS


async def test_the_end_of_the_stream_waits_as_long_as_the_upstream_talks(autojump_clock: MockClock) -> None:
    """Some proxies cut a connection of which one side has ended."""
    async with parting() as end:
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.exactly(19) == MASKED_HELLO + MASKED_CLOSE_1001
        begun = trio.current_time()
        for _ in range(3):
            await trio.sleep(BRIEF_SECONDS - 0.1)
            await end.upstream.send(HELLO)
        assert await end.upstream.rest() == b""
        assert trio.current_time() - begun == pytest.approx(3 * (BRIEF_SECONDS - 0.1) + BRIEF_SECONDS)


async def test_the_codes_with_which_an_upstream_answers_are_not_the_clients(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.exactly(11) == MASKED_HELLO
        # It sends a Close of its own at the same time.
        await end.upstream.send(HELLO + CLOSE_1000)
        assert await end.client.rest() == HELLO + CLOSE_1002
        assert await end.upstream.rest() == MASKED_CLOSE_1001
        assert await end.both_close() == 0


async def test_no_close_enters_a_frame_that_the_upstream_has_in_part(autojump_clock: MockClock) -> None:
    """A text for hixie that is too long to be held has broken UTF-8 in its second fragment."""
    size = 100_000
    async with parting("rfc6455", "hixie-76") as end:
        # The masks are zeros.
        large = bytes.fromhex("01 ff") + size.to_bytes(8, "big") + bytes(4) + b"a" * size
        await end.client.send(MASKED_HELLO + large + bytes.fromhex("80 81 00000000 ff"))
        assert await end.upstream.rest() == HIXIE_HELLO + b"\x00" + b"a" * size
        await end.upstream.send(HIXIE_HELLO)
        await end.upstream.close()
        assert await end.client.rest() == HELLO + CLOSE_1007
        await end.client.close()
        assert await end.over() == REPLY_SECONDS


async def test_a_client_that_breaks_the_rules_gets_the_rest_of_a_frame_that_it_has_in_part(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:4])
        assert await end.client.exactly(4) == HELLO[:4]
        await end.client.send(FAULT)
        assert await end.upstream.exactly(8) == MASKED_CLOSE_1001
        await end.upstream.send(HELLO[4:] + CLOSE_1001)
        assert await end.client.rest() == HELLO[4:] + CLOSE_1002


async def test_a_frame_whose_rest_never_comes_has_no_close_in_it(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:4])
        assert await end.client.exactly(4) == HELLO[:4]
        await end.client.send(FAULT)
        assert await end.client.rest() == b""
        assert await end.upstream.rest() == MASKED_CLOSE_1001
        assert await end.both_close() == CLOSE_SECONDS


# -- who does nothing, too much, or is gone ---------------------------------------------------------------------


async def test_a_client_gets_its_close_in_time_even_if_its_upstream_does_nothing(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        begun = trio.current_time()
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.client.rest() == CLOSE_1002
        assert trio.current_time() == begun + CLOSE_SECONDS
        assert await end.upstream.rest() == MASKED_HELLO + MASKED_CLOSE_1001
        assert await end.both_close() == CLOSE_SECONDS


@pytest.mark.parametrize("close_seconds", [0.1, 0.4])
async def test_a_short_time_is_enough_for_all_of_it(autojump_clock: MockClock, close_seconds: float) -> None:
    """The waits before the upstream is sent its Close leave it half of the time, however short that is."""
    with session() as pair:
        end = Parting(pair)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.engine.run)
            nursery.start_soon(end.alarms.run)

            async def part() -> None:
                ended: Ended = await relay(end.engine, pair.client, pair.upstream)
                await end.close(ended, close_seconds)

            nursery.start_soon(part)
            await end.client.send(MASKED_HELLO + FAULT)
            begun = trio.current_time()
            assert await end.upstream.rest() == MASKED_HELLO + MASKED_CLOSE_1001
            assert trio.current_time() - begun == pytest.approx(close_seconds / 2)
            await end.upstream.send(HELLO)
            assert await end.client.rest() == HELLO + CLOSE_1002
            assert trio.current_time() - begun == pytest.approx(close_seconds)
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("frame", [HELLO, b"\x82\x7e\xff\xff" + bytes(65535)], ids=["small", "large"])
async def test_an_upstream_that_sends_without_end_is_read_for_a_bounded_time(
    autojump_clock: MockClock, frame: bytes
) -> None:
    async with parting(options=TranslationOptions(Limits(message_bytes=65535))) as end:

        async def send_for_ever() -> None:
            while True:
                await end.upstream.send(frame * -(-65536 // len(frame)))

        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.exactly(11) == MASKED_HELLO
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_for_ever)
            heard = await end.client.rest()
            nursery.cancel_scope.cancel()
        assert REPLIES_BYTES - 2 * 65536 <= len(heard) <= REPLIES_BYTES + len(CLOSE_1002)
        # It ends between frames.
        assert heard == frame * (len(heard) // len(frame)) + CLOSE_1002
        assert await end.both_close() == 0


async def test_a_frame_without_an_end_is_cut_where_the_bound_is(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(FAULT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.upstream.send, b"\x82\x7f" + (10_000_000).to_bytes(8, "big") + bytes(5_000_000))
            assert len(await end.client.rest()) == REPLIES_BYTES
            nursery.cancel_scope.cancel()
        assert await end.both_close() == 0


async def test_an_upstream_that_reads_only_while_it_is_read_gets_the_close_after_a_fault(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        clog(end, end.upstream)
        await end.client.send(MASKED_HELLO + FAULT)
        await end.relay_ended.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.client.exactly, 7 * 60_000)
            await end.upstream.send(HELLO * 60_000)
        assert await rest_behind_it(end.upstream) == MASKED_HELLO + MASKED_CLOSE_1001
        await end.upstream.send(HELLO)
        await end.upstream.close()
        assert await end.client.rest() == HELLO + CLOSE_1002


async def test_a_client_that_goes_on_sending_after_its_fault_still_gets_its_close() -> None:
    # Over TCP: closing with unread bytes would reset the connection, and the Close could be lost.
    async with parting(tcp=True, options=TranslationOptions(Limits(message_bytes=5))) as end:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.client.send, bytes.fromhex("81 fe ffff 37fa213d") + bytes(8 * 1024 * 1024))
            assert await end.upstream.exactly(8) == MASKED_CLOSE_1001
            await end.upstream.send(CLOSE_1001)
            assert await end.client.rest() == bytes.fromhex("88 02 03f1")
        await end.both_close()


async def test_replies_are_not_awaited_if_a_client_disconnects_after_its_fault() -> None:
    async with parting(tcp=True) as end:
        await end.client.send(MASKED_HELLO + FAULT)
        assert await end.upstream.exactly(11) == MASKED_HELLO
        end.client.reset()
        await end.upstream.send(HELLO)
        assert await end.upstream.rest() == MASKED_CLOSE_1001
        await end.upstream.close()
        assert await end.over() < CLOSE_SECONDS
