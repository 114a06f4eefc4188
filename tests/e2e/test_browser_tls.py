"""A browser of today over TLS 1.3, through the gateway and back: text and binary messages, up to 1 MiB."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .clients import Client
from .conftest import running, showing_its_log
from .scenario import BINARIES, BURST, TEXTS
from .servers import CONFIGURATION, Gateway, Upstream
from .test_headers import by_name, only_websockets


@pytest.fixture
def secure_gateway(upstream: Upstream, certificate: Path, tmp_path: Path) -> Iterator[Gateway]:
    # `modern` has nothing before TLS 1.3: who has a session speaks that.
    tls = f"{{profile: modern, certificates: [{{certificate: {certificate}, private_key: {certificate}}}]}}"
    text = CONFIGURATION.format(port=upstream.port).replace('"]', f'"]\n    tls: {tls}', 1)
    with running(text, tmp_path) as gateway, showing_its_log(gateway):
        yield gateway


@only_websockets
def test_messages_of_every_size_return_as_they_were_and_the_goodbye_arrives(
    chromium: Client, secure_gateway: Gateway, upstream: Upstream
) -> None:
    path = "/echo?over=tls"

    seen = chromium.play("echo", secure_gateway.url(path, "wss"))

    assert seen == {
        "errors": [],
        "echoes": dict.fromkeys([*TEXTS, *BINARIES], "same"),
        "burst": BURST,
        "close": {"code": 1000, "reason": "done"},
    }
    assert upstream.closing(path) == {"code": 1000, "reason": "done"}


@only_websockets
def test_the_upstream_is_told_that_the_browser_came_by_https(chromium: Client, secure_gateway: Gateway) -> None:
    seen = chromium.play("headers", secure_gateway.url("/headers", "wss"))

    assert seen["errors"] == []
    headers = by_name(seen["request"]["headers"])
    assert headers["x-forwarded-proto"] == ["https"]
    assert headers["host"] == [secure_gateway.address]
    assert headers["origin"] == [chromium.origin]
