"""Sessions that the gateway ends when it stops: bytes that are still to be sent, and peers that do nothing."""

import pytest
import trio
from trio.testing import MockClock

from tests.dialects.feeding import other as sender_of
from tests.dialects.vectors import SECRET
from tests.openings import OPENINGS
from tests.relay.passing import CLIENT, SECRETS, UPSTREAM
from tests.relay.sessions import session, settled
from tests.relay.spelling import said
from tests.serve.closings import (
    BRIEF_SECONDS,
    CLOSE_1000,
    CLOSE_1001,
    CLOSE_1012,
    CLOSE_1014,
    CLOSE_SECONDS,
    CLOSE_STEPS,
    HELLO,
    HIXIE_HELLO,
    LONG_SECONDS,
    MASKED_CLOSE_1000,
    MASKED_CLOSE_1001,
    MASKED_CLOSE_1012,
    MASKED_EMPTY_CLOSE,
    MASKED_HELLO,
    Parting,
    clog,
    parting,
    rest_behind_it,
)
from wsgateway.dialects import DIALECTS, Fragment

# -- we stop ----------------------------------------------------------------------------------------------------

# The Close that each side gets, by its dialect, and its possible answer.
CLIENTS_TOLD = {
    opening.dialect: (opening.goodbye, opening.written(opening.answer, SECRET if opening.dialect == "hybi-04" else b""))
    for opening in OPENINGS
} | {"hybi-07": (CLOSE_1001, MASKED_EMPTY_CLOSE)}
# The same frames in the other direction; a side may answer a code by none. hybi-04 has another secret there, and its
# mask is made with `openssl sha1`.
UPSTREAMS_TOLD = {dialect: (answer, told) for dialect, (told, answer) in CLIENTS_TOLD.items()} | {
    "hybi-07": (MASKED_CLOSE_1001, CLOSE_1001),
    "hybi-04": (bytes.fromhex("37fa213d eb03"), b"\x81\x00"),
}


@pytest.mark.parametrize("upstream", UPSTREAMS_TOLD)
@pytest.mark.parametrize("client", CLIENTS_TOLD)
async def test_both_sides_get_a_close_and_may_answer_when_the_gateway_stops(
    autojump_clock: MockClock, client: str, upstream: str
) -> None:
    (client_told, client_answer), (upstream_told, upstream_answer) = CLIENTS_TOLD[client], UPSTREAMS_TOLD[upstream]
    async with parting(client, upstream) as end:
        end.dismiss()
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
async def test_a_client_that_does_not_answer_when_the_gateway_stops_is_closed(
    autojump_clock: MockClock, client: str, seconds: float
) -> None:
    async with parting(client) as end:
        begun = trio.current_time()
        end.dismiss()
        assert await end.client.rest() == CLIENTS_TOLD[client][0]
        assert trio.current_time() - begun == seconds


async def test_when_we_stop_frames_that_are_under_way_are_finished_first(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.client.send(MASKED_HELLO[:8])
        await end.upstream.send(HELLO[:3])
        assert await end.upstream.exactly(8) == MASKED_HELLO[:8]
        assert await end.client.exactly(3) == HELLO[:3]
        end.dismiss()
        await end.relay_ended.wait()

        # The frame is passed on, and the bytes after it are not: they come after our Close.
        await end.client.send(MASKED_HELLO[8:10])
        await end.client.send(MASKED_HELLO[10:] + MASKED_HELLO)
        await end.upstream.send(HELLO[3:] + HELLO)
        assert await end.upstream.exactly(11) == MASKED_HELLO[8:] + MASKED_CLOSE_1012
        assert await end.client.exactly(8) == HELLO[3:] + CLOSE_1012
        await end.client.send(MASKED_CLOSE_1012)
        await end.upstream.send(CLOSE_1012)
        assert await end.client.rest() == await end.upstream.rest() == b""
        assert await end.both_close() == 0


async def test_when_we_stop_a_frame_that_stays_unfinished_has_no_close_in_it(autojump_clock: MockClock) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:3])
        assert await end.client.exactly(3) == HELLO[:3]
        end.dismiss()
        assert await end.upstream.exactly(8) == MASKED_CLOSE_1012
        assert await end.client.rest() == b""


