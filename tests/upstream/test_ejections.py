"""Addresses that are ejected because they fail clients, and the limits of what one client can cause."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of
from tests.openings import RFC6455
from tests.support import Running, Upstream, serving_text
from wsgateway.errors import Reason, UpstreamError
from wsgateway.settings.basics import Url
from wsgateway.settings.health import HealthChecks, PassiveCheck
from wsgateway.settings.upstreams import Target
from wsgateway.upstream.pool import Pool

from .pooled import CUT, FAILED, NAMED, A, Resolver, pool_of
from .targets import MODERN, several

TRUSTING = 'forwarded: {trusted: ["127.0.0.1"]}'
HTTP = ("Host: example.com",)
CLIENTS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


def states(pool: Pool) -> list[object]:
    targets = pool.status()["targets"]
    assert isinstance(targets, list)
    return [each["state"] for each in targets]


# -- how many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)])
async def test_at_most_half_of_all_rounded_up_are_ejected_and_never_the_last(
    count: int, most: int, autojump_clock: MockClock
) -> None:
    targets = [Target(Url(f"192.0.2.{at}", 80, f"ws://192.0.2.{at}")) for at in range(count)]
    pool = pool_of(*targets, health=HealthChecks(passive=PassiveCheck(failures=1)))
    for target_address in pool.addresses:
        pool.failed(target_address, FAILED, "192.0.2.7")
    assert states(pool).count("ejected") == most
    await trio.sleep(29)
    for target_address in pool.addresses:
        pool.failed(target_address, FAILED, "192.0.2.7")
    assert states(pool).count("ejected") == most


async def test_an_address_that_must_stay_is_ejected_once_another_one_is_back(autojump_clock: MockClock) -> None:
    pool = pool_of(
        *(replace(A, url=replace(A.url, host=f"192.0.2.{at}")) for at in range(4)),
        health=HealthChecks(passive=PassiveCheck(1)),
    )
    for target_address in pool.addresses[:3]:
        pool.failed(target_address, FAILED, "192.0.2.7")
    assert states(pool) == ["ejected", "ejected", "up", "up"]
    await trio.sleep(30)
    pool.failed(pool.addresses[2], FAILED, "192.0.2.7")
    assert states(pool) == ["up", "up", "ejected", "up"]


async def test_an_address_that_is_down_does_not_count_as_another_one(autojump_clock: MockClock) -> None:
    pool = pool_of(
        A, replace(A, url=replace(A.url, host="192.0.2.8")), health=HealthChecks(passive=PassiveCheck(failures=1))
    )
    for _ in range(3):
        pool.checked(pool.addresses[1], FAILED)
    pool.failed(pool.addresses[0], FAILED, "192.0.2.7")
    assert states(pool) == ["up", "down"]


async def test_addresses_of_a_name_count_each_for_itself(autojump_clock: MockClock) -> None:
    resolver = Resolver(*(f"192.0.2.{at}" for at in range(3)))
    upstream = replace(pool_of(NAMED).upstream, health=HealthChecks(passive=PassiveCheck(failures=1)))
    pool = Pool(upstream, pool_of(A).log, resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await pool.settled(1)
        for target_address in pool.addresses:
            pool.failed(target_address, FAILED, "192.0.2.7")
        assert states(pool) == ["ejected", "ejected", "up"]
        pool.close()


# -- by what ---------------------------------------------------------------------------------------------------------

KINDS = {
    "unreachable": (FAILED, True),
    "cut": (CUT, False),
    "silent": (UpstreamError(Reason.TARGET_SILENT, "silent"), False),
    "502": (UpstreamError(Reason.TARGET_UNAVAILABLE, "answered 502", 502), None),
    "503": (UpstreamError(Reason.TARGET_UNAVAILABLE, "answered 503", 503), None),
}


@pytest.mark.parametrize(("error", "by_one"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("statuses", [(), (503,)])
async def test_failures_that_a_client_can_cause_count_only_from_several_clients(
    error: UpstreamError, by_one: bool | None, statuses: tuple[int, ...], autojump_clock: MockClock
) -> None:
    passive = PassiveCheck(statuses=statuses)
    pool = pool_of(A, replace(A, url=replace(A.url, host="192.0.2.8")), health=HealthChecks(passive=passive))
    for _ in range(20):
        pool.failed(pool.addresses[0], error, CLIENTS[0])
    assert (states(pool)[0] == "ejected") is bool(by_one)
    for client in CLIENTS[1:]:
        pool.failed(pool.addresses[0], error, client)
    counts = by_one is not None or error.status in statuses
    assert (states(pool)[0] == "ejected") is counts


# -- in a gateway ----------------------------------------------------------------------------------------------------


async def fail(gateway: Running, upstream: Upstream, client: str, answer: bytes, plain: bool) -> None:
    """Let a client send a request that the upstream answers with this and a close."""
    headers = HTTP if plain else RFC6455
    peer = await gateway.connect(head_of("GET /broken HTTP/1.1", *headers, f"X-Forwarded-For: {client}"))
    behind = await upstream.accept()
    await behind.head()
    await behind.send(answer)
    await behind.close()
    await peer.head()
    await peer.close()


BROKEN = {
    "hangs up": (b"", 1, ""),
    "hangs up, three clients": (b"", 3, ""),
    "503": (head_of("HTTP/1.1 503 Busy", "Content-Length: 0"), 3, ""),
    "503 that counts": (head_of("HTTP/1.1 503 Busy", "Content-Length: 0"), 3, "503"),
    "503 that counts, one client": (head_of("HTTP/1.1 503 Busy", "Content-Length: 0"), 1, "503"),
    "500 that counts": (head_of("HTTP/1.1 500 No", "Content-Length: 0"), 3, "500"),
}


@pytest.mark.parametrize("plain", [False, True], ids=["websocket", "http"])
@pytest.mark.parametrize(("answer", "clients", "status"), BROKEN.values(), ids=BROKEN)
async def test_a_path_on_which_the_application_fails_ejects_no_address_unless_several_clients_request_it(
    answer: bytes, clients: int, status: str, plain: bool
) -> None:
    more = f"retry: {{attempts: 1}}, health: {{passive: {{statuses: [{status}]}}}}"
    async with Upstream() as upstream, Upstream() as other:
        # The other target is only for the time when this one cannot be used.
        text = several(upstream.port, f'url: "ws://127.0.0.1:{other.port}", backup: true', more=more)
        async with serving_text(text.replace("name: public,", f"name: public, {TRUSTING},")) as gateway:
            for number in range(12):
                if gateway.lines.every("target ejected"):
                    break
                await fail(gateway, upstream, CLIENTS[number % clients], answer, plain)
            ejected = clients == 3 and bool(status or not answer)
            assert bool(gateway.lines.every("target ejected")) is ejected
            if ejected:
                assert number == 5


async def test_a_target_with_an_untrusted_certificate_is_ejected_for_all_clients() -> None:
    async with Upstream() as mute, Upstream() as good:
        # It accepts, but does not speak TLS: it closes instead.
        text = several(f'url: "wss://127.0.0.1:{mute.port}"', good.port, pages='{url: "http://a"}')
        async with serving_text(text) as gateway:
            for _ in range(5):
                client = await gateway.connect(MODERN.request)
                await (await mute.accept()).close()
                await good.agree()
                assert (await client.head()).startswith(b"HTTP/1.1 101 ")
                other = await gateway.connect(MODERN.request)
                await good.agree()
                await other.head()
            await gateway.lines.line("target ejected", target=f"wss://127.0.0.1:{mute.port}")
