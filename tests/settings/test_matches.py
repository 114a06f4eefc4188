"""The keys that only routes have, and reports of mistakes in them with their places."""

import pytest

from wsgateway.settings.load import parse
from wsgateway.settings.routes import HeaderRules, PathMatch, Rewrite, Route

from .files import LISTENERS, UPSTREAMS, report


def whole(line: str) -> str:
    """Return a file with a route that has this line, the sixth, behind two spaces, and the rest that is needed."""
    needed = [key for key in ("match: {path: {prefix: /}}", "upstream: echo") if not line.startswith(key.split()[0])]
    rest = "".join(f"  {key}\n" for key in needed)
    return f"version: 1\n{LISTENERS}{UPSTREAMS}routes:\n- name: r\n  {line}\n{rest}"


# Each line with the column, the place and the words of all that is said of it.

MISTAKES: list[tuple[str, ...]] = [
    (
        "match: {path: {}}",
        "17: routes[0].match.path: none of prefix, exact and regex is given, exactly one of them is needed",
    ),
    (
        "match: {path: {regex: 7}}",
        "25: routes[0].match.path.regex: 7 is not a regular expression; write it in quotes",
    ),
    (
        "match: {path: {regex: ~}}",
        "25: routes[0].match.path.regex: the value is empty; write one, or remove the key",
    ),
    (
        "match: {path: {regex: /, exact: /, prefix: /}}",
        "17: routes[0].match.path: prefix and exact and regex are given, exactly one of them is needed",
    ),
    (
        "match: {path: {prefix: /}, hosts: a}",
        "37: routes[0].match.hosts: 'a' is not a list; write '- ' before each member, or brackets around all",
    ),
    (
        "match: {path: {prefix: /}, hosts: ['*', 'a:80', '[::1]']}",
        "38: routes[0].match.hosts[0]: '*' stands for every host; leave the key out",
        "43: routes[0].match.hosts[1]: 'a:80' is not a host; write a name, *.NAME or an IP address,"
        " without scheme, port or path",
        "51: routes[0].match.hosts[2]: '[::1]' is not a host; write a name, *.NAME or an IP address,"
        " without scheme, port or path",
    ),
    (
        "match: {path: {prefix: /}, subprotocols: [7]}",
        "45: routes[0].match.subprotocols[0]: 7 is not text; write it in quotes",
    ),
    (
        "match: {path: {prefix: /}, headers: {a: 7}}",
        "43: routes[0].match.headers.a: 7 is not text; write it in quotes",
    ),
    (
        "match: {path: {prefix: /}, headers: [a]}",
        "39: routes[0].match.headers: a list is not a mapping; write 'key: value' in it",
    ),
    (
        "match: {path: {prefix: /}, listeners: [listener-2]}",
        "42: routes[0].match.listeners[0]: 'listener-2' is not a listener; did you mean 'listener-1'?",
    ),
    (
        "match: {path: {prefix: /}, listeners: [7]}",
        "42: routes[0].match.listeners[0]: 7 is not text; write it in quotes",
    ),
    (
        "match: {path: {prefix: /}, upgrade: yes}",
        "39: routes[0].match.upgrade: 'yes' is neither true nor false",
    ),
    (
        "match: {path: {prefix: /}, upgrade: }",
        "38: routes[0].match.upgrade: the value is empty; write one, or remove the key",
    ),
    (
        "match: {path: {prefix: /}, method: GET}",
        "30: routes[0].match.method: this key is unknown; known are path, hosts, subprotocols, headers,"
        " listeners, upgrade",
    ),
    (
        "rewrite: {strip_prefix: chat}",
        "27: routes[0].rewrite.strip_prefix: 'chat' is not a path; it must begin with '/'",
    ),
    (
        "rewrite: {add_prefix: '/a?b'}",
        "25: routes[0].rewrite.add_prefix: '/a?b' is not a path, which ends before '?' or '#'",
    ),
    (
        "rewrite: {strip: /chat}",
        "13: routes[0].rewrite.strip: this key is unknown; known are strip_prefix, add_prefix, path",
    ),
    (
        "headers: {set: {Host: a}}",
        "19: routes[0].headers.set.Host: 'Host' is made by the gateway, and cannot be set or removed",
    ),
    (
        "headers: {set: {Sec-WebSocket-Key: a, websocket-protocol: b}}",
        "19: routes[0].headers.set.Sec-WebSocket-Key: 'Sec-WebSocket-Key' is made by the gateway, and"
        " cannot be set or removed",
        "41: routes[0].headers.set.websocket-protocol: 'websocket-protocol' is made by the gateway, and"
        " cannot be set or removed",
    ),
    (
        "headers: {set: {'a b': c}}",
        "19: routes[0].headers.set['a b']: 'a b' is not the name of a header",
    ),
    (
        "headers: {set: {A: ''}}",
        "22: routes[0].headers.set.A: '' is not the value of a header; write printable ASCII, in quotes",
    ),
    (
        "headers: {set: {A: 7}}",
        "22: routes[0].headers.set.A: 7 is not the value of a header; write printable ASCII, in quotes",
    ),
    (
        'headers: {set: {A: "a\\nb"}}',
        "22: routes[0].headers.set.A: 'a\\nb' is not the value of a header; write printable ASCII, in quotes",
    ),
    (
        'headers: {set: {A: "é"}}',
        "22: routes[0].headers.set.A: 'é' is not the value of a header; write printable ASCII, in quotes",
    ),
    (
        'headers: {set: {A: "{ip}"}}',
        "22: routes[0].headers.set.A: {ip} is not known; known are dialect, client_ip, listener, route",
    ),
    (
        'headers: {set: {A: "{client-ip}"}}',
        "22: routes[0].headers.set.A: {client-ip} is not known; did you mean 'client_ip'?",
    ),
    (
        'headers: {set: {A: "{}"}}',
        "22: routes[0].headers.set.A: {} is not known; known are dialect, client_ip, listener, route",
    ),
    (
        'headers: {set: {A: "{dialect"}}',
        "22: routes[0].headers.set.A: '{dialect' has a brace that is not closed, or not opened",
    ),
    (
        'headers: {set: {A: "dialect}"}}',
        "22: routes[0].headers.set.A: 'dialect}' has a brace that is not closed, or not opened",
    ),
    (
        "match: {path: {prefix: /a/../b}}",
        "26: routes[0].match.path.prefix: '/a/../b' is a path that no request may have: the path has a segment that is"
        " . or .., which may lead out of a route",
    ),
    (
        "rewrite: {path: raw}",
        "19: routes[0].rewrite.path: 'raw' is unknown; known are as_sent, normalised",
    ),
    (
        "headers: {set: [A]}",
        "18: routes[0].headers.set: a list is not a mapping; write 'key: value' in it",
    ),
    (
        "headers: {remove: Cookie}",
        "21: routes[0].headers.remove: 'Cookie' is not a list; write '- ' before each member, or brackets around all",
    ),
    (
        "headers: {remove: [Upgrade, 7]}",
        "22: routes[0].headers.remove[0]: 'Upgrade' is made by the gateway, and cannot be set or removed",
        "31: routes[0].headers.remove[1]: 7 is not the name of a header",
    ),
    (
        "headers: {remove: ['*'], keep: ['*']}",
        "22: routes[0].headers.remove[0]: '*' stands for every header; to pass none write keep: [], to pass all leave"
        " the key out",
        "35: routes[0].headers.keep[0]: '*' stands for every header; to pass none write keep: [], to pass all leave"
        " the key out",
    ),
    (
        "headers: {remove: ['X-*-B'], set: {'X-*': a}}",
        "22: routes[0].headers.remove[0]: 'X-*-B' has a star before its end; write a name, or NAME* for all that begin"
        " so",
        "38: routes[0].headers.set['X-*']: 'X-*' is not the name of a header; a star is not allowed here",
    ),
    (
        "headers: {keep: [Sec-WebSocket-*, 'A B']}",
        "20: routes[0].headers.keep[0]: 'Sec-WebSocket-*' is made by the gateway, and cannot be set or removed",
        "37: routes[0].headers.keep[1]: 'A B' is not the name of a header",
    ),
    (
        "headers: {underscores: [X-User, Transfer_Encoding, 'X_*', 7]}",
        "27: routes[0].headers.underscores[0]: 'X-User' has no underscore in it, and goes on without being named here",
        "35: routes[0].headers.underscores[1]: 'Transfer_Encoding' is read by some as what the gateway writes itself,"
        " and never goes on",
        "54: routes[0].headers.underscores[2]: 'X_*' is not the name of a header; a star is not allowed here",
        "61: routes[0].headers.underscores[3]: 7 is not the name of a header",
    ),
    (
        "headers: {keep: }",
        "18: routes[0].headers.keep: the value is empty; write one, or remove the key",
    ),
    (
        "headers: {add: {}}",
        "13: routes[0].headers.add: this key is unknown; known are set, remove, keep, underscores",
    ),
    (
        "http_upstream: echo",
        "18: routes[0].http_upstream: the targets of 'echo' begin with ws://, http_upstream needs http:// or https://",
    ),
    (
        "http_upstream: web",
        "18: routes[0].http_upstream: 'web' is not an upstream; known are echo",
    ),
    (
        "http_upstream: 7",
        "18: routes[0].http_upstream: 7 is not text; write it in quotes",
    ),
    (
        "http_upstream: ",
        "17: routes[0].http_upstream: the value is empty; write one, or remove the key",
    ),
    (
        "upstream: ~",
        "13: routes[0].upstream: the value is empty; write one, or remove the key",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_in_a_route_is_named_with_its_place(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    assert report(whole(line)) == [f"f.yaml:6:{each}" for each in said]


def route(line: str) -> Route:
    """Return the route that has this line."""
    return parse(whole(line), "f.yaml").routes[0]


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ('"*.Example.com"', "*.example.com"),
        ("192.0.2.7", "192.0.2.7"),
        ('"2001:DB8:0::1"', "2001:db8::1"),
        ("chat_1", "chat_1"),
    ],
)
def test_a_host_is_kept_as_it_is_compared(written: str, host: str) -> None:
    assert route(f"match: {{path: {{prefix: /}}, hosts: [{written}]}}").match.hosts == (host,)


@pytest.mark.parametrize(("written", "upgrade"), [("true", True), ("false", False)])
def test_a_route_may_take_only_upgrades_or_none(written: str, upgrade: bool) -> None:
    assert route(f"match: {{path: {{prefix: /}}, upgrade: {written}}}").match.upgrade is upgrade


def test_paths_of_a_route_are_kept_as_they_are_compared() -> None:
    assert route("match: {path: {prefix: //%63hat/}}").match.path == PathMatch(prefix="/chat/")
    assert route("match: {path: {exact: /caf%c3%a9}}").match.path == PathMatch(exact="/caf%C3%A9")
    assert route("rewrite: {strip_prefix: /%61//b, add_prefix: //c}").rewrite == Rewrite("/a/b", "//c", "as_sent")
    assert route("rewrite: {path: normalised}").rewrite == Rewrite(None, None, "normalised")


def test_a_rewrite_may_have_one_of_its_keys() -> None:
    assert route("rewrite: {strip_prefix: /a}").rewrite == Rewrite("/a", None)
    assert route("rewrite: {add_prefix: /a}").rewrite == Rewrite(None, "/a")


def test_headers_are_set_as_they_are_written_and_removed_in_any_case() -> None:
    line = 'headers: {set: {X-A: "{dialect} {client_ip} {listener} {route}", x-b: c}, remove: [COOKIE, X_Y]}'
    assert route(line).headers == HeaderRules(
        (("X-A", "{dialect} {client_ip} {listener} {route}"), ("x-b", "c")), ("cookie", "x_y")
    )


@pytest.mark.parametrize(
    ("written", "kept"), [("", None), ("keep: []", ()), ("keep: [COOKIE, X-Fwd-*]", ("cookie", "x-fwd-*"))]
)
def test_a_route_may_name_the_headers_that_go_on(written: str, kept: tuple[str, ...] | None) -> None:
    assert route(f"headers: {{{written}}}").headers.keep == kept


def test_a_route_may_name_headers_with_underscores_that_go_on() -> None:
    assert route("").headers.underscores == ()
    assert route("headers: {underscores: [X_User, Proxy]}").headers.underscores == ("x_user", "proxy")


def test_a_route_may_lead_to_plain_http_alone() -> None:
    text = (
        f"version: 1\n{LISTENERS}upstreams: {{web: {{targets: [{{url: 'http://a'}}]}}}}\n"
        "routes: [{match: {path: {prefix: /}}, http_upstream: web}]\n"
    )
    found = parse(text, "f.yaml").routes[0]
    assert found.upstream is None
    assert found.http_upstream is not None
    assert found.http_upstream.targets[0].url.authority == "a"
