"""What is said of mistakes in an upstream, and where it stands."""

import pytest

from wsgateway.settings.load import parse
from wsgateway.settings.model import TargetTls, Upstream

from .files import LISTENERS, ROUTES, report


def whole(line: str) -> str:
    """A file with an upstream that has this line, the sixth, behind four spaces."""
    rest = "" if line.startswith("targets") else "    targets: [{url: ws://a}]\n"
    return f"version: 1\n{LISTENERS}{ROUTES}upstreams:\n  echo:\n    {line}\n{rest}"


# Each line with the column, the place and the words of all that is said of it.

MISTAKES: list[tuple[str, ...]] = [
    (
        "targets: [{url: wss://a, tls: true}]",
        "35: upstreams.echo.targets[0].tls: true is not a mapping; write 'key: value' in it",
    ),
    (
        "targets: [{url: ws://a, tls: {ca: a}}]",
        "15: upstreams.echo.targets[0]: tls is for wss:// and https://, not for ws://",
    ),
    (
        "targets: [{url: WS://a, tls: {ca: a}}]",
        "15: upstreams.echo.targets[0]: tls is for wss:// and https://, not for ws://",
    ),
    (
        "targets: [{url: wss://a, tls: {private_key: a}}]",
        "15: upstreams.echo.targets[0]: tls has a private_key without the certificate that it belongs to",
    ),
    (
        "targets: [{url: wss://a, tls: {ca: ~, server_name: 7, certificate: ''}}]",
        "40: upstreams.echo.targets[0].tls.ca: an empty value says nothing; leave the key out",
        "56: upstreams.echo.targets[0].tls.server_name: 7 is not text; write it in quotes",
        "72: upstreams.echo.targets[0].tls.certificate: '' is not the name of a file",
    ),
    (
        "targets: [{url: wss://a, tls: {verify: false}}]",
        "36: upstreams.echo.targets[0].tls.verify: this key is unknown; known are ca, server_name,"
        " certificate, private_key",
    ),
    (
        "host: ''",
        "11: upstreams.echo.host: '' is neither preserve, target, nor a host",
    ),
    (
        "host: a b",
        "11: upstreams.echo.host: 'a b' is neither preserve, target, nor a host",
    ),
    (
        "host: http://a",
        "11: upstreams.echo.host: 'http://a' is neither preserve, target, nor a host",
    ),
    (
        "host: 7",
        "11: upstreams.echo.host: 7 is neither preserve, target, nor a host",
    ),
    (
        "send_proxy_protocol: true",
        "26: upstreams.echo.send_proxy_protocol: true is unknown; known are none, v1, v2",
    ),
    (
        "send_proxy_protocol: v3",
        "26: upstreams.echo.send_proxy_protocol: 'v3' is unknown; known are none, v1, v2",
    ),
    (
        "max_connections: 0",
        "22: upstreams.echo.max_connections: 0 is no bound; write a whole number of 1 or more, or none",
    ),
    (
        "max_connections: many",
        "22: upstreams.echo.max_connections: 'many' is no bound; write a whole number of 1 or more, or none",
    ),
    (
        "max_connections: ~",
        "22: upstreams.echo.max_connections: an empty value says nothing; leave the key out",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_in_an_upstream_is_named_with_its_place(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    assert report(whole(line)) == [f"f.yaml:6:{each}" for each in said]


def upstream(line: str) -> Upstream:
    """The upstream that has this line."""
    return parse(whole(line), "/etc/f.yaml").upstreams["echo"]


@pytest.mark.parametrize(
    ("url", "scheme", "port", "secure"),
    [
        ("ws://a", "ws", 80, False),
        ("wss://a", "wss", 443, True),
        ("WSS://a:8443/", "wss", 8443, True),
        ("ws://a:443", "ws", 443, False),
    ],
)
def test_the_scheme_of_a_target_says_whether_it_is_encrypted(url: str, scheme: str, port: int, secure: bool) -> None:
    (target,) = upstream(f"targets: [{{url: {url}}}]").targets
    assert (target.scheme, target.port, target.secure, target.url) == (scheme, port, secure, url)


def test_encryption_of_a_target_names_files_beside_the_configuration() -> None:
    line = "targets: [{url: wss://a, tls: {ca: ca.pem, certificate: /a.pem, private_key: x/a.key}}]"
    assert upstream(line).targets[0].tls == TargetTls("/etc/ca.pem", None, "/a.pem", "/etc/x/a.key")
    assert upstream("targets: [{url: wss://a, tls: {certificate: a.pem}}]").targets[0].tls == TargetTls(
        None, None, "/etc/a.pem", None
    )


def test_encryption_of_which_nothing_is_said_does_not_matter() -> None:
    assert upstream("targets: [{url: ws://a, tls: {}}]").targets[0].tls == TargetTls()


@pytest.mark.parametrize("host", ["preserve", "target", "a", "a.example:8080", "192.0.2.7", "'[::1]:80'"])
def test_the_host_may_be_any(host: str) -> None:
    assert upstream(f"host: {host}").host == host.strip("'")


@pytest.mark.parametrize(("written", "bound"), [("none", None), ("1", 1)])
def test_a_bound_is_a_number_or_none(written: str, bound: int | None) -> None:
    assert upstream(f"max_connections: {written}").max_connections == bound


@pytest.mark.parametrize("url", ["http://u:secret@a", "https://u:secret@a"])
def test_no_password_is_shown_where_a_target_has_the_wrong_scheme(url: str) -> None:
    said = report(whole(f"targets: [{{url: '{url}'}}]"))
    assert len(said) == 2
    assert "secret" not in "".join(said)


@pytest.mark.parametrize(
    ("key", "scheme", "needed"),
    [
        ("upstream", "http", "ws:// or wss://"),
        ("upstream", "HTTPS", "ws:// or wss://"),
        ("http_upstream", "ws", "http:// or https://"),
        ("http_upstream", "wss", "http:// or https://"),
    ],
)
def test_websocket_and_plain_http_have_targets_of_their_own(key: str, scheme: str, needed: str) -> None:
    text = (
        f"version: 1\n{LISTENERS}upstreams: {{echo: {{targets: [{{url: '{scheme}://a'}}]}}}}\n"
        f"routes:\n- match: {{path: {{prefix: /}}}}\n  {key}: echo\n"
    )
    assert report(text) == [
        f"f.yaml:6:{len(key) + 5}: routes[0].{key}: the targets of 'echo' begin with {scheme.lower()}://,"
        f" {key} needs {needed}"
    ]
