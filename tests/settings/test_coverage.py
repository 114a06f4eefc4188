"""Routes that no request can take, since an earlier one takes all that they match."""

from wsgateway.settings.advice import advice
from wsgateway.settings.coverage import covered
from wsgateway.settings.load import parse

from .files import LISTENERS, UPSTREAMS

COVERED = [
    ("path: {prefix: /}", "path: {prefix: /}"),
    ("path: {prefix: /}", "path: {prefix: /chat}"),
    ("path: {prefix: /}", "path: {exact: /chat}"),
    ("path: {prefix: /}", "path: {regex: '/[a-z]+'}"),
    ("path: {prefix: /chat}", "path: {prefix: /chat/}"),
    ("path: {prefix: /chat}", "path: {prefix: /chat/room}"),
    ("path: {prefix: /chat}", "path: {exact: /chat}"),
    ("path: {prefix: /chat}", "path: {exact: /chat/room}"),
    ("path: {exact: /chat}", "path: {exact: /chat}"),
    ("path: {exact: /chat}", "path: {exact: //chat}"),
    ("path: {regex: '/[a-z]+'}", "path: {regex: '/[a-z]+'}"),
    ("path: {prefix: /}", "path: {prefix: /}, hosts: [a.example]"),
    ("path: {prefix: /}, hosts: [a.example]", "path: {prefix: /}, hosts: [A.example]"),
    ("path: {prefix: /}, hosts: [b.example, a.example]", "path: {prefix: /}, hosts: [a.example]"),
    ("path: {prefix: /}, hosts: ['*.example']", "path: {prefix: /}, hosts: [a.example, '*.b.example']"),
    ("path: {prefix: /}, hosts: ['*.example']", "path: {prefix: /}, hosts: ['*.example']"),
    ("path: {prefix: /}", "path: {prefix: /}, upgrade: true"),
    ("path: {prefix: /}, upgrade: true", "path: {prefix: /}, upgrade: true"),
    ("path: {prefix: /}, subprotocols: [a, b]", "path: {prefix: /}, subprotocols: [b]"),
    ("path: {prefix: /}, headers: {X-A: '*'}", "path: {prefix: /}, headers: {x-a: b, X-C: d}"),
    ("path: {prefix: /}, headers: {X-A: b}", "path: {prefix: /}, headers: {X-A: b}"),
    ("path: {prefix: /}, listeners: [listener-1]", "path: {prefix: /}"),
    ("path: {prefix: /}", "path: {prefix: /}, listeners: [listener-1]"),
]
NOT_COVERED = [
    ("path: {prefix: /chat}", "path: {prefix: /}"),
    ("path: {prefix: /chat}", "path: {prefix: /chatter}"),
    ("path: {prefix: /chat}", "path: {exact: /chatter}"),
    ("path: {prefix: /chat}", "path: {regex: '/chat'}"),
    ("path: {exact: /chat}", "path: {prefix: /chat}"),
    ("path: {exact: /chat}", "path: {exact: /chat/}"),
    ("path: {regex: '/[a-z]+'}", "path: {regex: '/[a-z]*'}"),
    ("path: {prefix: /}, hosts: [a.example]", "path: {prefix: /}"),
    ("path: {prefix: /}, hosts: [a.example]", "path: {prefix: /}, hosts: [a.example, b.example]"),
    ("path: {prefix: /}, hosts: ['*.a.example']", "path: {prefix: /}, hosts: [a.example]"),
    ("path: {prefix: /}, hosts: ['*.a.example']", "path: {prefix: /}, hosts: ['*.example']"),
    ("path: {prefix: /}, upgrade: true", "path: {prefix: /}"),
    ("path: {prefix: /}, upgrade: true", "path: {prefix: /}, upgrade: false"),
    ("path: {prefix: /}, subprotocols: [a]", "path: {prefix: /}"),
    ("path: {prefix: /}, subprotocols: [a]", "path: {prefix: /}, subprotocols: [a, b]"),
    ("path: {prefix: /}, headers: {X-A: b}", "path: {prefix: /}, headers: {X-A: '*'}"),
    ("path: {prefix: /}, headers: {X-A: b}", "path: {prefix: /}, headers: {X-A: c}"),
    ("path: {prefix: /}, headers: {X-A: b, X-C: d}", "path: {prefix: /}, headers: {X-A: b}"),
]


def those_of(*matches: str, listeners: str = LISTENERS) -> list[tuple[int, int]]:
    routes = "".join(f"- {{match: {{{match}}}, upstream: echo, dialects: [rfc6455]}}\n" for match in matches)
    settings = parse(f"version: 1\n{listeners}{UPSTREAMS}routes:\n{routes}", "f.yaml")
    return list(covered(settings.routes, settings.listeners))


def test_a_route_behind_one_that_takes_all_its_requests_is_found() -> None:
    assert [pair for pair in COVERED if those_of(*pair) != [(1, 0)]] == []


def test_a_route_that_takes_a_request_of_its_own_is_not() -> None:
    assert [pair for pair in NOT_COVERED if those_of(*pair)] == []


def test_a_route_for_some_listeners_does_not_cover_one_for_all() -> None:
    two = "listeners: [{bind: ['a:1']}, {bind: ['a:2']}]\n"
    one, both = (f"path: {{prefix: /}}, listeners: [{names}]" for names in ("listener-1", "listener-1, listener-2"))
    assert those_of(one, "path: {prefix: /}", listeners=two) == []
    assert those_of(both, "path: {prefix: /}", listeners=two) == [(1, 0)]


def test_the_first_route_that_covers_is_named_whatever_is_between() -> None:
    others = [f"path: {{prefix: /{number}}}, upgrade: true" for number in range(30)]
    assert those_of("path: {prefix: /a}", *others, "path: {exact: /a/b}", "path: {exact: /a/b}") == [(31, 0), (32, 0)]


def test_it_is_a_warning_that_says_what_to_do() -> None:
    text = """\
version: 1
routes:
- {name: main, match: {path: {prefix: /}}, upstream: echo, dialects: [rfc6455]}
- {name: chat, match: {path: {prefix: /chat}}, upstream: echo, dialects: [rfc6455]}
"""
    assert list(advice(parse(text + LISTENERS + UPSTREAMS, "f.yaml"))) == [
        "routes[1] chat: no request takes this route, because routes[0] main before it takes all that it matches; put"
        " it before that one, or remove it"
    ]
