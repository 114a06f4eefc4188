"""The address and the options of a probe: what is sent for them, and what cannot be sent."""

import pytest

from wsgateway.dialects import Offer
from wsgateway.probe.address import Destination, ProbeError, destination


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://a", Destination("a", 80, Offer("/", "a", "http://a"))),
        ("wss://a", Destination("a", 443, Offer("/", "a", "https://a", secure=True))),
        ("ws://a:8080/b?c=d", Destination("a", 8080, Offer("/b?c=d", "a:8080", "http://a:8080"))),
        ("wss://a:444/", Destination("a", 444, Offer("/", "a:444", "https://a:444", secure=True))),
        ("ws://[::1]:9/", Destination("::1", 9, Offer("/", "[::1]:9", "http://[::1]:9"))),
        # Who is named there is nobody's business but of the one who asks.
        ("ws://user:password@a/", Destination("a", 80, Offer("/", "a", "http://a"))),
    ],
)
def test_an_address_says_where_to_connect_and_what_to_ask_for(url: str, expected: Destination) -> None:
    assert destination(url, None, (), ()) == expected


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/?", "/"),
        ("/caf\u00e9?q=\u20ac b", "/caf%C3%A9?q=%E2%82%AC%20b"),
        ("/%c3%a9", "/%c3%a9"),
        ("/a#fragment", "/a"),
        ("/a;b=c,d/~e", "/a;b=c,d/~e"),
        ("/a\\b|c", "/a%5Cb%7Cc"),
    ],
)
def test_a_path_becomes_a_target(path: str, target: str) -> None:
    assert destination(f"ws://a{path}", None, (), ()).offer.target == target


def test_origin_and_subprotocols_and_headers_become_the_offer() -> None:
    offer = destination("ws://a", "null", ("chat", "mqtt"), (("Cookie", "a=b"), ("Cookie", "c"), ("X", ""))).offer
    assert offer == Offer("/", "a", "null", ("chat", "mqtt"), headers=(("Cookie", "a=b"), ("Cookie", "c"), ("X", "")))


FORM = "is not an address of the form ws://HOST[:PORT][/PATH], or wss://; PORT is from 1 to 65535"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://a", f"'http://a' {FORM}"),
        ("a", f"'a' {FORM}"),
        ("", f"'' {FORM}"),
        ("localhost:8080", f"'localhost:8080' {FORM}"),
        ("ws://", f"'ws://' {FORM}"),
        ("ws:///a", f"'ws:///a' {FORM}"),
        ("ws://a:x", f"'ws://a:x' {FORM}"),
        ("ws://a:99999", f"'ws://a:99999' {FORM}"),
        ("ws://a:0", f"'ws://a:0' {FORM}"),
        ("ws://[::1", f"'ws://[::1' {FORM}"),
        ("ws://a b", "the host 'a b' has a space, or other characters than printable ASCII"),
        ("ws://caf\u00e9", "the host 'caf\u00e9' has a space, or other characters than printable ASCII"),
    ],
)
def test_an_address_that_is_malformed_is_refused(url: str, said: str) -> None:
    with pytest.raises(ProbeError) as caught:
        destination(url, None, (), ())
    assert str(caught.value) == said


def test_a_host_with_an_empty_label_is_refused() -> None:
    with pytest.raises(ProbeError, match=r"^the host cannot be sent: .*label empty"):
        destination("ws://a..b", None, (), ())


TOKEN = "which has letters, digits and !#$%&'*+-.^_`|~ alone"


@pytest.mark.parametrize("origin", ["http://a\r\nX-Forged: 1", "http://\u65e5\u672c", "a b"])
def test_an_origin_that_cannot_be_sent_is_refused(origin: str) -> None:
    with pytest.raises(ProbeError) as caught:
        destination("ws://a", origin, (), ())
    assert str(caught.value) == f"the origin {origin!r} has a space, or other characters than printable ASCII"


@pytest.mark.parametrize("name", ["a b", "a\nb", "a,b", "", "\u00e9"])
def test_a_subprotocol_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ProbeError) as caught:
        destination("ws://a", None, ("good", name), ())
    assert str(caught.value) == f"the subprotocol {name!r} is not a token, {TOKEN}"


@pytest.mark.parametrize(
    ("name", "value"), [("a b", "c"), ("", "c"), ("a:", "b"), ("X", "caf\u00e9"), ("X", "a\r\nY: b"), ("X", "\x00")]
)
def test_a_header_that_cannot_be_sent_is_refused(name: str, value: str) -> None:
    with pytest.raises(ProbeError) as caught:
        destination("ws://a", None, (), ((name, value),))
    if name == "X":
        said = f"the value {value!r} of the header X has other characters than printable ASCII"
    else:
        said = f"{name!r} is no name of a header, {TOKEN}"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Origin",
        "Upgrade",
        "connection",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Key",
        "SEC-WEBSOCKET-EXTENSIONS",
        "WebSocket-Protocol",
    ],
)
def test_a_header_of_the_handshake_is_refused(name: str) -> None:
    with pytest.raises(ProbeError) as caught:
        destination("ws://a", None, (), (("X", "1"), (name, "1")))
    assert str(caught.value) == f"the header {name} is part of the handshake, and made by the probe"
