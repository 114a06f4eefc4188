"""The census of a gateway: what its workers count arrives, and the sessions of a worker that dies are taken back."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.openings import BY_DIALECT
from tests.support import Running, Upstream, configuration, serving
from wsgateway.census.keeper import FLUSH_SECONDS
from wsgateway.census.tally import Counts
from wsgateway.run.gateway import Gateway as OwnGateway
from wsgateway.run.service import COUNT_SECONDS, COUNTS_AT_ONCE
from wsgateway.settings.load import parse

from .gateways import Gateway, supervised, whole

OLD = BY_DIALECT["hixie-76"]
PROFILE = {
    "dialect": "hixie-76",
    "route": "all",
    "listener": "public",
    "host": "example.com",
    "origin": "http://example.com",
    "agent": "",
    "tls": "",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


async def known(gateway: Gateway, dialect: str = "hixie-76", **expected: object) -> dict[str, Any]:
    """Return what the census says of a dialect, when it says what is expected."""
    while True:
        found: dict[str, Any] = (await gateway.status())["census"]["dialects"][dialect]
        if expected.items() <= found.items():
            return found
        await trio.sleep(0.1)


async def test_sessions_are_in_the_census_while_they_run_and_a_dead_worker_has_none(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, whole(upstream.port)) as gateway:
        nobody = await known(gateway, "hybi-01", open=0)
        assert nobody == {"open": 0, "sessions": 0, "first_seen": None, "last_seen": None, "refused": {}}
        client = await gateway.connect(OLD.request)
        await upstream.agree()
        await OLD.accepted(client)
        found = await known(gateway, open=1)
        assert (found["sessions"], found["refused"]) == (1, {})
        assert found["first_seen"] <= found["last_seen"]
        [pid] = await gateway.pids()
        os.kill(pid, signal.SIGKILL)
        assert (await known(gateway, open=0))["sessions"] == 1


async def test_refused_clients_are_in_the_census_with_the_reason(file: Path) -> None:
    async with supervised(file, whole(9, route="dialects: [rfc6455]")) as gateway:
        client = await gateway.connect(OLD.request)
        assert b" 400 " in await client.head()
        found = await known(gateway, refused={"dialect-refused": 1})
        assert (found["sessions"], found["last_seen"]) == (0, None)


async def counts_of(gateway: Running) -> list[dict[str, Any]]:
    """Take what is to be sent now: dialects and listeners are those of all sessions here."""
    received: list[Any] = []

    async def take(counts: list[Counts]) -> None:
        received.extend(counts)

    await gateway.service.send_last_counts(take)
    assert all(each.pop("profile") == PROFILE and each.pop("oddities") == [] for each in received)
    return received


async def test_a_session_is_counted_from_its_beginning_to_its_end() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(OLD.request)
        behind, _ = await upstream.agree()
        await OLD.accepted(client)
        await client.send(b"\x00Hello\xff")
        await behind.exactly(11)
        assert await counts_of(gateway) == [{"sessions": 1, "open": 1, "through": [1, 0, 7, 0]}]
        assert await counts_of(gateway) == []
        await client.close()
        await behind.close()
        await gateway.lines.line("session")
        assert await counts_of(gateway) == [{"open": -1}]


async def test_more_counts_than_go_into_a_message_are_sent_in_several() -> None:
    messages: list[int] = []

    async def take(counts: list[Counts]) -> None:
        messages.append(len(counts))

    async with Upstream() as upstream, serving(upstream.port, route="dialects: [rfc6455]") as gateway:
        for number in range(COUNTS_AT_ONCE + 1):
            refused = OLD.request.replace(b"Host: ", b"User-Agent: %d\r\nHost: " % number)
            client = await gateway.connect(refused)
            assert await client.rest()
        await gateway.service.send_last_counts(take)
    assert messages == [COUNTS_AT_ONCE, 1]


async def test_counts_are_sent_every_three_seconds(autojump_clock: MockClock) -> None:
    times: list[float] = []

    async def take(counts: list[Counts]) -> None:
        times.append(trio.current_time())

    async with serving(9, route="dialects: [rfc6455]") as gateway, trio.open_nursery() as nursery:
        begun = trio.current_time()
        nursery.start_soon(gateway.service.send_counts, take)
        for seconds in (1, 4, 7):
            await trio.sleep_until(begun + seconds)
            client = await gateway.connect(OLD.request)
            assert await client.rest()
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert times == [begun + 3, begun + 6, begun + 9]


def test_little_is_lost_with_a_process_that_is_killed() -> None:
    assert COUNT_SECONDS + FLUSH_SECONDS < 10


async def test_a_gateway_inside_a_program_has_a_census_in_its_status() -> None:
    gateway = OwnGateway(parse(configuration(9), "settings"))
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.serve)
        census = gateway.status()["census"]
        assert census["dialects"]["hixie-75"]["last_seen"] is None
        nursery.cancel_scope.cancel()
