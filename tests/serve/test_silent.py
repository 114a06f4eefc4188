"""Connections without a request, such as checks of load balancers: they are counted, but not logged at level info."""

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.net.certificates import Authority
from tests.support import Upstream, serving

PROXIED = 'proxy_protocol: {accept: required, trusted: ["127.0.0.1"]}'


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
@pytest.mark.parametrize("kind", ["plain", "TLS", "PROXY"])
async def test_a_check_that_only_connects_is_quiet_and_counted(kind: str, reset: bool, authority: Authority) -> None:
    file = authority.issue("localhost")
    listener = {
        "plain": "",
        "TLS": f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]}}",
        "PROXY": PROXIED,
    }[kind]
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        peer = await gateway.connect()
        if reset:
            peer.reset()
        else:
            await peer.close()
        line = await gateway.lines.line("disconnected")
        assert line["level"] == "debug"
        assert line["why"].startswith(("without a request", "inside its TLS handshake"))
        assert gateway.service.status()["disconnected"] == {"disconnected-early": 1}
        assert upstream.nobody_came()


async def test_a_client_that_is_lost_inside_its_request_is_news() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        peer = await gateway.connect(b"GET / HT")
        await wait_all_tasks_blocked(0.05)
        peer.reset()
        assert (await gateway.lines.line("disconnected"))["level"] == "info"
        assert gateway.service.status()["disconnected"] == {"disconnected-by-reset": 1}