async def test_a_frame_of_a_disconnected_sender_has_no_close_in_it_when_the_gateway_stops(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        await end.upstream.send(HELLO[:3])
        assert await end.client.exactly(3) == HELLO[:3]
        end.dismiss()
        await end.upstream.close()
        assert await end.client.rest() == b""


@pytest.mark.parametrize("sender", ["client", "upstream"])
@pytest.mark.parametrize("upstream", CLIENTS_TOLD)
@pytest.mark.parametrize("client", CLIENTS_TOLD)
async def test_when_we_stop_a_message_that_is_under_way_is_finished_first(
    autojump_clock: MockClock, client: str, upstream: str, sender: str
) -> None:
    """The sender has begun a frame; its rest comes with more bytes, which come after our Close."""
    async with parting(client, upstream) as end:
        peer, other = (end.client, end.upstream) if sender == "client" else (end.upstream, end.client)
        source, target = (client, upstream) if sender == "client" else (upstream, client)
        role, towards = (CLIENT, UPSTREAM) if sender == "client" else (UPSTREAM, CLIENT)
        words = said(source, role, ("text", b"Hello"))
        await peer.send(words[:-2])
        await settled()
        end.dismiss()
        await peer.send(words[-2:] + said(source, role, ("text", b"late")))
        goodbye = (UPSTREAMS_TOLD if sender == "client" else CLIENTS_TOLD)[target][0]
        heard = await (other.until(goodbye) if goodbye else other.rest())
        decoder = DIALECTS[target].framing.decoder(sender_of(towards), secret=SECRETS[towards])
        texts = [event.data for event in decoder.receive(heard) if isinstance(event, Fragment)]
        assert b"".join(texts) == b"Hello"


@pytest.mark.parametrize(
    ("upstream", "part"), [("rfc6455", b"\x01\x03Hel"), ("rfc6455", b"\x81\x05Hel"), ("hixie-76", b"\x00Hel")]
)
async def test_when_we_stop_a_text_of_hixie_whose_rest_does_not_come_in_time_has_no_close_in_it(
    autojump_clock: MockClock, upstream: str, part: bytes
) -> None:
    async with parting("hixie-75", upstream) as end:
        await end.upstream.send(part)
        await settled()
        begun = trio.current_time()
        end.dismiss()
        assert b"\x00Hel".startswith(await end.client.rest())
        assert trio.current_time() == begun + CLOSE_SECONDS


async def test_when_we_stop_a_hixie_client_gets_the_rest_of_its_text_and_then_its_closing_frame(
    autojump_clock: MockClock,
) -> None:
    async with parting("hixie-76") as end:
        await end.upstream.send(b"\x01\x03Hel")
        await settled()
        end.dismiss()
        await end.relay_ended.wait()
        await end.upstream.send(b"\x80\x02lo")
        assert await end.upstream.exactly(8) == MASKED_CLOSE_1012
        await end.upstream.send(CLOSE_1012)
        await end.client.send(b"\xff\x00")
        assert await end.client.rest() == b"\x00Hello\xff\xff\x00"


# -- what could not be sent before ------------------------------------------------------------------------------


async def test_the_backlog_is_sent_before_a_close_is_passed_on(autojump_clock: MockClock) -> None:
    async with parting() as end:
        clog(end, end.client)
        await end.upstream.send(HELLO + CLOSE_1000)
        await end.relay_ended.wait()
        await settled()
        await end.client.send(MASKED_CLOSE_1000)
        assert await rest_behind_it(end.client) == HELLO + CLOSE_1000
        assert await end.upstream.rest() == MASKED_CLOSE_1000
        assert await end.both_close() == 0


async def test_the_backlog_is_sent_before_our_own_close(autojump_clock: MockClock) -> None:
    async with parting() as end:
        clog(end, end.client)
        await end.upstream.send(HELLO + MASKED_HELLO)
        await end.relay_ended.wait()
        await settled()
        assert await rest_behind_it(end.client) == HELLO + CLOSE_1014
        assert await end.both_close() == 0


async def test_the_backlog_is_sent_before_the_gateway_stops(autojump_clock: MockClock) -> None:
    async with parting("hixie-76") as end:
        clog(end, end.client)
        await end.upstream.send(HELLO)
        await settled()
        end.dismiss()
        await end.relay_ended.wait()
        await settled()
        await end.client.send(b"\xff\x00")
        assert await rest_behind_it(end.client) == HIXIE_HELLO + b"\xff\x00"


async def test_the_backlog_for_the_source_is_sent_before_its_answer(autojump_clock: MockClock) -> None:
    async with parting() as end:
        clog(end, end.client)
        await end.upstream.send(HELLO)
        await settled()
        await end.client.send(MASKED_CLOSE_1000)
        await end.relay_ended.wait()
        await end.upstream.send(CLOSE_1000)
        await settled()
        assert await rest_behind_it(end.client) == HELLO + CLOSE_1000


async def test_an_upstream_that_reads_only_while_it_is_read_gets_a_close_and_its_replies_arrive(
    autojump_clock: MockClock,
) -> None:
    async with parting() as end:
        clog(end, end.upstream)
        await end.client.send(MASKED_HELLO + MASKED_CLOSE_1000)
        await end.relay_ended.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.client.exactly, 7 * 60_000)
            await end.upstream.send(HELLO * 60_000)
        await end.upstream.send(CLOSE_1000)
        assert await rest_behind_it(end.upstream) == MASKED_HELLO + MASKED_CLOSE_1000
        assert await end.client.rest() == CLOSE_1000
        assert await end.both_close() == 0


