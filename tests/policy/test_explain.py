"""Explanations of which route a request takes, and why."""

from dataclasses import replace

from wsgateway.dialects import DIALECTS, Headers
from wsgateway.policy.checks import ClientFacts
from wsgateway.policy.explain import allowed, explain
from wsgateway.policy.routes import RouteQuery
from wsgateway.settings.load import parse

SETTINGS = parse(
    """\
version: 1
listeners: [{name: public, bind: ["127.0.0.1:0"]}]
routes:
- name: chat
  match: {path: {prefix: /chat}, hosts: [a.example], upgrade: true}
  origins: {allow: ["https://a.example"]}
  dialects: [hybi-08, rfc6455]
  upstream: chat
- name: pages
  match: {path: {exact: /}}
  http_upstream: web
- name: rest
  match: {path: {prefix: /rest}}
  upstream: chat
upstreams:
  chat: {targets: [{url: "ws://127.0.0.1:9000"}], dialect: hixie-76}
  web: {targets: [{url: "http://127.0.0.1:8000"}]}
""",
    "f.yaml",
)


def said(path: str, host: str, upgrade: bool, dialect: str = "rfc6455", origin: str | None = None) -> list[str]:
    """Return the lines about a request, and at last whether it would reach an upstream."""
    asked, facts = RouteQuery("public", host, path, upgrade, Headers([])), ClientFacts(DIALECTS[dialect], origin)
    return [*explain(SETTINGS, asked, facts), str(allowed(SETTINGS, asked, facts))]


def test_an_allowed_request_leads_to_its_upstream() -> None:
    assert said("/chat", "A.example:80", True, origin="https://a.example") == [
        "routes[0] chat: match",
        "  upstream: ok",
        "  dialect: ok",
        "  origin: ok",
        "  upstream chat: ws://127.0.0.1:9000 in hixie-76",
        "True",
    ]


def test_every_refusal_is_shown_with_its_status() -> None:
    assert said("/chat", "a.example", True, "hixie-75", "http://b.example") == [
        "routes[0] chat: match",
        "  upstream: ok",
        "  dialect: 400 dialect-refused, hixie-75 is not accepted here, only hybi-08, rfc6455",
        "    If the client should be served, add its dialect to `dialects` of the route.",
        "  origin: 403 origin-refused, the Origin 'http://b.example' is not allowed here",
        "    If the page is yours, add it to `origins.allow`; programs without Origin need `origins.missing: allow`.",
        "  upstream chat: ws://127.0.0.1:9000 in hixie-76",
        "False",
    ]


def test_the_key_for_the_origin_null_is_shown() -> None:
    assert said("/chat", "a.example", True, origin="null")[3] == (
        "  origin: 403 origin-refused, the Origin 'null' is not allowed here; pages from file://, as in kiosks, need"
        " origins.opaque: allow, which also allows every page in a sandboxed frame"
    )
    [chat, *_] = SETTINGS.routes
    open_ = replace(SETTINGS, routes=(replace(chat, origins=replace(chat.origins, opaque="allow")),))
    what = RouteQuery("public", "a.example", "/chat", upgrade=True, headers=Headers([]))
    assert [*explain(open_, what, ClientFacts(DIALECTS["rfc6455"], "null"))][3] == (
        "  origin: ok; every page may do the same in a sandboxed frame: see origins.opaque"
    )
    # Where every page is allowed there is no hint.
    assert said("/rest", "a.example", True, origin="null")[5] == "  origin: ok"


def test_a_route_that_does_not_match_is_shown_with_the_reasons() -> None:
    assert said("/", "b.example", False) == [
        "routes[0] chat: no match for the path /, the host b.example, a request without an upgrade",
        "routes[1] pages: match",
        "  upstream web: http://127.0.0.1:8000",
        "True",
    ]


def test_websocket_where_there_is_plain_http_alone_is_404() -> None:
    assert said("/", "a.example", True) == [
        "routes[0] chat: no match for the path /",
        "routes[1] pages: match",
        "  upstream: 404 websocket-missing, there is no WebSocket under this address",
        "    Give the route an `upstream`, or put a route for WebSocket before it.",
        "  dialect: ok",
        "  origin: ok",
        "False",
    ]


def test_plain_http_where_there_is_websocket_alone_is_426() -> None:
    assert said("/rest", "a.example", False)[-3:] == [
        "routes[2] rest: match",
        "  plain HTTP: 426 upgrade-missing, there is no http_upstream",
        "False",
    ]


def test_a_path_that_may_lead_out_of_a_route_is_400() -> None:
    assert said("/chat/..;/admin", "a.example", True) == [
        "refused before any route: 400 path-refused, the path has a segment that is . or ..,"
        " which may lead out of a route",
        "  Let the client send a path without `.` and `..`, encoded or not, and without NUL.",
        "False",
    ]


def test_a_request_that_no_route_matches_is_404() -> None:
    assert said("/x", "a.example", True) == [
        "routes[0] chat: no match for the path /x",
        "routes[1] pages: no match for the path /x",
        "routes[2] rest: no match for the path /x",
        "no route matches: 404 route-missing",
        "False",
    ]


def test_several_targets_are_shown_with_their_unusual_settings_and_the_balance() -> None:
    settings = parse(
        """\
version: 1
listeners: [{name: public, bind: ["127.0.0.1:0"]}]
routes: [{match: {path: {prefix: /}}, upstream: chat}]
upstreams:
  chat:
    balance: {hash: {cookie: sid}}
    targets:
    - {url: "ws://a", weight: 3}
    - {url: "ws://b"}
    - {url: "ws://_ws._tcp.c", srv: true, backup: true}
""",
        "f.yaml",
    )
    what = RouteQuery("public", "a.example", "/", upgrade=True, headers=Headers([]))
    assert [*explain(settings, what, ClientFacts(DIALECTS["rfc6455"], None))][-1] == (
        "  upstream chat: ws://a (weight 3), ws://b, ws://_ws._tcp.c (backup, by SRV records) in rfc6455,"
        " by hash of cookie sid"
    )


def test_a_target_with_old_tls_or_a_pin_is_marked() -> None:
    pin = f"sha256:{'0' * 64}"
    settings = parse(
        f"""\
version: 1
listeners: [{{name: public, bind: ["127.0.0.1:0"]}}]
routes: [{{match: {{path: {{prefix: /}}}}, upstream: chat}}]
upstreams:
  chat: {{targets: [{{url: "wss://a", tls: {{profile: legacy, pin: ["{pin}"], server_name: none}}}}]}}
""",
        "f.yaml",
    )
    what = RouteQuery("public", "a.example", "/", upgrade=True, headers=Headers([]))
    assert [*explain(settings, what, ClientFacts(DIALECTS["rfc6455"], None))][-1] == (
        "  upstream chat: wss://a (TLS profile legacy, verified by its pin, no server name) in rfc6455"
    )
