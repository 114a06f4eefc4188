"""The page of a real gateway, with everything that the rules and the board ask for."""

from collections.abc import Iterator
from pathlib import Path

from tests.exposition import families
from tests.run.gateways import supervised, tls, whole

from .promql import grouped, selectors

# Prometheus puts these on every series.
OF_PROMETHEUS = {"instance": "127.0.0.1:9901", "job": "wsgateway"}

Samples = dict[str, list[dict[str, str]]]
"""the labels of all series, by their names"""


async def samples_of_a_gateway(file: Path, certificate: Path) -> Samples:
    """Return what Prometheus reads of a gateway that has served nobody yet, and has this certificate."""
    found: Samples = {}
    async with supervised(file, whole(9, listener=tls(certificate))) as gateway:
        _, body = await gateway.ask("/metrics")
    for family in families(body.decode()).values():
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels) | OF_PROMETHEUS)
    return found


def faults(expression: str, known: Samples) -> Iterator[str]:
    """Yield what an expression asks for and does not exist."""
    labels: set[str] = set()
    for selector in selectors(expression):
        series = known.get(selector.metric, [])
        if not any(selector.takes(each) for each in series):
            yield f"{selector.metric}{selector.matchers}: there is no such series, or none with these labels"
        missing = {name for name, _, _ in selector.matchers} - {name for each in series for name in each}
        yield from (f"{selector.metric}: it has no label {name}" for name in missing)
        labels |= {name for each in series for name in each}
    yield from (f"no label {name} to group by in {expression}" for name in grouped(expression) - labels)
