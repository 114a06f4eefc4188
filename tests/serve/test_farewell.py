"""The end of a session: what both peers hear last, in bytes, and how long the farewell waits for those who say nothing.

The sockets are real and the clock is not: it jumps whenever everybody waits. Over a socket pair all that was sent can
be read at once, so whoever waits then waits for time alone, and it can be told exactly.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import repeat
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.dialects.vectors import MASK_KEY
from tests.relay.sessions import PATIENCE_SECONDS, Peer, Session, session, settled
from wsgateway.dialects import Limits
from wsgateway.relay.engine import Ended, Engine
from wsgateway.run.worker import CLOSE_STEPS
from wsgateway.serve.farewell import Farewell

CLOSE_SECONDS = 5.0
# How long a client may take to answer in a dialect whose clients may not know the question.
BRIEF_SECONDS = 0.5
# More than all steps of a farewell together.
LONG_SECONDS = 100.0

HELLO, MASKED_HELLO, HIXIE_HELLO = b"\x81\x05Hello", bytes.fromhex("81 85 37fa213d 7f9f4d5158"), b"\x00Hello\xff"
CLOSE_1000, MASKED_CLOSE_1000 = bytes.fromhex("88 02 03e8"), bytes.fromhex("88 82 37fa213d 3412")
CLOSE_1001, MASKED_CLOSE_1001 = bytes.fromhex("88 02 03e9"), bytes.fromhex("88 82 37fa213d 3413")
EMPTY_CLOSE, MASKED_EMPTY_CLOSE = b"\x88\x00", bytes.fromhex("88 80 37fa213d")
CLOSE_1014 = bytes.fromhex("88 02 03f6")


class Parting:
    """A session that is relayed, and then ended as `serve.session` ends it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.client, self.upstream = session.at_client, session.at_upstream
        self.engine = Engine()
        self.relay_ended = trio.Event()
        self.seconds: float | None = None
        """how long the farewell took, once it is over"""
        self._over = trio.Event()

    async def run(self) -> None:
        ended: Ended = await self.engine.relay(self.session.client, self.session.upstream)
        self.relay_ended.set()
        begun = trio.current_time()
        await Farewell(ended, repeat(MASK_KEY), CLOSE_SECONDS).say(self.session.client, self.session.upstream)
        self.seconds = trio.current_time() - begun
        self.session.client.sock.close()
        self.session.upstream.sock.close()
        self._over.set()

    async def over(self) -> float:
        """Waits for the end of the farewell; returns how long it took."""
        await self._over.wait()
        assert self.seconds is not None
        return self.seconds

    async def both_close(self) -> float:
        """Both peers close, as they do once they have heard the end; returns how long the farewell took."""
        await self.client.close()
        await self.upstream.close()
        return await self.over()


