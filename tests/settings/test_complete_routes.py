"""The settings of a route: its own keys, and `defaults` for the others."""

import pytest

from tests.dialects.families import NAMES
from wsgateway.dialects import DIALECTS
from wsgateway.settings.basics import Rate
from wsgateway.settings.defaults import Binary, Keepalive, Origins, OverRate, SessionLimits, Timeouts
from wsgateway.settings.load import parse
from wsgateway.settings.routes import Route
from wsgateway.wire.binary import Decode, Encode

from .files import LISTENERS, ROUTES, UPSTREAMS, named


def rates(messages: Rate | None, over: OverRate, handshakes: Rate | None) -> SessionLimits:
    """Return limits that are those by default, but for how often a client may do things."""
    return SessionLimits(message_rate=messages, message_rate_action=over, handshake_rate=handshakes)


def routes_of(defaults: str, *routes: str) -> tuple[Route, ...]:
    """Return the routes of a file with these defaults, and with these keys beside what a route must have."""
    required = "match: {path: {prefix: /}}, upstream: echo"
    lines = [f"  - {{{', '.join(filter(None, (required, keys)))}}}\n" for keys in routes]
    text = f"version: 1\n{LISTENERS}{UPSTREAMS}defaults: {{{defaults}}}\nroutes:\n{''.join(lines)}"
    return parse(text, "f.yaml").routes


def test_a_route_keeps_the_defaults_that_it_does_not_override() -> None:
    (route,) = routes_of(
        "timeouts: {connect: 1s, close: 2s}, limits: {fragments: 3}",
        "timeouts: {close: 5s}, limits: {message_size: 4B}",
    )
    # 5s is what `close` would be without the defaults of this file.
    assert route.timeouts == Timeouts(
        handshake_seconds=10.0, challenge_seconds=5.0, connect_seconds=1.0, close_seconds=5.0
    )
    assert route.limits == SessionLimits(message_bytes=4, fragments=3)


@pytest.mark.parametrize(
    ("own", "encode", "decode", "text_only"),
    [
        ("", "base64", "hex", ["hybi-07"]),
        ("binary: {}", "base64", "hex", ["hybi-07"]),
        ("binary: {encode: latin-1}", "latin-1", "hex", ["hybi-07"]),
        ("binary: {decode: latin-1}", "base64", "latin-1", ["hybi-07"]),
        ("binary: {decode: none, text_only: []}", "base64", "none", []),
        ("binary: {text_only: [rfc6455, hybi-04..05]}", "base64", "hex", ["hybi-04", "hybi-05", "rfc6455"]),
        # What is said is meant, also where it is what would hold without the defaults of this file.
        ("binary: {encode: reject}", "reject", "hex", ["hybi-07"]),
    ],
)
def test_a_route_may_override_a_part_of_what_holds_for_binary(
    own: str, encode: Encode, decode: Decode, text_only: list[str]
) -> None:
    (route,) = routes_of("binary: {encode: base64, decode: hex, text_only: [hybi-07]}", own)
    assert route.binary == Binary(encode, decode, named(*text_only))


def test_a_list_of_a_route_stands_in_the_place_of_the_default_and_adds_nothing_to_it() -> None:
    inherited, own = routes_of("dialects: [hixie-75, hixie-76]", "", "dialects: [rfc6455]")
    assert inherited.dialects == named("hixie-75", "hixie-76")
    assert own.dialects == named("rfc6455")


def test_a_default_of_one_route_is_nothing_to_the_next() -> None:
    first, second, third = routes_of(
        "location_scheme: wss, unprefixed_headers: true",
        "location_scheme: ws, unprefixed_headers: false, extensions: none, invalid_utf8: close",
        "",
        "location_scheme: auto, extensions: forward",
    )
    assert [route.location_scheme for route in (first, second, third)] == ["ws", "wss", "auto"]
    assert [route.unprefixed_headers for route in (first, second, third)] == [False, True, True]
    assert [route.extensions for route in (first, second, third)] == ["none", "forward", "forward"]
    assert [route.invalid_utf8 for route in (first, second, third)] == ["close", "replace", "replace"]


def test_a_route_renames_subprotocols_as_it_says_and_not_as_the_default_does() -> None:
    inherited, other, none = routes_of(
        "subprotocols: {base64: binary}", "", "subprotocols: {'v1 beta': v1}", "subprotocols: {}"
    )
    assert inherited.subprotocols == (("base64", "binary"),)
    assert other.subprotocols == (("v1 beta", "v1"),)
    assert none.subprotocols == ()
    (unsaid,) = routes_of("", "")
    assert unsaid.subprotocols is None


def test_dialects_stand_once_and_from_the_oldest_on_however_they_are_named() -> None:
    (route,) = routes_of("", "dialects: [rfc6455, hybi-07..08, hixie-76, hybi-08, hybi-06..hybi-07, rfc6455]")
    assert route.dialects == named("hixie-76", "hybi-06", "hybi-07", "hybi-08", "rfc6455")


@pytest.mark.parametrize("name", NAMES)
def test_any_dialect_may_be_spoken_to_an_upstream(name: str) -> None:
    upstreams = UPSTREAMS.replace("]}}", f"], dialect: {name}}}}}")
    assert parse(f"version: 1\n{LISTENERS}{ROUTES}{upstreams}", "f.yaml").upstreams["echo"].dialect is DIALECTS[name]