async def test_a_hixie_client_that_reads_slowly_has_as_long_as_others_for_its_backlog(
    autojump_clock: MockClock,
) -> None:
    """The gateway does not wait for its answer; but the side still gets the bytes before the Close."""
    async with parting("hixie-76") as end:
        clog(end, end.client)
        await end.upstream.send(HELLO + CLOSE_1000)
        await end.relay_ended.wait()
        await trio.sleep(CLOSE_SECONDS - 1)
        assert await rest_behind_it(end.client) == HIXIE_HELLO + b"\xff\x00"


async def test_bytes_of_a_client_are_passed_on_even_if_the_first_frame_of_its_upstream_is_a_close(
    autojump_clock: MockClock,
) -> None:
    """Both have sent something together with the handshake; the upstream's ends the relay."""
    with session() as pair:
        pair.upstream.early = CLOSE_1000
        pair.client.early = MASKED_HELLO[:4]
        end = Parting(pair)
        with trio.fail_after(LONG_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(end.engine.run)
                nursery.start_soon(end.alarms.run)
                nursery.start_soon(end.run)
                assert await end.client.exactly(4) == CLOSE_1000
                await end.client.send(MASKED_HELLO[4:] + MASKED_CLOSE_1000)
                assert await end.upstream.rest() == MASKED_HELLO + MASKED_CLOSE_1000
                assert (pair.client.received, pair.upstream.received) == (19, 4)
                nursery.cancel_scope.cancel()


# -- nobody does anything ---------------------------------------------------------------------------------------

# The last bytes of the upstream, and whether the gateway stops then.
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
async def test_a_closing_handshake_with_peers_that_do_nothing_ends_in_bounded_time(
    autojump_clock: MockClock, said: bytes, stop: bool, client: str, clogged: bool
) -> None:
    async with parting(client) as end:
        if clogged:
            clog(end, end.client)
            clog(end, end.upstream)
        await end.upstream.send(said)
        await settled()
        if stop:
            end.dismiss()
        assert await end.over() <= CLOSE_STEPS * CLOSE_SECONDS