@asynccontextmanager
async def parting(client: str = "rfc6455", upstream: str = "rfc6455", **options: Any) -> AsyncIterator[Parting]:
    """A session under way between a client and an upstream of these dialects."""
    with ExitStack() as stack, trio.fail_after(PATIENCE_SECONDS + LONG_SECONDS):
        made = Parting(stack.enter_context(session(client, upstream, **options)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.engine.run)
            nursery.start_soon(made.run)
            await settled()
            yield made
            nursery.cancel_scope.cancel()


# -- one says goodbye, and the other answers --------------------------------------------------------------------

# The dialects; the client's Close and what the upstream hears; the upstream's answer and what the client hears.
CLIENTS_CLOSE = {
    "rfc6455": (("rfc6455", "rfc6455"), (MASKED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1000, CLOSE_1000)),
    "hybi-08": (("hybi-08", "rfc6455"), (MASKED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1000, CLOSE_1000)),
    "hybi-07": (("hybi-07", "hybi-08"), (MASKED_EMPTY_CLOSE, MASKED_EMPTY_CLOSE), (EMPTY_CLOSE, EMPTY_CLOSE)),
    "hixie-76": (("hixie-76", "rfc6455"), (b"\xff\x00", MASKED_EMPTY_CLOSE), (CLOSE_1000, b"\xff\x00")),
    "hixie-76 to hixie-76": (("hixie-76", "hixie-76"), (b"\xff\x00", b"\xff\x00"), (b"\xff\x00", b"\xff\x00")),
    "rfc6455 to hixie-76": (("rfc6455", "hixie-76"), (MASKED_CLOSE_1000, b"\xff\x00"), (b"\xff\x00", EMPTY_CLOSE)),
    "the upstream's own code": (("rfc6455", "rfc6455"), (MASKED_CLOSE_1000, MASKED_CLOSE_1000), (CLOSE_1001,) * 2),
    # RFC 6455's 1011 is not known to the draft.
    "a code that is left out": (
        ("rfc6455", "hybi-08"),
        (bytes.fromhex("88 82 37fa213d 3409"), MASKED_EMPTY_CLOSE),
        (EMPTY_CLOSE, EMPTY_CLOSE),
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


async def test_what_the_other_side_says_before_its_answer_still_arrives(autojump_clock: MockClock) -> None:
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


async def test_what_a_side_says_behind_its_goodbye_is_not_passed_on(autojump_clock: MockClock) -> None:
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


async def test_a_hixie_client_that_is_gone_leaves_its_upstream_time_to_answer(autojump_clock: MockClock) -> None:
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
        # There is nothing that the client could answer, so we do.
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


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


async def test_an_upstream_that_is_gone_instead_of_answering_is_answered_for(autojump_clock: MockClock) -> None:
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
    """The upstream begins a frame and falls silent; its client says goodbye, and gets no answer inside the frame."""
    async with parting() as end:
        await end.upstream.send(HELLO[:4])
        assert await end.client.exactly(4) == HELLO[:4]
        await end.client.send(MASKED_CLOSE_1000)
        assert await end.client.rest() == b""
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == CLOSE_SECONDS


@pytest.mark.parametrize("client", ["hixie-75", "hixie-76"])
async def test_a_close_inside_a_text_of_hixie_cuts_the_connection(autojump_clock: MockClock, client: str) -> None:
    async with parting(client) as end:
        await end.upstream.send(b"\x01\x03Hel" + CLOSE_1000)
        assert await end.client.rest() == b"\x00Hel"
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


# -- a fault of the client --------------------------------------------------------------------------------------

# The dialect, what breaks the rules, what the client hears. The limit is 5 bytes.
CLIENTS_FAULTS = {
    "too big for rfc6455": ("rfc6455", MASKED_HELLO + bytes.fromhex("81 86 37fa213d"), bytes.fromhex("88 02 03f1")),
    "too big for hybi-08": ("hybi-08", MASKED_HELLO + bytes.fromhex("81 86 37fa213d"), EMPTY_CLOSE),
    "too big for hixie-76": ("hixie-76", HIXIE_HELLO + b"\x00 6 byte", b"\xff\x00"),
    "too big for hixie-75": ("hixie-75", HIXIE_HELLO + b"\x00 6 byte", b""),
    "no mask": ("rfc6455", MASKED_HELLO + HELLO, bytes.fromhex("88 02 03ea")),
    "no mask in hybi-07": ("hybi-07", MASKED_HELLO + HELLO, bytes.fromhex("88 02 03ea")),
    "a code that may not be sent": (
        "rfc6455",
        MASKED_HELLO + bytes.fromhex("88 82 37fa213d 3414"),
        bytes.fromhex("88 02 03ea"),
    ),
}


@pytest.mark.parametrize(("client", "said", "heard"), CLIENTS_FAULTS.values(), ids=CLIENTS_FAULTS.keys())
async def test_a_client_that_breaks_the_rules_is_told_and_its_upstream_is_cut(
    autojump_clock: MockClock, client: str, said: bytes, heard: bytes
) -> None:
    async with parting(client, limits=Limits(message_bytes=5)) as end:
        await end.client.send(said)
        assert await end.client.rest() == heard
        assert await end.upstream.rest() == MASKED_HELLO
        assert await end.both_close() == 0


async def test_a_client_that_goes_on_after_its_fault_still_hears_of_it() -> None:
    # Over TCP: to close over its bytes would reset the connection, and take the Close back.
    async with parting(tcp=True, limits=Limits(message_bytes=5)) as end:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.client.send, bytes.fromhex("81 fe ffff 37fa213d") + bytes(8 * 1024 * 1024))
            assert await end.client.rest() == bytes.fromhex("88 02 03f1")
        await end.both_close()


async def test_a_client_that_breaks_the_rules_while_it_gets_a_frame_is_cut(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:4])
        assert await end.client.exactly(4) == HELLO[:4]
        await end.client.send(HELLO)
        assert await end.client.rest() == b""
        assert await end.upstream.rest() == b""
        assert await end.both_close() == 0


async def test_a_client_that_is_gone_is_not_made_a_close(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(MASKED_HELLO)
        await end.client.close()
        assert await end.upstream.rest() == MASKED_HELLO
        await end.upstream.close()
        assert await end.over() == 0


async def test_a_hixie_client_that_is_gone_inside_a_text_leaves_it_unfinished(autojump_clock: MockClock) -> None:
    async with parting("hixie-76") as end:
        await end.client.send(b"\x00Hel")
        assert await end.upstream.exactly(9) == bytes.fromhex("01 83 37fa213d 7f9f4d")
        await end.client.close()
        assert await end.upstream.rest() == b""
        await end.upstream.close()
        assert await end.over() == 0


# -- a fault or the death of the upstream -----------------------------------------------------------------------

# The client's dialect, what the upstream says before it is gone, and what the client hears in all.
UPSTREAMS_END = {
    "rfc6455": ("rfc6455", "rfc6455", HELLO, HELLO + CLOSE_1014),
    "rfc6455, at once": ("rfc6455", "rfc6455", b"", CLOSE_1014),
    "rfc6455 inside a frame": ("rfc6455", "rfc6455", HELLO[:4], HELLO[:4]),
    "rfc6455 inside a head": ("rfc6455", "rfc6455", HELLO + b"\x81", HELLO + CLOSE_1014),
    "rfc6455 between fragments": ("rfc6455", "rfc6455", b"\x01\x03Hel", b"\x01\x03Hel" + CLOSE_1014),
    # Translated, what is here of a frame is a fragment.
    "rfc6455 of an old upstream": ("rfc6455", "hybi-08", HELLO[:5], b"\x01\x03Hel" + CLOSE_1014),
    "rfc6455 inside a text of hixie": ("rfc6455", "hixie-76", b"\x00Hel", b"\x01\x03Hel" + CLOSE_1014),
    "hybi-08": ("hybi-08", "rfc6455", HELLO, HELLO),
    "hybi-07": ("hybi-07", "hybi-08", HELLO, HELLO),
    "hixie-76": ("hixie-76", "rfc6455", HELLO, HIXIE_HELLO),
    "hixie-76 inside a text": ("hixie-76", "rfc6455", HELLO[:5], b"\x00Hel"),
    "hixie-75": ("hixie-75", "rfc6455", HELLO, HIXIE_HELLO),
}


@pytest.mark.parametrize(("client", "upstream", "said", "heard"), UPSTREAMS_END.values(), ids=UPSTREAMS_END.keys())
async def test_a_client_hears_of_a_lost_upstream_where_its_dialect_can_say_it(
    autojump_clock: MockClock, client: str, upstream: str, said: bytes, heard: bytes
) -> None:
    async with parting(client, upstream) as end:
        await end.upstream.send(said)
        await end.upstream.close()
        assert await end.client.rest() == heard
        await end.client.close()
        assert await end.over() == 0


async def test_a_client_hears_of_an_upstream_that_was_reset() -> None:
    async with parting(tcp=True) as end:
        await end.upstream.send(HELLO)
        assert await end.client.exactly(len(HELLO)) == HELLO
        end.upstream.reset()
        assert await end.client.rest() == CLOSE_1014
        await end.client.close()
        await end.over()


# The client's dialect, what the upstream says, what the client hears in all, what the upstream hears.
UPSTREAMS_FAULTS = {
    "binary for hixie-76": ("hixie-76", HELLO + b"\x82\x00", HIXIE_HELLO, bytes.fromhex("88 82 37fa213d 3411")),
    "broken text for hixie-75": ("hixie-75", b"\x81\x01\xff", b"", bytes.fromhex("88 82 37fa213d 3415")),
    "broken text inside a text": ("hixie-76", b"\x01\x01a\x80\x01\xff", b"\x00a", bytes.fromhex("88 82 37fa213d 3415")),
    "a mask": ("rfc6455", HELLO + MASKED_HELLO, HELLO + CLOSE_1014, bytes.fromhex("88 82 37fa213d 3410")),
    "a mask, for hybi-08": ("hybi-08", HELLO + MASKED_HELLO, HELLO, bytes.fromhex("88 82 37fa213d 3410")),
    "a message too big": ("rfc6455", b"\x82\x7e\xff\xff", CLOSE_1014, bytes.fromhex("88 82 37fa213d 340b")),
}


@pytest.mark.parametrize(("client", "said", "heard", "told"), UPSTREAMS_FAULTS.values(), ids=UPSTREAMS_FAULTS.keys())
async def test_an_upstream_that_breaks_the_rules_is_told_and_its_client_too_if_it_knows_the_code(
    autojump_clock: MockClock, client: str, said: bytes, heard: bytes, told: bytes
) -> None:
    async with parting(client, limits=Limits(message_bytes=1000)) as end:
        await end.upstream.send(said)
        assert await end.client.rest() == heard
        assert await end.upstream.rest() == told
        assert await end.both_close() == 0


# -- we stop ----------------------------------------------------------------------------------------------------

# What each side is told, by its dialect, and what it may answer.
CLIENTS_TOLD = {
    "rfc6455": (CLOSE_1001, MASKED_CLOSE_1001),
    "hybi-08": (CLOSE_1001, MASKED_CLOSE_1001),
    "hybi-07": (CLOSE_1001, MASKED_EMPTY_CLOSE),
    "hixie-76": (b"\xff\x00", b"\xff\x00"),
    "hixie-75": (b"", b""),
}
UPSTREAMS_TOLD = {
    "rfc6455": (MASKED_CLOSE_1001, CLOSE_1001),
    "hybi-08": (MASKED_CLOSE_1001, CLOSE_1001),
    "hixie-76": (b"\xff\x00", b"\xff\x00"),
    "hixie-75": (b"", b""),
}


@pytest.mark.parametrize("upstream", UPSTREAMS_TOLD)
@pytest.mark.parametrize("client", CLIENTS_TOLD)
async def test_when_we_stop_both_are_told_and_may_answer(autojump_clock: MockClock, client: str, upstream: str) -> None:
    (client_told, client_answer), (upstream_told, upstream_answer) = CLIENTS_TOLD[client], UPSTREAMS_TOLD[upstream]
    async with parting(client, upstream) as end:
        end.engine.stop()
        assert await end.client.exactly(len(client_told)) == client_told
        assert await end.upstream.exactly(len(upstream_told)) == upstream_told
        await end.client.send(client_answer)
        await end.upstream.send(upstream_answer)
        assert await end.client.rest() == b""
        assert await end.upstream.rest() == b""
        assert await end.both_close() == 0


@pytest.mark.parametrize(
    ("client", "seconds"), [("rfc6455", CLOSE_SECONDS), ("hixie-76", BRIEF_SECONDS), ("hixie-75", 0)]
)
async def test_when_we_stop_a_client_that_does_not_answer_is_left(
    autojump_clock: MockClock, client: str, seconds: float
) -> None:
    async with parting(client) as end:
        begun = trio.current_time()
        end.engine.stop()
        assert await end.client.rest() == CLIENTS_TOLD[client][0]
        assert trio.current_time() - begun == seconds


async def test_when_we_stop_frames_that_are_under_way_are_finished_first(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(MASKED_HELLO[:8])
        await end.upstream.send(HELLO[:3])
        assert await end.upstream.exactly(8) == MASKED_HELLO[:8]
        assert await end.client.exactly(3) == HELLO[:3]
        end.engine.stop()
        await end.relay_ended.wait()

        # The frame is passed on, and what comes behind it is not: it is after our Close.
        await end.client.send(MASKED_HELLO[8:10])
        await end.client.send(MASKED_HELLO[10:] + MASKED_HELLO)
        await end.upstream.send(HELLO[3:] + HELLO)
        assert await end.upstream.exactly(11) == MASKED_HELLO[8:] + MASKED_CLOSE_1001
        assert await end.client.exactly(8) == HELLO[3:] + CLOSE_1001
        await end.client.send(MASKED_CLOSE_1001)
        await end.upstream.send(CLOSE_1001)
        assert await end.client.rest() == await end.upstream.rest() == b""
        assert await end.both_close() == 0


async def test_when_we_stop_a_frame_that_stays_unfinished_has_no_close_in_it(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:3])
        assert await end.client.exactly(3) == HELLO[:3]
        end.engine.stop()
        assert await end.upstream.exactly(8) == MASKED_CLOSE_1001
        assert await end.client.rest() == b""


async def test_when_we_stop_a_frame_whose_sender_is_gone_has_no_close_in_it(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:3])
        assert await end.client.exactly(3) == HELLO[:3]
        end.engine.stop()
        await end.upstream.close()
        assert await end.client.rest() == b""


async def test_when_we_stop_a_text_of_hixie_that_is_under_way_is_cut(autojump_clock: MockClock) -> None:
    async with parting("hixie-76") as end:
        await end.upstream.send(b"\x01\x03Hel")
        assert await end.client.exactly(4) == b"\x00Hel"
        end.engine.stop()
        assert await end.upstream.exactly(8) == MASKED_CLOSE_1001
        await end.upstream.send(b"\x80\x02lo" + CLOSE_1001)
        assert await end.client.rest() == b""


async def test_when_we_stop_before_the_first_bytes_both_are_told(autojump_clock: MockClock) -> None:
    async with parting() as end:
        end.engine.stop()
        await end.relay_ended.wait()
        with session() as late:
            late.upstream.early = HELLO
            later = Parting(late)
            later.engine = end.engine
            async with trio.open_nursery() as nursery:
                nursery.start_soon(later.run)
                assert await later.client.exactly(4) == CLOSE_1001
                assert await later.upstream.exactly(8) == MASKED_CLOSE_1001
                nursery.cancel_scope.cancel()


# -- what could not be sent before ------------------------------------------------------------------------------


def clog(end: Parting, peer: Peer) -> None:
    """Fills what the kernel takes for a peer, with bytes that begin no frame here."""
    endpoint = end.session.client if peer is end.client else end.session.upstream
    try:
        while True:
            endpoint.sock.send(b"\xfe" * 64)
    except BlockingIOError:
        return


async def rest_behind_it(peer: Peer) -> bytes:
    return (await peer.rest()).lstrip(b"\xfe")


async def test_what_was_left_over_is_sent_before_a_close_is_passed_on(autojump_clock: MockClock) -> None:
    async with parting() as end:
        clog(end, end.client)
        await end.upstream.send(HELLO + CLOSE_1000)
        await end.relay_ended.wait()
        await settled()
        await end.client.send(MASKED_CLOSE_1000)
        assert await rest_behind_it(end.client) == HELLO + CLOSE_1000
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


async def test_what_was_left_over_is_sent_before_our_own_close(autojump_clock: MockClock) -> None:
    async with parting() as end:
        clog(end, end.client)
        await end.upstream.send(HELLO + MASKED_HELLO)
        await end.relay_ended.wait()
        await settled()
        assert await rest_behind_it(end.client) == HELLO + CLOSE_1014
        assert await end.both_close() == 0


async def test_what_was_left_over_is_sent_before_we_stop(autojump_clock: MockClock) -> None:
    async with parting("hixie-76") as end:
        clog(end, end.client)
        await end.upstream.send(HELLO)
        await settled()
        end.engine.stop()
        await end.relay_ended.wait()
        await settled()
        await end.client.send(b"\xff\x00")
        assert await rest_behind_it(end.client) == HIXIE_HELLO + b"\xff\x00"


async def test_what_was_left_over_for_the_source_is_sent_before_its_answer(autojump_clock: MockClock) -> None:
    async with parting() as end:
        clog(end, end.client)
        await end.upstream.send(HELLO)
        await settled()
        await end.client.send(MASKED_CLOSE_1000)
        await end.relay_ended.wait()
        await end.upstream.send(CLOSE_1000)
        await settled()
        assert await rest_behind_it(end.client) == HELLO + CLOSE_1000


async def test_a_hixie_client_that_reads_slowly_has_as_long_as_others_for_what_was_left_over(
    autojump_clock: MockClock,
) -> None:
    """Only its answer is not waited for: what it is to read before the Close is no less its own."""
    async with parting("hixie-76") as end:
        clog(end, end.client)
        await end.upstream.send(HELLO + CLOSE_1000)
        await end.relay_ended.wait()
        await trio.sleep(CLOSE_SECONDS - 1)
        assert await rest_behind_it(end.client) == HIXIE_HELLO + b"\xff\x00"


async def test_what_a_client_said_before_its_upstreams_first_word_was_goodbye_is_passed_on(
    autojump_clock: MockClock,
) -> None:
    """Both have said something behind their handshake; the upstream's is the end of the relay."""
    with session() as pair:
        pair.upstream.early = CLOSE_1000
        pair.client.early = MASKED_HELLO[:4]
        end = Parting(pair)
        with trio.fail_after(LONG_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(end.engine.run)
                nursery.start_soon(end.run)
                assert await end.client.exactly(4) == CLOSE_1000
                await end.client.send(MASKED_HELLO[4:] + MASKED_CLOSE_1000)
                assert await end.upstream.rest() == MASKED_HELLO + MASKED_CLOSE_1000
                assert (pair.client.received, pair.upstream.received) == (19, 4)
                nursery.cancel_scope.cancel()


# -- nobody does anything ---------------------------------------------------------------------------------------

# What the upstream says last, and whether we stop then.
LAST_WORDS = {
    "a Close": (HELLO + CLOSE_1000, False),
    "a fault": (HELLO + b"\x83\x00", False),
    "a whole frame, and we stop": (HELLO, True),
    "half a frame, and we stop": (HELLO[:3], True),
    "nothing, and we stop": (b"", True),
}


@pytest.mark.parametrize("clogged", [False, True], ids=["with room", "with no room"])
@pytest.mark.parametrize("client", CLIENTS_TOLD)
@pytest.mark.parametrize(("said", "stop"), LAST_WORDS.values(), ids=LAST_WORDS.keys())
async def test_a_farewell_to_peers_that_do_nothing_ends_in_the_time_that_a_process_that_stops_leaves_for_it(
    autojump_clock: MockClock, said: bytes, stop: bool, client: str, clogged: bool
) -> None:
    async with parting(client) as end:
        if clogged:
            clog(end, end.client)
            clog(end, end.upstream)
        await end.upstream.send(said)
        await settled()
        if stop:
            end.engine.stop()
        assert await end.over() <= CLOSE_STEPS * CLOSE_SECONDS
