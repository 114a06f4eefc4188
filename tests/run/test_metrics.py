"""The metrics of a whole gateway: each figure of the status has one, and no counter falls."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.openings import BY_DIALECT
from tests.support import Upstream
from wsgateway.dialects import DIALECTS
from wsgateway.observe.metric import EACH, Facts, IsThere, OneOf, PathStep
from wsgateway.observe.series import FAMILIES

from .gateways import PLAIN, Gateway, supervised, whole

MODERN = BY_DIALECT["rfc6455"]
# What is no figure, and what others tell: `gateway` has all that each worker says, and `served` and `failures` of a
# pool count for its targets also when their addresses are gone. `census` counts the same for longer.
NO_SERIES = {
    "not_serving",
    "reload.why",
    "configuration.file",
    "workers[].worker",
    "workers[].pid",
    "workers[].restarts",
    "workers[].age_seconds",
    "addresses.public[]",
    "names.listeners[]",
    "names.routes[]",
    "names.upstreams.behind[]",
    "processes[].process",
    "gateway.draining",
    "gateway.pools.*.targets[].url",
    "gateway.pools.*.targets[].address",
    "gateway.pools.*.targets[].last_failure",
    "gateway.pools.*.targets[].last_reason",
    "gateway.pools.*.targets[].served",
    "gateway.pools.*.targets[].failures",
}


def spelt(path: tuple[PathStep, ...]) -> str:
    """Return a path as `figures` writes it."""
    text = ""
    for step in path:
        match step:
            case tuple():
                text += "[]"
            case str():
                text += f".{step}"
            case OneOf() | IsThere():
                pass
            case Facts((first, *_)):  # all of them stand beside each other
                text += f".{first}"
    return text.removeprefix(".")


def figures(told: Any, known: set[str], path: str = "") -> Iterator[str]:
    """Yield the paths of all figures in a status. Keys that are names of dialects, routes and others stand as EACH."""
    if path in known:  # a number, a text, or a histogram
        yield path
    elif isinstance(told, dict):
        for key, value in told.items():
            below = f"{path}.{key}".removeprefix(".")
            each = f"{path}.{EACH}"
            yield from figures(
                value, known, each if any(f"{name}.".startswith(f"{each}.") for name in known) else below
            )
    elif isinstance(told, list):
        for row in told:
            yield from figures(row, known, f"{path}[]")
    else:
        yield path


async def session(gateway: Gateway, upstream: Upstream, first: bytes) -> None:
    """Have a session from its begin to its end."""
    client = await gateway.connect(first)
    behind, _ = await upstream.agree()
    await client.head()
    await behind.close()
    await client.rest()
    await client.close()


async def samples(gateway: Gateway) -> dict[tuple[str, ...], float]:
    """Return what Prometheus reads, by name and labels."""
    status, body = await gateway.ask("/metrics")
    assert status == 200
    return {
        (sample.name, *map("=".join, sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


async def test_each_figure_of_the_status_has_its_metric_and_no_counter_falls_when_a_worker_is_replaced(
    tmp_path: Path,
) -> None:
    async with Upstream() as upstream, supervised(tmp_path / "gateway.yaml", whole(upstream.port, 2)) as gateway:
        for _ in range(4):
            await session(gateway, upstream, MODERN.request)
        for request in (b"GET /", PLAIN, MODERN.request):
            client = await gateway.connect(request)
            if request is MODERN.request:
                await (await upstream.accept()).close()
            await client.send_eof()
            await client.rest()
            await client.close()
        open_client = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        await open_client.head()
        await gateway.lines.line("worker serves", worker=2)

        status = await gateway.status()
        known = {spelt(series.path) for _, several in FAMILIES for series in several} | {"build.python", "build.relay"}
        told = {path for path in figures(status, known) if not path.startswith(("workers[].status", "census."))}
        assert told - known == NO_SERIES
        assert {"gateway.sessions.*.*", "gateway.refused.*.*", "gateway.pools.*.served.*"} <= told

        before = await samples(gateway)
        assert sum(value for (name, *_), value in before.items() if name == "wsgateway_sessions") == 1
        target = "target=ws://127.0.0.1:" + str(upstream.port)
        assert before["wsgateway_target_served_total", target, "upstream=behind"] >= 5
        for worker in status["workers"]:
            os.kill(worker["pid"], signal.SIGKILL)
        await gateway.lines.nth("worker serves", 4)
        after = await samples(gateway)
        # What the system counts of a process begins again with the next one.
        rising = re.compile("wsgateway_.+_(total|bucket|sum|count)")
        fallen = {key for key, value in before.items() if rising.fullmatch(key[0]) and after.get(key, -1) < value}
        assert fallen == set()
        assert after["wsgateway_worker_restarts_total",] == 2
        # Where nobody is connected, a sum is still a number.
        sessions = {key: value for key, value in after.items() if key[0] == "wsgateway_sessions"}
        assert sessions == {("wsgateway_sessions", f"dialect={name}", "route=all"): 0 for name in DIALECTS}
        await open_client.rest()
        await behind.rest()
