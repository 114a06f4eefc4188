"""The page of metrics is bounded: clients make nothing of it longer, and its length follows from the configuration."""

import re
import socket
from typing import Any, get_type_hints

import pytest
import trio

from tests.documents import MANUAL, text
from tests.exposition import families
from tests.heads import head_of
from tests.support import Lines, configuration
from wsgateway.errors import HttpRefusal
from wsgateway.net.channel import Channel
from wsgateway.observe.metrics import exposition
from wsgateway.observe.names import names_of
from wsgateway.observe.status import ProcessFigures
from wsgateway.serve.actions import Receive
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.request import Client, RequestContext
from wsgateway.serve.requests import open_session
from wsgateway.settings.load import parse

# Each of them has a host, an agent, an origin and a path that nobody has had before.
CLIENTS = 10_000


def series(state: GatewayState, file: str) -> set[tuple[str, ...]]:
    """Return all series of the page by name and labels."""
    status: Any = {"gateway": state.status(), "names": names_of(parse(file, "test.yaml"))}
    page = exposition(status).decode()
    return {
        (each.name, *map("=".join, sorted(each.labels.items())))
        for family in families(page).values()
        for each in family.samples
    }


def made_up(number: int) -> bytes:
    """Return a request of a client that nobody knows, for a path that no route takes."""
    return head_of(
        f"GET /path-{number} HTTP/1.1",
        f"Host: host-{number}.example",
        f"Origin: http://origin-{number}.example",
        f"User-Agent: agent-{number}/{number}.0",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Version: {13 if number % 2 else 100 + number}",
        f"Sec-WebSocket-Protocol: protocol-{number}",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )


async def test_ten_thousand_hosts_agents_origins_and_paths_add_no_series() -> None:
    file = configuration(9, path="/chat")
    state = GatewayState(parse(file, "test.yaml"), Lines().log())
    before = series(state, file)
    client_end, gateway_end = socket.socketpair()
    with client_end, gateway_end:
        for number in range(CLIENTS):
            client = Client(Channel(gateway_end), "192.0.2.1", 1, None, trio.current_time())
            context = RequestContext(state, state.listener_states["public"], client)
            with Cleanup() as cleanup:
                machine = open_session(context, cleanup)
                assert isinstance(next(machine), Receive)
                with pytest.raises(HttpRefusal) as refusal:
                    machine.send(made_up(number))
            context.refused(refusal.value)
    told = state.status()
    assert told["refused_by"]["listener"] == {"public": CLIENTS}
    assert told["refused_by"]["dialect"] == {"rfc6455": CLIENTS / 2, "none": CLIENTS / 2}
    assert series(state, file) == before


SAYS = (
    r"It has less than (\d+) series, and for each route (\d+) more, for each listener (\d+), upstream (\d+), target"
    r" (\d+), address of a target (\d+), and worker (\d+)\."
)


def count(listeners: int = 0, routes: int = 0, upstreams: int = 0, targets: int = 0, workers: int = 0) -> int:
    """Return how many series a page has; each of the targets is one of each upstream, and has one address."""
    names: dict[str, Any] = {
        "listeners": [f"listener-{number}" for number in range(listeners)],
        "routes": [f"route-{number}" for number in range(routes)],
        "upstreams": {f"up-{at}": [f"ws://10.0.{at}.{n}" for n in range(targets)] for at in range(upstreams)},
    }
    facts = {"state": "up", "weight": 1, "backup": False, "open": 0}
    pools = {
        name: {"balance": "random", "targets": [{"url": url, "address": url, **facts} for url in urls]}
        for name, urls in names["upstreams"].items()
    }
    of_process = {key: 1 for key in get_type_hints(ProcessFigures) if key != "process"}
    status: Any = {
        "gateway": {"pools": pools, "connections": {name: {"open": 0, "cap": 9} for name in names["listeners"]}},
        "workers": [{"worker": n, "state": "serving", "loop_lag_seconds": 0.0} for n in range(workers)],
        "processes": [{"process": f"worker-{number}"} | of_process for number in range(workers)],
        "names": names,
    }
    return sum(not line.startswith("#") for line in exposition(status).decode().splitlines())


def test_the_length_of_the_page_is_what_the_manual_says() -> None:
    [said] = re.findall(SAYS, " ".join(text(MANUAL).split()))
    most, route, listener, upstream, target, address, worker = map(int, said)
    base = count()
    assert base < most
    assert count(routes=1000) == base + 1000 * route
    assert count(listeners=100) == base + 100 * listener
    assert count(upstreams=100) == base + 100 * upstream
    assert count(upstreams=10, targets=20) == base + 10 * upstream + 200 * (target + address)
    assert count(workers=8) == base + 8 * worker
