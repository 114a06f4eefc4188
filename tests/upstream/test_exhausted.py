"""A gateway without free descriptors when it needs to connect: its own fault, for which no target is blamed."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from tests.openings import BY_DIALECT
from tests.serve.exchanging import HTTP_GET, serving_http
from tests.support import PATIENCE_SECONDS, Lines, Upstream, serving
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import ProbeRequest, probe
from wsgateway.settings.basics import Address, Url
from wsgateway.settings.health import ActiveCheck, HealthChecks
from wsgateway.settings.upstreams import Target
from wsgateway.settings.upstreams import Upstream as Settings
from wsgateway.upstream.connect import ExhaustedError, connect_to
from wsgateway.upstream.pool import Pool

from .pooled import Resolver

MODERN = BY_DIALECT["rfc6455"]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Allow no new descriptor. Those that are open keep working, and one that is closed makes room for no other."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_clients_get_503_with_retry_after_and_no_target_is_blamed() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        clients = [await gateway.connect() for _ in range(6)]
        await gateway.accepted(6)
        with no_descriptors():
            for client in clients:
                await client.send(MODERN.request)
                answer = await client.rest()
                assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert b"\r\nRetry-After: 1\r\n" in answer
                assert answer.endswith(b"\r\n\r\n503 Service Unavailable: out-of-resources\n")
        [line] = gateway.lines.every("cannot connect")  # once, not for each client
        assert (line["level"], line["upstream"], line["why"]) == ("error", "behind", "Too many open files")
        told = gateway.service.status()
        assert told["refused"] == {"503": {"out-of-resources": 6}}
        pool = gateway.service.status()["pools"]["behind"]  # type: ignore[index]
        assert (pool["failures"], pool["targets"][0]["state"]) == ({}, "up")

        gateway.close()
        await gateway.accepted(0)
        client = await gateway.connect(MODERN.request)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        last = await gateway.connect()
        await gateway.accepted(2)
        with no_descriptors():
            await last.send(MODERN.request)
            await last.rest()
        assert len(gateway.lines.every("cannot connect")) == 2


async def test_plain_http_gets_the_same_answer() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect()
        await gateway.accepted(1)
        with no_descriptors():
            await client.send(HTTP_GET)
            assert (await client.rest()).startswith(b"HTTP/1.1 503 ")
        assert not gateway.lines.every("upstream failed")


async def test_a_check_that_cannot_be_made_changes_no_state() -> None:
    lines = Lines()
    async with Upstream() as upstream:
        target = Target(Url("127.0.0.1", upstream.port, f"ws://127.0.0.1:{upstream.port}"))
        health = HealthChecks(active=ActiveCheck(interval_seconds=0.01, fall=1))
        pool = Pool(Settings((target,), name="chat", health=health), lines.log(), Resolver())
        async with trio.open_nursery() as nursery:
            with no_descriptors():
                nursery.start_soon(pool.run)
                await lines.line("cannot connect", upstream="chat", why="Too many open files")
            await upstream.accept()
            nursery.cancel_scope.cancel()
        assert [entry["event"] for entry in lines.entries] == ["cannot connect"]


async def test_no_address_of_a_name_is_blamed() -> None:
    with no_descriptors():
        refused: dict[int, str] = {}
        with pytest.raises(ExhaustedError, match="Too many open files"):
            await connect_to([Address("127.0.0.1", 9), Address("127.0.0.2", 9)], "a:9", PATIENCE_SECONDS, refused)
    assert refused == {}


async def test_a_probe_reports_why_it_cannot_connect() -> None:
    question = ProbeRequest("ws://127.0.0.1:9", DIALECTS["rfc6455"])
    with no_descriptors():
        report = await probe(question, lambda line: None)
    assert report.error == "no connection: Too many open files"
