"""What happens once raises its counters by one, and no other counter."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import trio

from tests.heads import head_of
from tests.openings import BY_DIALECT, opened
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, serving_http
from tests.support import Running, Upstream
from wsgateway.observe.metrics import COUNTERS, numbers

MODERN = BY_DIALECT["rfc6455"]
# What the supervisor and the writer of the log count: their own tests drive these.
ELSEWHERE = {"worker_restarts", "log_lines_dropped"}

Steps = dict[str, dict[tuple[str, ...], float]]
"""by the name of a series, and by the values of its labels"""


def counted(gateway: Running) -> Steps:
    """Return all counters, as Prometheus gets them."""
    status = {"gateway": gateway.service.status()}
    return {series.name: numbers(status, series) for series in COUNTERS}


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
    await session.client.close()
    await session.behind.close()


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
            "messages": {("in",): 1, ("out",): 1},
            # Hello is 11 bytes with a mask and 7 without; a Close with a code 8 and 4.
            "bytes": {("in",): 11 + 8, ("out",): 7 + 4},
            "target_served": {("chat", "ws"): 1},
        },
    ),
    Deed(
        be_odd,
        {
            "sessions_opened": {("hixie-76",): 1},
            "sessions_ended": {("hixie-76",): 1},
            "sessions_ended_by": {("client", "closed"): 1},
            "bytes": {("in",): 4, ("out",): 2},
            "target_served": {("chat", "ws"): 1},
            "oddities": {("empty-lines",): 1},
            "passed_over_frames": {(): 1},
        },
    ),
    Deed(ask_for_nothing, EARLY),
    Deed(be_refused, {"refused": {("400", "not-http"): 1}}),
    Deed(
        be_one_too_many,
        {
            "refused": {("503", "listener-full"): 1},
            "disconnected": {("disconnected-early",): 2},
        },
    ),
    Deed(be_failed, {"target_failures": {("chat", "ws", "target-lost"): 1}, "refused": {("502", "target-lost"): 1}}),
    Deed(read_a_page, {"http_exchanges": {("2xx",): 1}, "target_served": {("site", "http"): 1}} | IDLE),
    Deed(miss_a_page, {"http_exchanges": {("4xx",): 1}, "target_served": {("site", "http"): 1}} | IDLE),
    Deed(ask_for_a_policy, {"flash_policies": {(): 1}}),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.do.__name__)
async def test_each_deed_raises_its_counters_by_one_and_no_others(deed: Deed) -> None:
    listener = "flash_policy: {mode: inline}, max_connections: 2"
    async with Upstream() as upstream, serving_http(upstream.port, listener=listener) as gateway:
        for times in (1, 2):
            await deed.do(upstream, gateway)
            await all_gone(gateway)
            expected = {name: {labels: times * step for labels, step in of.items()} for name, of in deed.steps.items()}
            told = {name: without_ports(of) for name, of in counted(gateway).items()}
            assert {name: of for name, of in told.items() if of} == expected


def test_every_counter_of_a_service_has_been_driven() -> None:
    driven = {name for deed in DEEDS for name in deed.steps}
    assert driven == {series.name for series in COUNTERS} - ELSEWHERE
