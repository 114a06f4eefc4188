"""Rules about one key and another."""

from typing import Any

import pytest

from wsgateway.settings.findings import Finding
from wsgateway.settings.rules import check


def findings(**file: Any) -> list[Finding]:
    return list(check(file))


def test_two_of_a_kind_may_not_share_a_name() -> None:
    assert findings(routes=[{"name": "a"}, {"name": "b"}, {"name": "a"}], listeners=[{"name": "c"}, {"name": "c"}]) == [
        Finding(("listeners", 1, "name"), "the name 'c' belongs to listeners[0] already"),
        Finding(("routes", 2, "name"), "the name 'a' belongs to routes[0] already"),
    ]


def test_a_listener_and_a_route_may_share_a_name() -> None:
    assert findings(listeners=[{"name": "a"}], routes=[{"name": "a"}]) == []


def test_a_given_name_may_not_be_the_default_name_of_another() -> None:
    assert findings(routes=[{}, {"name": "route-1"}]) == [
        Finding(("routes", 1, "name"), "the name 'route-1' belongs to routes[0] already")
    ]
    assert findings(listeners=[{"name": "listener-2"}, {}]) == [
        Finding(("listeners", 1), "the name 'listener-2' belongs to listeners[0] already")
    ]


def test_an_address_is_bound_once() -> None:
    assert findings(listeners=[{"bind": ["a:80", "[::1]:80"]}, {"bind": ["a:81", "A:80", "[0::1]:80"]}]) == [
        Finding(("listeners", 1, "bind", 1), "'A:80' is bound by listeners[0].bind[0] already"),
        Finding(("listeners", 1, "bind", 2), "'[0::1]:80' is bound by listeners[0].bind[1] already"),
    ]


def test_an_address_with_port_0_may_be_bound_many_times() -> None:
    assert findings(listeners=[{"bind": ["127.0.0.1:0", "127.0.0.1:0"]}]) == []


def test_a_unix_socket_is_bound_once() -> None:
    assert findings(listeners=[{"bind": ["unix:/run/A.sock", "unix:/run/a.sock", "unix:/run/A.sock"]}]) == [
        Finding(("listeners", 0, "bind", 2), "'unix:/run/A.sock' is bound by listeners[0].bind[0] already"),
    ]


def test_a_route_names_an_upstream_that_exists() -> None:
    assert findings(routes=[{"upstream": "chat"}, {"upstream": "chatt"}], upstreams={"web": {}, "chat": {}}) == [
        Finding(("routes", 1, "upstream"), "'chatt' is not an upstream; did you mean 'chat'?")
    ]
    assert findings(routes=[{"upstream": "xyz"}], upstreams={"web": {}, "chat": {}}) == [
        Finding(("routes", 0, "upstream"), "'xyz' is not an upstream; known are web, chat")
    ]


def test_an_upstream_that_is_broken_exists_all_the_same() -> None:
    assert findings(routes=[{"upstream": "chat"}], upstreams={"chat": None}) == []


def test_without_any_upstreams_their_absence_is_the_only_mistake() -> None:
    assert findings(routes=[{"upstream": "chat"}], upstreams={}) == []
    assert findings(routes=[{"upstream": "chat"}]) == []


def test_an_http_upstream_exists_too() -> None:
    assert findings(routes=[{"http_upstream": "wed"}], upstreams={"web": {}}) == [
        Finding(("routes", 0, "http_upstream"), "'wed' is not an upstream; did you mean 'web'?")
    ]


def test_an_upstream_of_the_wrong_scheme_is_reported_once() -> None:
    targets = [{"url": "ws://a"}, {"url": "http://b"}, {"url": "https://c"}]
    found = findings(routes=[{"upstream": "a"}], upstreams={"a": {"targets": targets}})
    assert [each for each in found if each.path[0] == "routes"] == [
        Finding(("routes", 0, "upstream"), "the targets of 'a' begin with http://, upstream needs ws:// or wss://")
    ]


def test_an_unknown_scheme_breaks_no_rule() -> None:
    upstreams = {"a": {"targets": [{"url": "ftp://a"}]}, "b": {"targets": [{"url": 7}]}, "c": {"targets": [None]}}
    assert findings(routes=[{"upstream": name} for name in upstreams], upstreams=upstreams) == []


def test_a_route_names_listeners_that_exist() -> None:
    routes = [{"match": {"listeners": ["public", "listener-2", "listener-1", "pubic"]}}]
    assert findings(listeners=[{"name": "public"}, {}], routes=routes) == [
        Finding(("routes", 0, "match", "listeners", 2), "'listener-1' is not a listener; did you mean 'listener-2'?"),
        Finding(("routes", 0, "match", "listeners", 3), "'pubic' is not a listener; did you mean 'public'?"),
    ]


def test_without_any_listeners_their_absence_is_the_only_mistake() -> None:
    assert findings(routes=[{"match": {"listeners": ["public"]}}]) == []


def test_the_name_of_an_upstream_is_plain() -> None:
    assert findings(upstreams={"b d": {}, "B_1.x-y": {}}) == [
        Finding(("upstreams", "b d"), "'b d' is not a name; letters, digits, '_', '-' and '.' are allowed", at_key=True)
    ]


def test_a_target_stands_once() -> None:
    targets = [{"url": "ws://a"}, {"url": "ws://b"}, {"url": "WS://A:80/"}, {"url": "wss://a"}, {"url": "ws://a:81"}]
    assert findings(upstreams={"a": {"targets": targets}, "b": {"targets": targets[:1]}}) == [
        Finding(("upstreams", "a", "targets", 2, "url"), "'WS://A:80/' is targets[0] already; give that one a weight")
    ]


@pytest.mark.parametrize("wrong", [None, True, 7, "text", [], {}, [None], [[]], [{}], {"a": None}])
def test_a_value_of_the_wrong_shape_breaks_no_rule(wrong: object) -> None:
    assert list(check(wrong)) == []
    assert findings(listeners=wrong, routes=wrong, upstreams=wrong) == []
    inner = {"name": wrong if wrong != "text" else "x", "bind": wrong, "upstream": wrong if wrong != "text" else None}
    assert findings(listeners=[inner], routes=[inner]) == []
    assert findings(listeners=[{}], routes=[{"match": wrong}, {"match": {"listeners": wrong}}]) == []
    assert findings(upstreams={"a": {"targets": wrong}, "b": wrong}) == []
