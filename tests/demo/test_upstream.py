"""Which clients the upstream accepts, directly and through the gateway."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.trio.client import connect

from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import ProbeRequest, probe
from wsgateway.settings.addresses import target_url
from wsgateway.settings.basics import Address
from wsgateway.trace.transcript import Line

from .fetching import fetch


async def test_another_path_is_not_found(upstream: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"{upstream}/chatter", proxy=None):
            raise AssertionError("nobody is there")
    assert caught.value.response.status_code == 404


async def test_plain_http_is_answered_with_what_the_server_speaks(upstream: str) -> None:
    place = target_url(upstream)
    response = await fetch(Address(place.host, place.port), "/echo")
    assert response.status == 426
    assert response.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in ("hybi-08", "rfc6455")])
async def test_a_client_of_an_old_dialect_needs_the_gateway(upstream: str, demo: Demo, name: str) -> None:
    dialect = DIALECTS[name]
    lines: list[Line] = []
    alone = await probe(ProbeRequest(f"{upstream}/echo", dialect, "hello"), lines.append)
    assert (alone.accepted, alone.error) == (False, "the server answered 426 Upgrade Required")
    through = await probe(ProbeRequest(f"ws://{demo.gateway}/echo", dialect, "hello"), lines.append)
    assert (through.accepted, through.error, through.closed) == (True, None, "closed by both")
