"""Relays that the gateway closes, and the check that the loop runs."""

import trio
from trio.testing import MockClock

from wsgateway.errors import Reason
from wsgateway.relay.closing import ServerClose

from .sessions import settled
from .stage import HELLO, staged

STOPPED = ServerClose(Reason.GATEWAY_STOPPING, "stopped", 1012)


async def test_a_relay_that_the_gateway_closes_ends_and_the_others_go_on() -> None:
    async with staged() as stage:
        sessions = [stage.session() for _ in range(3)]
        relays = []
        for each in sessions:
            relays.append(stage.relay(each))
            await settled()
        stage.engine.close(sessions[1].client, STOPPED)
        ended = await relays[1].ended()
        assert (ended.source, ended.ending) == (None, STOPPED)
        stage.engine.close(sessions[1].client, STOPPED)  # it changes nothing
        assert len(stage.engine) == 2
        assert list(stage.engine.clients()) == [sessions[0].client, sessions[2].client]
        await sessions[2].at_upstream.send(HELLO)
        assert await sessions[2].at_client.exactly(len(HELLO)) == HELLO


async def test_the_first_of_two_ends_in_one_turn_is_told() -> None:
    """Both connections may fail in one turn, and the gateway may close a relay whose end is still to be told."""
    async with staged() as stage:
        pair = stage.session()
        relay = stage.relay(pair)
        await settled()
        stage.engine.close(pair.client, STOPPED)
        stage.engine.close(pair.client, ServerClose(Reason.IDLE_TIMEOUT, "idle"))
        assert (await relay.ended()).ending == STOPPED


async def test_the_oldest_relay_comes_first_whatever_the_numbers_of_its_sockets() -> None:
    async with staged() as stage:
        first, second, third = stage.session(), stage.session(), stage.session()
        for each in (second, third, first):
            stage.relay(each)
            await settled()
        assert list(stage.engine.clients()) == [second.client, third.client, first.client]


async def test_the_loop_reports_that_it_runs_even_if_no_bytes_come(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        await trio.sleep(5.0)
        assert trio.current_time() - stage.engine.turned < 0.2