DEFAULTS_OF_ALL = (
    "origins: {allow: ['https://a'], missing: refuse, opaque: refuse}, keepalive: {interval: 1s, timeout: 2s},"
    " timeouts: {idle: 3s, send: 4s, lifetime: 5s},"
    " limits: {message_rate: 6/s, message_rate_action: delay, handshake_rate: 7/m}"
)


@pytest.mark.parametrize(
    ("defaults", "own", "opaque"),
    [
        ("", "", "allow"),
        ("", "origins: {allow: ['*', 'https://a']}", "allow"),
        ("", "origins: {allow: ['https://a']}", "refuse"),
        ("", "origins: {allow: []}", "refuse"),
        ("origins: {allow: ['https://a']}", "", "refuse"),
        ("origins: {allow: ['https://a']}", "origins: {allow: ['*']}", "allow"),
        # What is said counts.
        ("", "origins: {allow: ['https://a'], opaque: allow}", "allow"),
        ("", "origins: {opaque: refuse}", "refuse"),
        ("origins: {opaque: allow}", "origins: {allow: ['https://a']}", "allow"),
        ("origins: {opaque: refuse}", "origins: {allow: ['*']}", "refuse"),
        ("origins: {opaque: refuse}", "origins: {opaque: allow}", "allow"),
        # The old name of the key.
        ("", "origins: {allow: ['https://a'], null: allow}", "allow"),
        ("origins: {null: refuse}", "", "refuse"),
        ("origins: {'null': refuse}", "origins: {opaque: allow}", "allow"),
    ],
)
def test_the_origin_null_is_allowed_where_every_origin_is_or_by_its_key(defaults: str, own: str, opaque: str) -> None:
    (route,) = routes_of(defaults, own)
    assert route.origins.opaque_allowed is (opaque == "allow")


@pytest.mark.parametrize(
    ("own", "differs"),
    [
        ("", {}),
        ("origins: {}, keepalive: {}, timeouts: {}, limits: {}", {}),
        ("origins: {allow: ['*']}", {"origins": Origins(("*",), "refuse", "refuse")}),
        ("origins: {allow: []}", {"origins": Origins((), "refuse", "refuse")}),
        ("origins: {missing: allow}", {"origins": Origins(("https://a",), "allow", "refuse")}),
        ("origins: {opaque: allow}", {"origins": Origins(("https://a",), "refuse", "allow")}),
        ("keepalive: {interval: none}", {"keepalive": Keepalive(None, 2.0)}),
        ("keepalive: {interval: 30s}", {"keepalive": Keepalive(30.0, 2.0)}),
        ("keepalive: {timeout: 20s}", {"keepalive": Keepalive(1.0, 20.0)}),
        ("timeouts: {idle: none}", {"timeouts": Timeouts(send_seconds=4.0, lifetime_seconds=5.0)}),
        ("timeouts: {send: 30s}", {"timeouts": Timeouts(idle_seconds=3.0, lifetime_seconds=5.0)}),
        ("timeouts: {lifetime: none}", {"timeouts": Timeouts(idle_seconds=3.0, send_seconds=4.0)}),
        ("limits: {message_rate: none}", {"limits": rates(None, "delay", Rate(7, 60.0))}),
        ("limits: {message_rate_action: close}", {"limits": rates(Rate(6, 1.0), "close", Rate(7, 60.0))}),
        ("limits: {handshake_rate: none}", {"limits": rates(Rate(6, 1.0), "delay", None)}),
    ],
)
def test_a_route_overrides_one_key_of_a_section_and_keeps_the_others(own: str, differs: dict[str, object]) -> None:
    (route,) = routes_of(DEFAULTS_OF_ALL, own)
    assert {name: getattr(route, name) for name in ("origins", "keepalive", "timeouts", "limits")} == {
        "origins": Origins(("https://a",), "refuse", "refuse"),
        "keepalive": Keepalive(1.0, 2.0),
        "timeouts": Timeouts(idle_seconds=3.0, send_seconds=4.0, lifetime_seconds=5.0),
        "limits": rates(Rate(6, 1.0), "delay", Rate(7, 60.0)),
    } | differs


def test_equal_sections_of_routes_are_in_memory_once() -> None:
    routes = "".join(f"- {{match: {{path: {{exact: /{number}}}}}, upstream: echo}}\n" for number in range(9))
    other = "- {match: {path: {prefix: /}}, upstream: echo, timeouts: {idle: 1h}}\n"
    *found, last = parse(f"version: 1\n{LISTENERS}{UPSTREAMS}routes:\n{routes}{other}", "f.yaml").routes
    for part in ("timeouts", "keepalive", "limits", "origins", "headers", "rewrite", "binary", "dialects"):
        assert len({id(getattr(route, part)) for route in found}) == 1, part
    assert (found[0].timeouts.idle_seconds, last.timeouts.idle_seconds) == (None, 3600.0)
    assert last.limits is found[0].limits
    assert [route.match.path.exact for route in found] == [f"/{number}" for number in range(9)]
