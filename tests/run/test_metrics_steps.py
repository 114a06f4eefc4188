"""What happens once raises its counters by one, and no other counter; all are there with 0 before."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of
from tests.openings import BY_DIALECT, opened
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, http_configuration, serving_http
from tests.support import Running, Upstream, configuration, serving
from wsgateway.observe.metrics import histograms, numbers
from wsgateway.observe.names import names_of
from wsgateway.observe.series import COUNTERS, HISTOGRAMS
from wsgateway.relay.engine import LOOK_SECONDS, LOOKS
from wsgateway.settings.load import parse

MODERN = BY_DIALECT["rfc6455"]
# What the supervisor and the writer of the log count, and time that passes: their own tests drive these.
ELSEWHERE = {"worker_restarts", "log_lines_dropped", "queue_duration_seconds", "loop_lag_seconds"}

Steps = dict[str, dict[tuple[str, ...], float]]
"""by the name of a series, and by the values of its labels"""


def counted(gateway: Running, text: str) -> Steps:
    """Return all counters, and the counts of histograms, as Prometheus gets them of a gateway with this file."""
    status: Any = {"gateway": gateway.service.status(), "names": names_of(parse(text, "test.yaml"))}
    found = {series.name: numbers(status, series) for series in COUNTERS}
    for series in HISTOGRAMS:
        found[series.name] = {
            labels: sum(each.get("buckets", {}).values()) for labels, each in histograms(status, series).items()
        }
    return found


def happened(told: Steps) -> Steps:
    """Return what is not 0, but for what only time drives."""
    return {name: kept for name, of in told.items() if name not in ELSEWHERE and (kept := without_ports(of))}


def without_ports(values: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """Return the values that are not 0, by labels in which the URL of a target is its scheme alone."""
    return {tuple(label.partition("://")[0] for label in labels): value for labels, value in values.items() if value}


async def all_gone(gateway: Running) -> None:
    """Wait until no client is connected any more."""
    while gateway.service.status()["connections"]["public"]["open"]:  # type: ignore[index]
        await trio.lowlevel.checkpoint()


async def have_a_session(upstream: Upstream, gateway: Running) -> None:
    session = await opened(upstream, gateway, MODERN)
    await session.works()
    await session.client.send(session.masked(b"\x88\x02\x03\xe8"))
    await session.behind.frame()
    await session.behind.send(b"\x88\x02\x03\xe8")
    await session.client.frame()
    await session.ends()


async def be_odd(upstream: Upstream, gateway: Running) -> None:
    """Send an empty line before the request, and a frame that has no meaning."""
    old = BY_DIALECT["hixie-76"]
    client = await gateway.connect(b"\r\n" + old.request)
    behind, _ = await upstream.agree()
    await old.accepted(client)
    await client.send(b"\x80\x00\xff\x00")
    await behind.frame()
    await behind.send(b"\x88\x00")
    assert await client.exactly(2) == b"\xff\x00"
    await client.close()
    await behind.close()


async def ask_for_nothing(upstream: Upstream, gateway: Running) -> None:
    await (await gateway.connect()).close()


async def be_refused(upstream: Upstream, gateway: Running) -> None:
    client = await gateway.connect(b"\x00")
    await client.rest()
    await client.close()


async def be_one_too_many(upstream: Upstream, gateway: Running) -> None:
    holding = [await gateway.connect() for _ in range(2)]
    await trio.testing.wait_all_tasks_blocked(0.05)
    client = await gateway.connect()
    assert (await client.rest()).startswith(b"HTTP/1.1 503 ")
    for each in (client, *holding):
        await each.close()


async def be_failed(upstream: Upstream, gateway: Running) -> None:
    client = await gateway.connect(MODERN.request)
    await (await upstream.accept()).close()
    assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
    await client.close()


async def read_a_page(upstream: Upstream, gateway: Running) -> None:
    client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
    await client.exactly(2)
    await client.close()


async def miss_a_page(upstream: Upstream, gateway: Running) -> None:
    client, _ = await answered(upstream, gateway, HTTP_GET, head_of("HTTP/1.1 404 Not Found", "Content-Length: 0"))
    await client.close()


async def ask_for_a_policy(upstream: Upstream, gateway: Running) -> None:
    client = await gateway.connect(b"<policy-file-request/>\0")
    assert (await client.rest()).endswith(b"</cross-domain-policy>\0")
    await client.close()


@dataclass(frozen=True)
class Deed:
    """One thing that happens, and by how much it raises which counters."""

    do: Callable[[Upstream, Running], Awaitable[None]]
    steps: Steps


def turned_away(route: str = "none", dialect: str = "none") -> Steps:
    return {
        "refused_by_listener": {("public",): 1},
        "refused_by_route": {(route,): 1},
        "refused_by_dialect": {(dialect,): 1},
    }


LASTED: Steps = {
    "handshake_duration_seconds": {(): 1},
    "upstream_handshake_duration_seconds": {("chat",): 1},
    "session_duration_seconds": {(): 1},
}
EARLY = {"disconnected": {("disconnected-early",): 1}}
# The connection of a page stays open, and a client that closes it then has left.
IDLE = {"disconnected": {("disconnected-idle",): 1}}
DEEDS = [
    Deed(
        have_a_session,
        {
            "sessions_opened": {("rfc6455",): 1},
            "sessions_ended": {("rfc6455",): 1},
            "sessions_ended_by": {("client", "closed"): 1},
            "messages": {("in", "rfc6455"): 1, ("out", "rfc6455"): 1},
            # Hello is 11 bytes with a mask and 7 without; a Close with a code 8 and 4.
            "bytes": {("in", "rfc6455"): 11 + 8, ("out", "rfc6455"): 7 + 4},
            "target_served": {("chat", "ws"): 1},
            **LASTED,
        },
    ),
    Deed(
        be_odd,
        {
            "sessions_opened": {("hixie-76",): 1},
            "sessions_ended": {("hixie-76",): 1},
            "sessions_ended_by": {("client", "closed"): 1},
            "bytes": {("in", "hixie-76"): 4, ("out", "hixie-76"): 2},
            "target_served": {("chat", "ws"): 1},
            **LASTED,
            "oddities": {("empty-lines",): 1},
            "passed_over_frames": {(): 1},
        },
    ),
    Deed(ask_for_nothing, EARLY),
    Deed(be_refused, {"refused": {("400", "not-http"): 1}} | turned_away()),
    Deed(
        be_one_too_many,
        {
            "refused": {("503", "listener-full"): 1},
            "disconnected": {("disconnected-early",): 2},
            **turned_away(),
        },
    ),
    Deed(
        be_failed,
        {
            "target_failures": {("chat", "ws", "target-lost"): 1},
            "refused": {("502", "target-lost"): 1},
            **turned_away("chat", "rfc6455"),
        },
    ),
    Deed(read_a_page, {"http_exchanges": {("2xx",): 1}, "target_served": {("site", "http"): 1}} | IDLE),
    Deed(miss_a_page, {"http_exchanges": {("4xx",): 1}, "target_served": {("site", "http"): 1}} | IDLE),
    Deed(ask_for_a_policy, {"flash_policies": {(): 1}}),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.do.__name__)
async def test_each_deed_raises_its_counters_by_one_and_no_others(deed: Deed) -> None:
    listener = "flash_policy: {mode: inline}, max_connections: 2"
    async with Upstream() as upstream, serving_http(upstream.port, listener=listener) as gateway:
        text = http_configuration(upstream.port, listener=listener)
        before = counted(gateway, text)
        assert happened(before) == {}
        for times in (1, 2):
            await deed.do(upstream, gateway)
            await all_gone(gateway)
            expected = {name: {labels: times * step for labels, step in of.items()} for name, of in deed.steps.items()}
            told = counted(gateway, text)
            assert happened(told) == expected
            # Prometheus sees no rise of what was not there before.
            assert {name: of.keys() for name, of in told.items()} == {name: of.keys() for name, of in before.items()}


def test_every_counter_of_a_service_has_been_driven() -> None:
    driven = {name for deed in DEEDS for name in deed.steps}
    assert driven == {series.name for series in (*COUNTERS, *HISTOGRAMS)} - ELSEWHERE


async def test_the_time_in_a_queue_is_counted_for_those_that_have_waited_and_no_others(
    autojump_clock: MockClock,
) -> None:
    options = {"target": "max_connections: 1", "behind": "queue: {size: 1, timeout: 2s}"}
    async with Upstream() as upstream, serving(upstream.port, **options) as gateway:
        session = await opened(upstream, gateway, MODERN)
        waiting = await gateway.connect(MODERN.request)
        assert (await waiting.rest()).startswith(b"HTTP/1.1 503 ")
        await session.ends()
        text = configuration(upstream.port, **options)
        status: Any = {"gateway": gateway.service.status(), "names": names_of(parse(text, "test.yaml"))}
    [series] = [series for series in HISTOGRAMS if series.name == "queue_duration_seconds"]
    [(labels, found)] = histograms(status, series).items()
    assert labels == ("behind",)
    assert found["buckets"] == {"2.5": 1}
    assert found["sum"] == pytest.approx(2.0, abs=0.1)


async def test_a_loop_that_stands_still_is_late_by_that_time(mock_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(LOOK_SECONDS / LOOKS + 0.75)
        while not gateway.service.loop_lag:
            await trio.lowlevel.checkpoint()
        assert gateway.service.loop_lag == pytest.approx(0.75)
        assert gateway.service.status()["loop_lag"] == {"buckets": {"1": 1}, "sum": pytest.approx(0.75)}
