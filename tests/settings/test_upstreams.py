"""Upstreams and targets, and reports of mistakes in them with their places."""

import pytest

from wsgateway.settings.basics import Balance

from .files import LISTENERS, ROUTES, report, upstream, with_upstream

# Each line with the column, the place and the words of all that is said of it.

MISTAKES: list[tuple[str, ...]] = [
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
        "22: upstreams.echo.max_connections: 0 is not a limit; write a whole number of 1 or more, or none",
    ),
    (
        "max_connections: many",
        "22: upstreams.echo.max_connections: 'many' is not a limit; write a whole number of 1 or more, or none",
    ),
    (
        "targets: [{url: ws://a, weight: 0}]",
        "37: upstreams.echo.targets[0].weight: 0 is too small, at least 1 is allowed",
    ),
    (
        "targets: [{url: ws://a, weight: 65536}]",
        "37: upstreams.echo.targets[0].weight: 65536 is too large, at most 65535 is allowed",
    ),
    (
        "targets: [{url: ws://a, backup: maybe}]",
        "37: upstreams.echo.targets[0].backup: 'maybe' is neither true nor false",
    ),
    (
        "targets: [{url: ws://a, max_connections: 0}]",
        "46: upstreams.echo.targets[0].max_connections: 0 is not a limit; write a whole number of 1 or more, or none",
    ),
    (
        "targets: [{url: ws://a}, {url: ws://A/}]",
        "36: upstreams.echo.targets[1].url: 'ws://A/' is targets[0] already; give that one a weight",
    ),
    (
        "targets: [{url: ws://10.0.0.1, srv: true}]",
        "15: upstreams.echo.targets[0]: srv needs the name of SRV records, and 10.0.0.1 is an address",
    ),
    (
        "targets: [{url: ws://a:80/, srv: true}]",
        "15: upstreams.echo.targets[0]: the port comes from the SRV records; leave it out of the url",
    ),
    (
        "targets: [{url: ws://a, srv: true, weight: 1}]",
        "15: upstreams.echo.targets[0]: the weights come from the SRV records; leave weight out",
    ),
    (
        "retry: {attempts: 0}",
        "23: upstreams.echo.retry.attempts: 0 is too small, at least 1 is allowed",
    ),
    (
        "queue: {size: -1, timeout: 0s}",
        "19: upstreams.echo.queue.size: -1 is too small, at least 0 is allowed",
        "32: upstreams.echo.queue.timeout: '0s' is too short, it must be more than 0s",
    ),
    (
        "resolve: {interval: 30}",
        "25: upstreams.echo.resolve.interval: 30 has no unit; write 30s (or with ms, m, h or d)",
    ),
    (
        "health: {active: ~}",
        "22: upstreams.echo.health.active: the value is empty; write one, or remove the key",
    ),
    (
        "health: {active: {type: ping, path: x, interval: 5, timeout: x, rise: 0, fall: 0}}",
        "29: upstreams.echo.health.active.type: 'ping' is unknown; known are tcp, http, websocket",
        "41: upstreams.echo.health.active.path: 'x' is not a path; it must begin with '/'",
        "54: upstreams.echo.health.active.interval: 5 has no unit; write 5s (or with ms, m, h or d)",
        "66: upstreams.echo.health.active.timeout: 'x' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d",
        "75: upstreams.echo.health.active.rise: 0 is too small, at least 1 is allowed",
        "84: upstreams.echo.health.active.fall: 0 is too small, at least 1 is allowed",
    ),
    (
        "health: {active: {subprotocols: [mqtt]}}",
        "22: upstreams.echo.health.active: subprotocols are offered by a health check of type websocket, not tcp",
    ),
    (
        "health: {active: {type: websocket, subprotocols: ['a,b']}}",
        "55: upstreams.echo.health.active.subprotocols[0]: 'a,b' is not the name of a subprotocol;"
        " write printable ASCII without commas",
    ),
    (
        "health: {active: {headers: {A: b}}}",
        "22: upstreams.echo.health.active: headers are sent by a health check of type http or websocket, not tcp",
    ),
    (
        "health: {active: {type: http, headers: {A: b, a: c}}}",
        "22: upstreams.echo.health.active: the header A is there twice, in different spellings",
    ),
    (
        "health: {active: {type: http, headers: {host: a b}}}",
        "22: upstreams.echo.health.active: the header Host is 'a b', which is not a host with an optional port",
    ),
    (
        "health: {active: {type: http, headers: {Sec-WebSocket-Protocol: mqtt}}}",
        "45: upstreams.echo.health.active.headers.Sec-WebSocket-Protocol: 'Sec-WebSocket-Protocol' is made by the"
        " gateway, and cannot be set; write subprotocols: [NAME]",
    ),
    (
        'health: {active: {type: http, headers: {Upgrade: x, A B: x, C: "\\n"}}}',
        "45: upstreams.echo.health.active.headers.Upgrade: 'Upgrade' is made by the gateway, and cannot be set",
        "57: upstreams.echo.health.active.headers['A B']: 'A B' is not the name of a header",
        "68: upstreams.echo.health.active.headers.C: '\\n' is not the value of a header;"
        " write printable ASCII, in quotes",
    ),
    (
        "limits: {head_size: 1023B, headers: 0}",
        "25: upstreams.echo.limits.head_size: '1023B' is too small, at least 1KiB is allowed",
        "41: upstreams.echo.limits.headers: 0 is too small, at least 1 is allowed",
    ),
    (
        "limits: {head_size: 1048577B, headers: ~}",
        "25: upstreams.echo.limits.head_size: '1048577B' is too large, at most 1MiB is allowed",
        "44: upstreams.echo.limits.headers: the value is empty; write one, or remove the key",
    ),
    (
        "health: {passive: {failures: 0, window: 0s, eject: 1, eject_most: x}}",
        "34: upstreams.echo.health.passive.failures: 0 is not a limit; write a whole number of 1 or more, or none",
        "45: upstreams.echo.health.passive.window: '0s' is too short, it must be more than 0s",
        "56: upstreams.echo.health.passive.eject: 1 has no unit; write 1s (or with ms, m, h or d)",
        "71: upstreams.echo.health.passive.eject_most: 'x' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d",
    ),
    (
        "health: {passive: {share: 50, clients: 0, statuses: [499, 600, x]}}",
        "31: upstreams.echo.health.passive.share: 50 is not a share; write one from 1% to 100%",
        "44: upstreams.echo.health.passive.clients: 0 is too small, at least 1 is allowed",
        "58: upstreams.echo.health.passive.statuses[0]: 499 is too small, at least 500 is allowed",
        "63: upstreams.echo.health.passive.statuses[1]: 600 is too large, at most 599 is allowed",
        "68: upstreams.echo.health.passive.statuses[2]: 'x' is not a whole number",
    ),
    (
        "health: {passive: {share: 101%, clients: 101}}",
        "31: upstreams.echo.health.passive.share: '101%' is not a share; write one from 1% to 100%",
        "46: upstreams.echo.health.passive.clients: 101 is too large, at most 100 is allowed",
    ),
    (
        "health: {passive: {share: 0%}}",
        "31: upstreams.echo.health.passive.share: '0%' is not a share; write one from 1% to 100%",
    ),
    *(
        (
            f"balance: {value}",
            f"14: upstreams.echo.balance: {seen} is not a way to balance; write round_robin, least_connections or"
            " random, or {hash: {ip: true}}, or with cookie, header or query and its name in the place of ip, or with"
            " path and a regular expression",
        )
        for value, seen in {
            "fastest": "'fastest'",
            "hash": "'hash'",
            "7": "7",
            "{hash: ip}": "a mapping",
            "{hash: {ip: false}}": "a mapping",
            "{hash: {ip: true, cookie: a}}": "a mapping",
            "{hash: {cookie: a b}}": "a mapping",
            "{hash: {cookie: true}}": "a mapping",
            "{hash: {ip: true}, other: x}": "a mapping",
        }.items()
    ),
    (
        "balance: {hash: {path: /a/.*}}",
        "14: upstreams.echo.balance: '/a/.*' has no group; put what is to be hashed of the path in parentheses",
    ),
    (
        "balance: {hash: {path: true}}",
        "14: upstreams.echo.balance: true is not a regular expression; write it in quotes",
    ),
    (
        "max_connections: ~",
        "22: upstreams.echo.max_connections: the value is empty; write one, or remove the key",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_in_an_upstream_is_named_with_its_place(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    assert report(with_upstream(line)) == [f"f.yaml:6:{each}" for each in said]


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
    assert (target.url.scheme, target.url.port, target.url.secure, target.url.text) == (scheme, port, secure, url)


@pytest.mark.parametrize("host", ["preserve", "target", "a", "a.example:8080", "192.0.2.7", "'[::1]:80'"])
def test_the_host_may_be_any(host: str) -> None:
    assert upstream(f"host: {host}").host == host.strip("'")


@pytest.mark.parametrize(("written", "bound"), [("none", None), ("1", 1)])
def test_a_bound_is_a_number_or_none(written: str, bound: int | None) -> None:
    assert upstream(f"max_connections: {written}").max_connections == bound


@pytest.mark.parametrize(
    ("written", "balance"),
    [
        ("round_robin", Balance("round_robin")),
        ("least_connections", Balance("least_connections")),
        ("random", Balance("random")),
        ("{hash: {ip: true}}", Balance("hash", "ip")),
        ("{hash: {cookie: SID}}", Balance("hash", "cookie", "SID")),
        ("{hash: {header: X-User}}", Balance("hash", "header", "X-User")),
        ("{hash: {query: user}}", Balance("hash", "query", "user")),
    ],
)
def test_there_are_ways_to_balance(written: str, balance: Balance) -> None:
    assert upstream(f"balance: {written}").balance == balance


def test_a_path_may_be_hashed_by_a_group_of_a_regular_expression() -> None:
    found = upstream("balance: {hash: {path: '/x/(.*)'}}").balance
    assert found.path is not None
    assert (found.method, found.source, found.path.pattern) == ("hash", "path", "/x/(.*)")


def test_a_check_by_websocket_is_for_servers_that_speak_it() -> None:
    targets = "{targets: [{url: ws://a}, {url: https://b}], health: {active: {type: websocket}}}"
    assert report(f"version: 1\n{LISTENERS}{ROUTES}upstreams:\n  echo: {targets}\n")[-1] == (
        "f.yaml:5:9: upstreams.echo: health.active of type websocket is for ws:// and wss://, not for https://"
    )


def test_srv_records_need_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "targets: [{url: wss://_ws._tcp.chat.internal, srv: true}]"
    (target,) = upstream(line).targets
    assert (target.srv, target.url.host) == (True, "_ws._tcp.chat.internal")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert report(with_upstream(line)) == [
        "f.yaml:6:15: upstreams.echo.targets[0]: srv needs the library dnspython; install wsgateway[srv]"
    ]


@pytest.mark.parametrize("url", ["http://u:secret@a", "https://u:secret@a"])
def test_no_password_is_shown_where_a_target_has_the_wrong_scheme(url: str) -> None:
    said = report(with_upstream(f"targets: [{{url: '{url}'}}]"))
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
