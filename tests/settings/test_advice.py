"""Warnings of what is allowed, and dangerous or useless."""

import pytest

from wsgateway.settings.advice import advice
from wsgateway.settings.load import parse

from .files import LISTENERS, SMALL, UPSTREAMS


def test_old_dialects_from_any_origin_cause_a_warning() -> None:
    assert list(advice(parse(SMALL, "f.yaml"))) == [
        "routes[0] route-1: hixie-75 and hixie-76 are allowed from any origin; any page can use them, and their"
        " handshake proves little: name your pages in origins.allow"
    ]


@pytest.mark.parametrize(
    "defaults", ["dialects: [hybi-01..08, rfc6455]", "origins: {allow: ['https://a']}", "origins: {allow: []}"]
)
def test_newer_dialects_or_named_pages_cause_none(defaults: str) -> None:
    assert list(advice(parse(f"{SMALL}defaults: {{{defaults}}}\n", "f.yaml"))) == []


def test_an_opaque_origin_that_is_allowed_beside_named_pages_causes_a_warning() -> None:
    assert list(
        advice(parse(f"{SMALL}defaults: {{origins: {{allow: ['https://a'], opaque: allow}}}}\n", "f.yaml"))
    ) == [
        "routes[0] route-1: origins.opaque allows every page, whatever origins.allow names: any page can open a"
        " sandboxed frame, whose Origin is null"
    ]


def test_a_key_with_its_old_name_causes_a_warning_with_its_place() -> None:
    text = f"{SMALL}defaults:\n  origins: {{allow: ['https://a'], null: refuse}}\n"
    lines = text.count("\n")
    assert list(advice(parse(text, "f.yaml"))) == [
        f"f.yaml:{lines}:35: defaults.origins.null: this key is called 'opaque' now"
    ]
    route = "routes:\n- match: {path: {prefix: /}}\n  upstream: echo\n  origins: {allow: [], 'null': refuse}\n"
    assert list(advice(parse(f"version: 1\n{LISTENERS}{UPSTREAMS}{route}", "f.yaml"))) == [
        "f.yaml:7:24: routes[0].origins.null: this key is called 'opaque' now"
    ]


def test_a_route_without_websocket_causes_no_warning() -> None:
    text = (
        f"version: 1\n{LISTENERS}upstreams: {{a: {{targets: [{{url: 'http://a'}}]}}}}\n"
        "routes: [{match: {path: {prefix: /}}, http_upstream: a}]\n"
    )
    assert list(advice(parse(text, "f.yaml"))) == []


def test_a_target_of_old_tls_without_a_pin_causes_a_warning() -> None:
    pin = f"sha256:{'0' * 64}"
    text = f"""\
version: 1
{LISTENERS}routes: [{{match: {{path: {{prefix: /}}}}, upstream: a, dialects: [rfc6455]}}]
upstreams:
  a:
    targets:
    - {{url: "wss://a", tls: {{profile: legacy}}}}
    - {{url: "wss://b", tls: {{profile: legacy, pin: ["{pin}"]}}}}
    - {{url: "wss://c", tls: {{ca: ca.pem, pin: ["{pin}"]}}}}
"""
    assert list(advice(parse(text, "f.yaml"))) == [
        "upstreams.a.targets[0] wss://a: profile legacy accepts TLS 1.0 and weak signatures, which can be forged; set"
        " pin to the hash of the target's key, as 'wsgateway probe' prints it",
        "upstreams.a.targets[2] wss://c: with pin the authority of a certificate does not count; leave ca out",
    ]


def test_broken_ciphers_cause_a_warning() -> None:
    text = """\
version: 1
listeners:
- bind: [a:80]
- bind: [a:443]
  tls: {profile: legacy, certificates: [{certificate: a, private_key: b}]}
- bind: [a:444]
  tls: {certificates: [{certificate: a, private_key: b}]}
routes: [{match: {path: {prefix: /}}, upstream: echo, dialects: [rfc6455]}]
"""
    assert list(advice(parse(text + UPSTREAMS, "f.yaml"))) == [
        "listeners[1] listener-2: profile legacy allows TLS 1.0 and broken ciphers; use it only on a listener of its"
        " own, for devices that have nothing newer"
    ]


@pytest.mark.parametrize(
    ("routes", "places"),
    [
        (3, "routes[0] route-1, routes[1] route-2, routes[2] route-3"),
        (4, "routes[0] route-1, routes[1] route-2, routes[2] route-3 and 1 more (4 in all)"),
        (2000, "routes[0] route-1, routes[1] route-2, routes[2] route-3 and 1997 more (2000 in all)"),
    ],
)
def test_a_warning_of_many_places_comes_once_with_the_first_of_them(routes: int, places: str) -> None:
    each = "".join(f"- {{match: {{path: {{exact: /{number}}}}}, upstream: echo}}\n" for number in range(routes))
    text = f"version: 1\n{LISTENERS}{UPSTREAMS}routes:\n{each}"
    [sentence] = advice(parse(text, "f.yaml"))
    assert sentence.startswith(f"{places}: hixie-75 and hixie-76 are allowed from any origin; ")


def test_an_upstream_that_no_route_uses_causes_a_warning() -> None:
    text = SMALL.replace("echo: {", "spare: {targets: [{url: 'ws://10.0.0.1'}]}, echo: {")
    assert list(advice(parse(f"{text}defaults: {{dialects: [rfc6455]}}\n", "f.yaml"))) == [
        "upstreams.spare: no route uses this upstream; name it in one, or remove it"
    ]


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:80", "ws://127.0.0.1:80"),
        ("127.0.0.1:80", "ws://127.0.0.1"),
        ("127.0.0.1:80", "ws://LocalHost"),
        ("localhost:80", "ws://127.0.0.1"),
        ("0.0.0.0:80", "ws://127.0.0.2"),
        ("0.0.0.0:80", "ws://localhost"),
        ("[::]:443", "wss://[::1]"),
        ("a.example:80", "ws://A.example"),
        ("10.0.0.1:80", "ws://10.0.0.1"),
    ],
)
def test_a_target_that_is_a_listener_of_the_gateway_causes_a_warning(bind: str, url: str) -> None:
    assert of_target(bind, url) == [
        f"upstreams.echo.targets[0] {url}: this is our own listener listener-1, so each session would come back to the"
        " gateway; name the server that is meant"
    ]


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:80", "ws://127.0.0.1:81"),
        ("127.0.0.1:80", "ws://127.0.0.2"),
        ("0.0.0.0:80", "ws://10.0.0.1"),
        ("0.0.0.0:80", "ws://[::1]"),
        ("10.0.0.1:80", "ws://localhost"),
        ("a.example:80", "ws://b.example"),
        ("unix:/run/x.sock", "ws://localhost"),
    ],
)
def test_a_target_that_is_none_causes_none(bind: str, url: str) -> None:
    assert of_target(bind, url) == []


def of_target(bind: str, url: str) -> list[str]:
    text = SMALL.replace("127.0.0.1:8080", bind).replace("ws://127.0.0.1:9000", url)
    return list(advice(parse(f"{text}defaults: {{dialects: [rfc6455]}}\n", "f.yaml")))
