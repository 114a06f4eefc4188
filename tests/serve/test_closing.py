"""The end of a session: the last bytes that both peers get, and how long the closing handshake waits for silent peers.

Sessions that the gateway ends are in `test_closing_stop`, the faults of clients in `test_closing_faults`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat

import pytest
import trio
from trio.testing import MockClock

from tests.dialects.vectors import MASK_KEY
from tests.relay.sessions import session, settled
from tests.serve.closings import (
    BRIEF_SECONDS,
    CLOSE_1000,
    CLOSE_1001,
    CLOSE_1014,
    CLOSE_SECONDS,
    EMPTY_CLOSE,
    HELLO,
    HIXIE_HELLO,
    MASKED_CLOSE_1000,
    MASKED_CLOSE_1001,
    MASKED_EMPTY_CLOSE,
    MASKED_HELLO,
    parting,
)
from wsgateway.dialects import Close, Limits
from wsgateway.relay.endpoint import Ended
from wsgateway.relay.translate import TranslationOptions
from wsgateway.serve.closing import Action, ClosingHandshake, Deliver, HalfClose, Pause, Take, Together

# -- one says goodbye, and the other answers --------------------------------------------------------------------

# From pywebsocket's drafts 04 and 06, and from libwebsockets' 05, where a client sends C and a server S.
COVERED_CLOSE_04, COVERED_CLOSE_05 = bytes.fromhex("37fa213d 0340"), bytes.fromhex("37fa213d b6fb62")
COVERED_HELLO = bytes.fromhex("37fa213d b3ff69585b964e")
COVERED_CLOSE_1000, OLD_CLOSE_1000 = bytes.fromhex("37fa213d b6f822d5"), bytes.fromhex("81 02 03e8")

# The dialects; the client's Close and what the upstream gets; the upstream's answer and what the client gets.
CLIENTS_CLOSE = {
    "rfc6455": (("rfc6455", "rfc6455"), (MASKED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1000, CLOSE_1000)),
    "hybi-08": (("hybi-08", "rfc6455"), (MASKED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1000, CLOSE_1000)),
    "hybi-07": (("hybi-07", "hybi-08"), (MASKED_EMPTY_CLOSE, MASKED_EMPTY_CLOSE), (EMPTY_CLOSE, EMPTY_CLOSE)),
    "hixie-76": (("hixie-76", "rfc6455"), (b"\xff\x00", MASKED_EMPTY_CLOSE), (CLOSE_1000, b"\xff\x00")),
    "hixie-76 to hixie-76": (("hixie-76", "hixie-76"), (b"\xff\x00", b"\xff\x00"), (b"\xff\x00", b"\xff\x00")),
    "rfc6455 to hixie-76": (("rfc6455", "hixie-76"), (MASKED_CLOSE_1000, b"\xff\x00"), (b"\xff\x00", EMPTY_CLOSE)),
    "hybi-01": (("hybi-01", "rfc6455"), (b"\x01\x00", MASKED_EMPTY_CLOSE), (CLOSE_1000, b"\x01\x00")),
    "hybi-04": (("hybi-04", "rfc6455"), (COVERED_CLOSE_04, MASKED_EMPTY_CLOSE), (CLOSE_1000, b"\x81\x00")),
    "hybi-05": (("hybi-05", "rfc6455"), (COVERED_CLOSE_05, MASKED_EMPTY_CLOSE), (CLOSE_1000, b"\x81\x01S")),
    "hybi-06": (("hybi-06", "rfc6455"), (COVERED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1000, OLD_CLOSE_1000)),
    "hybi-05 to hybi-05": (("hybi-05", "hybi-05"), (COVERED_CLOSE_05,) * 2, (b"\x81\x01S", b"\x81\x01S")),
    "hybi-06 to hybi-06": (("hybi-06", "hybi-06"), (COVERED_CLOSE_1000,) * 2, (OLD_CLOSE_1000, OLD_CLOSE_1000)),
    "rfc6455 to hybi-03": (("rfc6455", "hybi-03"), (MASKED_CLOSE_1000, b"\x01\x00"), (b"\x01\x00", EMPTY_CLOSE)),
    # This side has another secret; its mask is made with `openssl sha1`.
    "rfc6455 to hybi-04": (
        ("rfc6455", "hybi-04"),
        (MASKED_CLOSE_1000, bytes.fromhex("37fa213d eb03")),
        (b"\x81\x00", EMPTY_CLOSE),
    ),
    "rfc6455 to hybi-05": (("rfc6455", "hybi-05"), (MASKED_CLOSE_1000, COVERED_CLOSE_05), (b"\x81\x01S", EMPTY_CLOSE)),
    "rfc6455 to hybi-06": (
        ("rfc6455", "hybi-06"),
        (MASKED_CLOSE_1000, COVERED_CLOSE_1000),
        (OLD_CLOSE_1000, CLOSE_1000),
    ),
    "the upstream's own code": (("rfc6455", "rfc6455"), (MASKED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1001,) * 2),
    # 1012 was registered after RFC 6455.
    "a code that is left out": (
        ("rfc6455", "hybi-08"),
        (bytes.fromhex("88 82 37fa213d 340e"), MASKED_EMPTY_CLOSE),
        (EMPTY_CLOSE, EMPTY_CLOSE),
    ),
    # Draft 12 is version 8 and uses 1009; draft 10 uses 1004.
    "1009 of a client of version 8": (
        ("hybi-08", "rfc6455"),
        (bytes.fromhex("88 82 37fa213d 340b"), bytes.fromhex("88 82 37fa213d 340b")),
        (bytes.fromhex("88 02 03f1"), bytes.fromhex("88 02 03f1")),
    ),
    "1004 of a client of version 8": (
        ("hybi-08", "rfc6455"),
        (bytes.fromhex("88 82 37fa213d 3416"), bytes.fromhex("88 82 37fa213d 340b")),
        (bytes.fromhex("88 02 03f1"), bytes.fromhex("88 02 03f1")),
    ),
}


@pytest.mark.parametrize(("dialects", "close", "answer"), CLIENTS_CLOSE.values(), ids=CLIENTS_CLOSE.keys())
async def test_the_answer_to_a_clients_close_is_the_upstreams(
    autojump_clock: MockClock, dialects: tuple[str, str], close: tuple[bytes, bytes], answer: tuple[bytes, bytes]
) -> None:
    async with parting(*dialects) as end:
        await end.client.send(close[0])
        assert await end.upstream.exactly(len(close[1])) == close[1]
        await end.upstream.send(answer[0])
        assert await end.client.rest() == answer[1]
        assert await end.upstream.rest() == b""
        assert await end.both_close() == 0


@pytest.mark.parametrize(
    ("client", "close", "answer"),
    [
        ("rfc6455", CLOSE_1001, (MASKED_CLOSE_1001, MASKED_CLOSE_1001)),
        ("hybi-08", CLOSE_1001, (MASKED_CLOSE_1001, MASKED_CLOSE_1001)),
        # WebKit from mid 2011 on answers.
        ("hixie-76", b"\xff\x00", (b"\xff\x00", MASKED_EMPTY_CLOSE)),
    ],
)
async def test_the_answer_to_an_upstreams_close_is_the_clients(
    autojump_clock: MockClock, client: str, close: bytes, answer: tuple[bytes, bytes]
) -> None:
    async with parting(client) as end:
        await end.upstream.send(CLOSE_1001)
        assert await end.client.exactly(len(close)) == close
        await end.client.send(answer[0])
        assert await end.upstream.rest() == answer[1]
        assert await end.client.rest() == b""
        assert await end.both_close() == 0


async def test_bytes_of_the_other_side_before_its_answer_still_arrive(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:4])
        await end.client.send(MASKED_HELLO + MASKED_CLOSE_1000)
        assert await end.upstream.exactly(19) == MASKED_HELLO + MASKED_CLOSE_1000
        await end.upstream.send(HELLO[4:], HELLO, CLOSE_1000)
        assert await end.client.rest() == HELLO + HELLO + CLOSE_1000
        assert await end.both_close() == 0


async def test_goodbyes_that_cross_answer_each_other(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(CLOSE_1000)
        await end.client.send(MASKED_CLOSE_1001)
        assert await end.client.rest() == CLOSE_1000
        assert await end.upstream.rest() == MASKED_CLOSE_1001
        assert await end.both_close() == 0


async def test_bytes_after_the_close_of_a_side_are_not_passed_on(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(MASKED_CLOSE_1000, MASKED_HELLO)
        await end.upstream.send(CLOSE_1000 + HELLO, HELLO)
        assert await end.client.rest() == CLOSE_1000
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


@pytest.mark.parametrize("client", ["hixie-75", "hixie-76"])
async def test_the_end_of_a_hixie_client_is_an_empty_close_to_the_upstream(
    autojump_clock: MockClock, client: str
) -> None:
    async with parting(client) as end:
        await end.client.send(HIXIE_HELLO)
        await end.client.send_eof()
        assert await end.upstream.exactly(17) == MASKED_HELLO + MASKED_EMPTY_CLOSE
        await end.upstream.send(HELLO, CLOSE_1000)
        assert await end.client.rest() == HIXIE_HELLO + (b"\xff\x00" if client == "hixie-76" else b"")
        assert await end.upstream.rest() == b""
        assert await end.both_close() == 0


async def test_the_upstream_of_a_disconnected_hixie_client_has_time_to_answer(autojump_clock: MockClock) -> None:
    async with parting("hixie-75") as end:
        await end.client.close()
        assert await end.upstream.exactly(6) == MASKED_EMPTY_CLOSE
        await end.upstream.send(HELLO, CLOSE_1000)
        assert await end.upstream.rest() == b""
        await end.upstream.close()
        assert await end.over() == 0


async def test_a_close_to_hixie_75_is_the_end_of_the_connection(autojump_clock: MockClock) -> None:
    async with parting("hixie-75") as end:
        await end.upstream.send(HELLO + CLOSE_1000)
        assert await end.client.rest() == HIXIE_HELLO
        # The client could answer nothing, so the gateway does.
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


@pytest.mark.parametrize("first", ["client", "upstream"])
async def test_a_side_that_ends_its_stream_has_the_end_of_ours_at_once(autojump_clock: MockClock, first: str) -> None:
    """The other side does not close, which costs no more than its own connection."""
    async with parting() as end:
        begun = trio.current_time()
        ending, silent = (end.client, end.upstream) if first == "client" else (end.upstream, end.client)
        await ending.send_eof()
        assert await ending.rest() == b""
        assert await silent.rest() == (b"" if first == "client" else CLOSE_1014)
        assert trio.current_time() == begun
        assert await end.over() == CLOSE_SECONDS


# -- one says goodbye, and the other does not answer ------------------------------------------------------------


async def test_an_old_webkit_that_does_not_answer_costs_half_a_second(autojump_clock: MockClock) -> None:
    async with parting("hixie-76") as end:
        begun = trio.current_time()
        await end.upstream.send(HELLO + CLOSE_1000)
        # It reads FF 00, and waits for the end of the connection.
        assert await end.client.exactly(9) == HIXIE_HELLO + b"\xff\x00"
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.client.rest() == b""
        assert trio.current_time() - begun == BRIEF_SECONDS
        assert await end.both_close() == BRIEF_SECONDS


@pytest.mark.parametrize("client", ["rfc6455", "hybi-08"])
async def test_a_client_that_should_answer_is_waited_for(autojump_clock: MockClock, client: str) -> None:
    async with parting(client) as end:
        begun = trio.current_time()
        await end.upstream.send(CLOSE_1000)
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.client.rest() == CLOSE_1000
        assert trio.current_time() - begun == CLOSE_SECONDS
        assert await end.both_close() == CLOSE_SECONDS


async def test_an_answer_that_comes_when_its_time_is_over_is_the_only_one(mock_clock: MockClock) -> None:
    async with parting(upstream="hixie-76") as end:
        await end.client.send(MASKED_CLOSE_1000)
        assert await end.upstream.exactly(2) == b"\xff\x00"
        await settled()
        # As on a machine that stood still: the loop finds the answer, and that the time for it is over.
        os.write(end.upstream.stream.socket.fileno(), b"\xff\x00")
        mock_clock.jump(BRIEF_SECONDS)
        assert await end.client.rest() == EMPTY_CLOSE
        await end.both_close()


async def test_a_client_gets_an_answer_if_the_upstream_disconnects_instead_of_answering(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        await end.client.send(bytes.fromhex("88 85 37fa213d 3413434452"))  # 1001 "bye"
        assert await end.upstream.exactly(11) == bytes.fromhex("88 85 37fa213d 3413434452")
        await end.upstream.send(HELLO)
        await end.upstream.close()
        assert await end.client.rest() == HELLO + CLOSE_1001
        await end.client.close()
        assert await end.over() == 0


async def test_an_upstream_that_breaks_the_rules_instead_of_answering_is_answered_for(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        await end.client.send(MASKED_CLOSE_1000)
        await end.upstream.send(HELLO + MASKED_HELLO)
        assert await end.client.rest() == HELLO + CLOSE_1000
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


async def test_a_frame_that_stays_unfinished_has_no_close_in_it(autojump_clock: MockClock) -> None:
    """The upstream begins a frame and stops; its client sends a Close, and gets no answer inside the frame."""
    async with parting() as end:
        await end.upstream.send(HELLO[:4])
        assert await end.client.exactly(4) == HELLO[:4]
        await end.client.send(MASKED_CLOSE_1000)
        assert await end.client.rest() == b""
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == CLOSE_SECONDS


@pytest.mark.parametrize("client", ["hixie-75", "hixie-76"])
async def test_a_close_inside_a_text_of_hixie_cuts_the_connection(autojump_clock: MockClock, client: str) -> None:
    async with parting(client, options=TranslationOptions(Limits(join_bytes=0))) as end:
        await end.upstream.send(b"\x01\x03Hel" + CLOSE_1000)
        assert await end.client.rest() == b"\x00Hel"
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


# -- a client that is gone --------------------------------------------------------------------------------------


async def test_the_upstream_gets_no_close_for_a_disconnected_client(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(MASKED_HELLO)
        await end.client.close()
        assert await end.upstream.rest() == MASKED_HELLO
        await end.upstream.close()
        assert await end.over() == 0


async def test_an_unfinished_text_of_a_disconnected_hixie_client_is_not_sent(autojump_clock: MockClock) -> None:
    async with parting("hixie-76") as end:
        await end.client.send(b"\x00Hel")
        await end.client.close()
        assert await end.upstream.rest() == b""
        await end.upstream.close()
        assert await end.over() == 0


# -- a fault or the death of the upstream -----------------------------------------------------------------------

# The client's dialect, what the upstream sends before it disconnects, and all that the client gets.
UPSTREAMS_END = {
    "rfc6455": ("rfc6455", "rfc6455", HELLO, HELLO + CLOSE_1014),
    "rfc6455, at once": ("rfc6455", "rfc6455", b"", CLOSE_1014),
    "rfc6455 inside a frame": ("rfc6455", "rfc6455", HELLO[:4], HELLO[:4]),
    "rfc6455 inside a head": ("rfc6455", "rfc6455", HELLO + b"\x81", HELLO + CLOSE_1014),
    "rfc6455 between fragments": ("rfc6455", "rfc6455", b"\x01\x03Hel", b"\x01\x03Hel" + CLOSE_1014),
    "rfc6455 inside a frame of an old upstream": ("rfc6455", "hybi-08", HELLO[:5], HELLO[:5]),
    # The held part of a text is never sent, so that no frame is unfinished.
    "rfc6455 inside a text of hixie": ("rfc6455", "hixie-76", b"\x00Hel", CLOSE_1014),
    "hybi-08": ("hybi-08", "rfc6455", HELLO, HELLO),
    "hybi-07": ("hybi-07", "hybi-08", HELLO, HELLO),
    "hybi-06": ("hybi-06", "rfc6455", HELLO, b"\x84\x05Hello"),
    "hybi-03 inside a frame": ("hybi-03", "rfc6455", HELLO[:5], b"\x04\x05Hel"),
    "hybi-05 of its own kind": ("hybi-05", "hybi-05", b"\x84\x05Hello", b"\x84\x05Hello"),
    "rfc6455 of hybi-04": ("rfc6455", "hybi-04", b"\x84\x05Hello", HELLO + CLOSE_1014),
    "hixie-76": ("hixie-76", "rfc6455", HELLO, HIXIE_HELLO),
    "hixie-76 inside a text": ("hixie-76", "rfc6455", HELLO[:5], b""),
    "hixie-75": ("hixie-75", "rfc6455", HELLO, HIXIE_HELLO),
}


@pytest.mark.parametrize(("client", "upstream", "said", "heard"), UPSTREAMS_END.values(), ids=UPSTREAMS_END.keys())
async def test_a_client_is_sent_1014_for_a_lost_upstream_if_its_dialect_has_it(
    autojump_clock: MockClock, client: str, upstream: str, said: bytes, heard: bytes
) -> None:
    async with parting(client, upstream) as end:
        await end.upstream.send(said)
        await end.upstream.close()
        assert await end.client.rest() == heard
        await end.client.close()
        assert await end.over() == 0


async def test_a_client_is_sent_1014_for_an_upstream_that_was_reset() -> None:
    async with parting(tcp=True) as end:
        await end.upstream.send(HELLO)
        assert await end.client.exactly(len(HELLO)) == HELLO
        end.upstream.reset()
        assert await end.client.rest() == CLOSE_1014
        await end.client.close()
        await end.over()


# The client's dialect, what the upstream sends, all that the client gets, what the upstream gets.
UPSTREAMS_FAULTS = {
    "binary for hixie-76": ("hixie-76", HELLO + b"\x82\x00", HIXIE_HELLO, bytes.fromhex("88 82 37fa213d 3411")),
    "broken text for hixie-75": ("hixie-75", b"\x81\x01\xff", b"", bytes.fromhex("88 82 37fa213d 3415")),
    "broken text inside a text": ("hixie-76", b"\x01\x01a\x80\x01\xff", b"", bytes.fromhex("88 82 37fa213d 3415")),
    "a mask": ("rfc6455", HELLO + MASKED_HELLO, HELLO + CLOSE_1014, bytes.fromhex("88 82 37fa213d 3410")),
    "a mask, for hybi-08": ("hybi-08", HELLO + MASKED_HELLO, HELLO, bytes.fromhex("88 82 37fa213d 3410")),
    "a message too big": ("rfc6455", b"\x82\x7e\xff\xff", CLOSE_1014, bytes.fromhex("88 82 37fa213d 340b")),
}


@pytest.mark.parametrize(("client", "said", "heard", "told"), UPSTREAMS_FAULTS.values(), ids=UPSTREAMS_FAULTS.keys())
async def test_an_upstream_that_breaks_the_rules_gets_a_close_and_so_does_its_client_if_it_has_1014(
    autojump_clock: MockClock, client: str, said: bytes, heard: bytes, told: bytes
) -> None:
    async with parting(client, options=TranslationOptions(Limits(message_bytes=1000))) as end:
        await end.upstream.send(said)
        assert await end.client.rest() == heard
        assert await end.upstream.rest() == told
        assert await end.both_close() == 0


async def test_a_client_whose_stream_has_ended_is_not_read_again() -> None:
    answers: dict[type[Action], Iterator[object]] = {
        Take: iter([CLOSE_1000, b""]),
        HalfClose: repeat(True),
        Deliver: repeat(True),
    }
    with session("hixie-75") as made:
        client, upstream = made.client, made.upstream
        assert client.finish().ending == Close()
        closing_handshake = ClosingHandshake(Ended(client, Close()), repeat(MASK_KEY), CLOSE_SECONDS, lambda: 0.0)
        machine = closing_handshake.run(client, upstream)
        actions = [next(machine)]
        with suppress(StopIteration):
            while True:
                actions.append(machine.send(next(answers[type(actions[-1])])))
        done = [(type(each), each.endpoint) for each in actions if not isinstance(each, Together | Pause)]
        assert done == [(Take, upstream), (HalfClose, client), (HalfClose, upstream), (Take, upstream)]
