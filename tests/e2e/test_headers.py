"""Headers through the gateway: of requests to the upstream, of answers and refusals to the client."""

import http.client
import json

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from .clients import MESSAGE_BYTES, Client
from .programs import PATIENCE_SECONDS
from .scenario import RECEIVE_SECONDS, TEXTS, Seen
from .servers import Gateway

only_websockets = pytest.mark.parametrize("upstream", ["websockets"], ids="to-{}".format, indirect=True)
both_upstreams = pytest.mark.parametrize("upstream", ["ws", "websockets"], ids="to-{}".format, indirect=True)


def received(connection: ClientConnection) -> Seen:
    """Return the headers that the upstream received, by their names in lower case; of several with one name, all."""
    request = json.loads(connection.recv(RECEIVE_SECONDS))
    return by_name(request["headers"])


def by_name(headers: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def test_the_upstream_sees_the_request_of_the_client_and_who_it_is(client: Client, gateway: Gateway) -> None:
    path = "/headers?token=a%20b&x=%e2%82%ac&x="

    seen = client.play("headers", gateway.url(path))

    assert seen["errors"] == []
    request = seen["request"]
    headers = by_name(request["headers"])
    assert request["path"] == path
    [cookies] = headers["cookie"]
    assert client.cookie in cookies.split("; ")  # a browser keeps what it has got in other tests
    assert headers["origin"] == [client.origin]
    assert headers["host"] == [gateway.address]
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-websocket-dialect"] == [client.dialect]
    assert headers["sec-websocket-version"] == ["13"]


def test_an_address_in_raw_utf_8_arrives_percent_encoded_and_the_old_browser_recognises_it_in_the_answer(
    phantomjs: Client, gateway: Gateway
) -> None:
    # It sends the bytes as they are, and opens only if Location repeats them.
    seen = phantomjs.play("headers", gateway.url("/headers?name=é€%c3%a9"))

    assert seen["errors"] == []
    assert seen["request"]["path"] == "/headers?name=%C3%A9%E2%82%AC%c3%a9"


@only_websockets
def test_the_upstream_chooses_among_the_subprotocols_of_the_client(gateway: Gateway) -> None:
    offered = [Subprotocol("chat"), Subprotocol("superchat")]
    with connect(gateway.url("/headers"), subprotocols=offered, proxy=None) as connection:
        assert connection.subprotocol == "superchat"
        assert received(connection)["sec-websocket-protocol"] == ["chat, superchat"]


@only_websockets
def test_a_client_hears_of_no_subprotocol_when_the_upstream_wants_none(gateway: Gateway) -> None:
    with connect(gateway.url("/headers"), subprotocols=[Subprotocol("mqtt")], proxy=None) as connection:
        assert connection.subprotocol is None
        assert connection.response is not None
        assert "Sec-WebSocket-Protocol" not in connection.response.headers


@both_upstreams
def test_compression_is_agreed_between_the_ends_and_the_gateway_passes_it_on(gateway: Gateway) -> None:
    with connect(gateway.url("/headers"), max_size=MESSAGE_BYTES, proxy=None) as connection:
        [offer] = received(connection)["sec-websocket-extensions"]
        assert offer.startswith("permessage-deflate")
        assert [type(each) for each in connection.protocol.extensions] == [PerMessageDeflate]
        # Several times, because each is compressed with what went before it.
        for message in [*TEXTS.values()] * 2:
            connection.send(message)
            assert connection.recv(RECEIVE_SECONDS) == message


@both_upstreams
def test_without_an_offer_of_compression_none_is_agreed(gateway: Gateway) -> None:
    with connect(gateway.url("/headers"), compression=None, proxy=None) as connection:
        assert "sec-websocket-extensions" not in received(connection)
        assert connection.protocol.extensions == []


@only_websockets
def test_a_cookie_that_the_upstream_sets_reaches_the_client(gateway: Gateway) -> None:
    with connect(gateway.url("/headers"), proxy=None) as connection:
        assert connection.response is not None
        assert connection.response.headers["Set-Cookie"] == "seen=yes; Path=/; HttpOnly"


@only_websockets
@pytest.mark.parametrize(
    ("path", "status", "header", "value", "body"),
    [
        ("/401", 401, "WWW-Authenticate", 'Basic realm="upstream"', b"Who are you?\n"),
        ("/302", 302, "Location", "https://elsewhere.example/login", b"Not here.\n"),
    ],
)
def test_a_refusal_by_the_upstream_reaches_the_client_with_its_headers_and_its_body(
    gateway: Gateway, path: str, status: int, header: str, value: str, body: bytes
) -> None:
    client = http.client.HTTPConnection(gateway.address, timeout=PATIENCE_SECONDS)
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # RFC 6455, 1.2
    }
    try:
        client.request("GET", path, headers=upgrade)
        response = client.getresponse()

        assert (response.status, response.getheader(header), response.read()) == (status, value, body)
    finally:
        client.close()
