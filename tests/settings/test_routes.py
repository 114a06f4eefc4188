"""Reports of mistakes, with their places, in the keys of `defaults` and of every route."""

import pytest

from tests.dialects.families import NAMES
from wsgateway.settings.load import parse

from .files import LISTENERS, ROUTES, UPSTREAMS, report

NO_LIST = "is not a list; write '- ' before each member, or brackets around all"
KNOWN = f"known are {', '.join(NAMES)}"
NO_FAMILY = "is not a range of one family, as hybi-01..08 or hixie-75..76 are"

# Each is in the sixth line of a file, behind two spaces; then come a column, the key, and what is said, perhaps more
# than once.
NO_SUBPROTOCOL = "is not the name of a subprotocol; write printable ASCII without commas"
MISTAKES: list[tuple[str, ...]] = [
    # -- dialects: a list of names and ranges -----------------------------------------------------------------------
    ("dialects: []", "13 dialects: it is empty, at least one member is needed"),
    ("dialects: hixie-76", f"13 dialects: 'hixie-76' {NO_LIST}"),
    ("dialects: hybi-01..08", f"13 dialects: 'hybi-01..08' {NO_LIST}"),
    ("dialects: {}", f"13 dialects: a mapping {NO_LIST}"),
    ("dialects: true", f"13 dialects: true {NO_LIST}"),
    ("dialects: ~", f"13 dialects: an empty value {NO_LIST}"),
    ("dialects:", f"12 dialects: an empty value {NO_LIST}"),
    ("dialects: [hybie-08]", "14 dialects[0]: 'hybie-08' is not a dialect; did you mean 'hybi-08'?"),
    ("dialects: [hixie-75, hybi-8]", "24 dialects[1]: 'hybi-8' is not a dialect; did you mean 'hybi-08'?"),
    ("dialects: [HYBI-08]", "14 dialects[0]: 'HYBI-08' is not a dialect; did you mean 'hybi-08'?"),
    ("dialects: [rfc]", "14 dialects[0]: 'rfc' is not a dialect; did you mean 'rfc6455'?"),
    ("dialects: [all]", f"14 dialects[0]: 'all' is not a dialect; {KNOWN}"),
    ("dialects: ['']", f"14 dialects[0]: '' is not a dialect; {KNOWN}"),
    ("dialects: [8]", f"14 dialects[0]: 8 is not a dialect; {KNOWN}"),
    ("dialects: [13, true, ~]",
        f"14 dialects[0]: 13 is not a dialect; {KNOWN}",
        f"18 dialects[1]: true is not a dialect; {KNOWN}",
        f"24 dialects[2]: an empty value is not a dialect; {KNOWN}",
    ),
    ("dialects: [{a: 1}]", f"14 dialects[0]: a mapping is not a dialect; {KNOWN}"),
    ("dialects: [[hybi-01]]", "14 dialects[0]: a list is not a dialect; did you mean 'hybi-01'?"),
    ("dialects: [hybi-08..01]", "14 dialects[0]: 'hybi-08..01' goes backwards; write hybi-01..08"),
    ("dialects: [hixie-75..hybi-08]", f"14 dialects[0]: 'hixie-75..hybi-08' {NO_FAMILY}"),
    ("dialects: [rfc6455..hybi-08]", f"14 dialects[0]: 'rfc6455..hybi-08' {NO_FAMILY}"),
    ("dialects: [hybi-01..0x]", "14 dialects[0]: 'hybi-0x' is not a dialect; did you mean 'hybi-08'?"),
    ("dialects: [hybi-00..08]", "14 dialects[0]: 'hybi-00' is not a dialect; did you mean 'hybi-08'?"),
    ("dialects: [hybi-01..hixie-77]", "14 dialects[0]: 'hixie-77' is not a dialect; did you mean 'hixie-76'?"),
    ("dialects: [hixie-75..08]", "14 dialects[0]: 'hixie-08' is not a dialect; did you mean 'hixie-76'?"),
    ("dialects: [..08]", f"14 dialects[0]: '' is not a dialect; {KNOWN}"),
    ("dialect: [rfc6455]", "3 dialect: this key is unknown; did you mean 'dialects'?"),
    # -- binary ----------------------------------------------------------------------------------------------------
    ("binary: none", "11 binary: 'none' is not a mapping; write 'key: value' in it"),
    ("binary:", "10 binary: an empty value is not a mapping; write 'key: value' in it"),
    ("binary: {encode: base46}", "20 binary.encode: 'base46' is unknown; did you mean 'base64'?"),
    ("binary: {encode: none}", "20 binary.encode: 'none' is unknown; known are reject, base64, latin-1, hex"),
    ("binary: {encode: latin1}", "20 binary.encode: 'latin1' is unknown; did you mean 'latin-1'?"),
    ("binary: {encode: true}", "20 binary.encode: true is unknown; known are reject, base64, latin-1, hex"),
    ("binary: {encode: ~}", "20 binary.encode: an empty value is unknown; known are reject, base64, latin-1, hex"),
    ("binary: {decode: reject}", "20 binary.decode: 'reject' is unknown; known are none, base64, latin-1, hex"),
    ("binary: {decode: 64}", "20 binary.decode: 64 is unknown; known are none, base64, latin-1, hex"),
    ("binary: {text_only: hybi-08}", f"23 binary.text_only: 'hybi-08' {NO_LIST}"),
    ("binary: {text_only: [hybi-08, x-7]}", f"33 binary.text_only[1]: 'x-7' is not a dialect; {KNOWN}"),
    ("binary: {text_only: [hybi-08..07]}", "24 binary.text_only[0]: 'hybi-08..07' goes backwards; write hybi-07..08"),
    ("binary: {encoding: hex}", "12 binary.encoding: this key is unknown; did you mean 'encode'?"),
    ("binary: {forms: hex}", "12 binary.forms: this key is unknown; known are encode, decode, text_only"),
    # -- words -----------------------------------------------------------------------------------------------------
    ("invalid_utf8: repair", "17 invalid_utf8: 'repair' is unknown; did you mean 'replace'?"),
    ("invalid_utf8: reject", "17 invalid_utf8: 'reject' is unknown; known are replace, close"),
    ("invalid_utf8: 1007", "17 invalid_utf8: 1007 is unknown; known are replace, close"),
    ("invalid_utf8: []", "17 invalid_utf8: a list is unknown; known are replace, close"),
    ("location_scheme: https", "20 location_scheme: 'https' is unknown; known are auto, ws, wss"),
    ("location_scheme: wss://", "20 location_scheme: 'wss://' is unknown; did you mean 'wss'?"),
    ("location_scheme: WS", "20 location_scheme: 'WS' is unknown; did you mean 'ws'?"),
    ("fragments: merged", "14 fragments: 'merged' is unknown; known are keep, join"),
    ("extensions: off", "15 extensions: 'off' is unknown; known are forward, none"),
    ("extensions: true", "15 extensions: true is unknown; known are forward, none"),
    ("extensions: [permessage-deflate]", "15 extensions: a list is unknown; known are forward, none"),
    # -- subprotocols ----------------------------------------------------------------------------------------------
    ("subprotocols: [a]", "17 subprotocols: a list is not a mapping; write 'key: value' in it"),
    ("subprotocols:", "16 subprotocols: the value is empty; write one, or remove the key"),
    ("subprotocols: {a: 7}", f"21 subprotocols.a: 7 {NO_SUBPROTOCOL}"),
    ("subprotocols: {a: 'b,c'}", f"21 subprotocols.a: 'b,c' {NO_SUBPROTOCOL}"),
    ("subprotocols: {a: ' b'}", f"21 subprotocols.a: ' b' {NO_SUBPROTOCOL}"),
    ("subprotocols: {a: ''}", f"21 subprotocols.a: '' {NO_SUBPROTOCOL}"),
    ("subprotocols: {'a,b': c}", f"18 subprotocols['a,b']: 'a,b' {NO_SUBPROTOCOL}"),
    # -- true or false ---------------------------------------------------------------------------------------------
    ("unprefixed_headers: yes", "23 unprefixed_headers: 'yes' is neither true nor false"),
    ("unprefixed_headers: on", "23 unprefixed_headers: 'on' is neither true nor false"),
    ("unprefixed_headers: 'true'", "23 unprefixed_headers: 'true' is neither true nor false"),
    ("unprefixed_headers: 1", "23 unprefixed_headers: 1 is neither true nor false"),
    ("unprefixed_headers: 0", "23 unprefixed_headers: 0 is neither true nor false"),
    ("unprefixed_headers:", "22 unprefixed_headers: an empty value is neither true nor false"),
    ("unprefixed_headers: []", "23 unprefixed_headers: a list is neither true nor false"),
]  # fmt: skip

MISTAKES += [
    (
        "origins: ['*']",
        "12 origins: a list is not a mapping; write 'key: value' in it",
    ),
    (
        "origins: {allow: '*'}",
        "20 origins.allow: '*' is not a list; write '- ' before each member, or brackets around all",
    ),
    (
        "origins: {allow: [app.example.com]}",
        "21 origins.allow[0]: 'app.example.com' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all",
    ),
    (
        "origins: {allow: ['https://a.example/']}",
        "21 origins.allow[0]: 'https://a.example/' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all",
    ),
    (
        "origins: {allow: ['https://*']}",
        "21 origins.allow[0]: 'https://*' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all",
    ),
    (
        "origins: {allow: ['https://a*.example']}",
        "21 origins.allow[0]: 'https://a*.example' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all",
    ),
    (
        "origins: {allow: ['https://a.example:65536']}",
        "21 origins.allow[0]: 'https://a.example:65536' is not an origin; write"
        " https://app.example.com, https://*.example.com or * for all",
    ),
    (
        "origins: {allow: ['http://[::g]']}",
        "21 origins.allow[0]: 'http://[::g]' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all",
    ),
    (
        "origins: {allow: ['http://a_b!']}",
        "21 origins.allow[0]: 'http://a_b!' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all",
    ),
    (
        "origins: {allow: [null]}",
        "21 origins.allow[0]: an empty value is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all; for the Origin null there is the key 'opaque'",
    ),
    (
        "origins: {allow: ['null']}",
        "21 origins.allow[0]: 'null' is not an origin; write https://app.example.com,"
        " https://*.example.com or * for all; for the Origin null there is the key 'opaque'",
    ),
    (
        "origins: {allow: [7]}",
        "21 origins.allow[0]: 7 is not an origin; write https://app.example.com, https://*.example.com or * for all",
    ),
    (
        "origins: {missing: deny}",
        "22 origins.missing: 'deny' is unknown; known are allow, refuse",
    ),
    (
        "origins: {null: true}",
        "19 origins.null: true is unknown; known are allow, refuse",
    ),
    (
        "origins: {nul: allow}",
        "13 origins.nul: this key is unknown; known are allow, missing, opaque",
    ),
    (
        "origins: {opaque: allow, null: allow}",
        "28 origins.null: this key is unknown; known are allow, missing, opaque",
    ),
    (
        "origins: {opaque: }",
        "20 origins.opaque: the value is empty; write one, or remove the key",
    ),
    (
        "timeouts: {idle: 5}",
        "20 timeouts.idle: 5 has no unit; write 5s (or with ms, m, h or d), or none",
    ),
    (
        "timeouts: {idle: never}",
        "20 timeouts.idle: 'never' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d, or none",
    ),
    (
        "timeouts: {idle: ~}",
        "20 timeouts.idle: the value is empty; write one, or remove the key",
    ),
    (
        "timeouts: {response: 0s}",
        "24 timeouts.response: '0s' is too short, it must be more than 0s, or none",
    ),
    (
        "timeouts: {lifetime: 0s}",
        "24 timeouts.lifetime: '0s' is too short, it must be more than 0s, or none",
    ),
    (
        "timeouts: {send: none}",
        "20 timeouts.send: 'none' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d",
    ),
    (
        "keepalive: none",
        "14 keepalive: 'none' is not a mapping; write 'key: value' in it",
    ),
    (
        "keepalive: {interval: 30}",
        "25 keepalive.interval: 30 has no unit; write 30s (or with ms, m, h or d), or none",
    ),
    (
        "keepalive: {interval: off}",
        "25 keepalive.interval: 'off' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d, or none",
    ),
    (
        "keepalive: {timeout: none}",
        "24 keepalive.timeout: 'none' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d",
    ),
    (
        "keepalive: {timeouts: 1s}",
        "15 keepalive.timeouts: this key is unknown; did you mean 'timeout'?",
    ),
    (
        "limits: {message_rate: 100}",
        "26 limits.message_rate: 100 is not a rate; write 100/s, 60/m or 1000/h, or none",
    ),
    (
        "limits: {message_rate: 100/d}",
        "26 limits.message_rate: '100/d' is not a rate; write 100/s, 60/m or 1000/h, or none",
    ),
    (
        "limits: {message_rate: 0/s}",
        "26 limits.message_rate: '0/s' is not a rate; write 100/s, 60/m or 1000/h, or none",
    ),
    (
        "limits: {message_rate: 1.5/s}",
        "26 limits.message_rate: '1.5/s' is not a rate; write 100/s, 60/m or 1000/h, or none",
    ),
    (
        "limits: {message_rate: ~}",
        "26 limits.message_rate: the value is empty; write one, or remove the key",
    ),
    (
        "limits: {message_rate_action: drop}",
        "33 limits.message_rate_action: 'drop' is unknown; known are close, delay",
    ),
    (
        "limits: {handshake_rate: 10 / s}",
        "28 limits.handshake_rate: '10 / s' is not a rate; write 100/s, 60/m or 1000/h, or none",
    ),
    (
        "limits: {rate: 1/s}",
        "12 limits.rate: this key is unknown; known are message_size, fragments, join, message_rate,"
        " message_rate_action, handshake_rate",
    ),
]


every_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=[line for line, *_ in MISTAKES])


def at(place: str, said: str) -> str:
    """Return the report of a key in this place, with the column of the sixth line in front of it."""
    column, _, message = said.partition(" ")
    return f"f.yaml:6:{column}: {place}.{message}"


@every_mistake
def test_a_mistake_in_the_defaults_is_named_with_its_place(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    text = f"version: 1\n{LISTENERS}{ROUTES}{UPSTREAMS}defaults:\n  {line}\n"
    assert report(text) == [at("defaults", each) for each in said]


@every_mistake
def test_the_same_mistake_in_a_route_is_named_in_the_same_words(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    text = f"version: 1\n{LISTENERS}{UPSTREAMS}routes:\n- match: {{path: {{prefix: /}}}}\n  {line}\n  upstream: echo\n"
    assert report(text) == [at("routes[0]", each) for each in said]


ACCEPTED = [
    "dialects: [hybi-01..08]",
    "dialects: [hybi-01..hybi-08]",
    "dialects: [hybi-08..08]",
    "dialects: [hybi-01, hybi-01..02, hybi-01]",
    "dialects: ['rfc6455']",
    "binary: {}",
    "binary: {text_only: []}",
    "binary: {text_only: [hixie-75..76]}",
    "unprefixed_headers: True",
    "unprefixed_headers: FALSE",
    "origins: {}",
    "origins: {allow: []}",
    "origins: {allow: ['*', 'HTTPS://*.Example.com:8443', 'http://[::1]:80', 'file://', 'chrome-extension://a']}",
    "origins: {opaque: refuse}",
    "origins: {'null': refuse}",
    "origins: {null: refuse}",
    "timeouts: {idle: none, lifetime: 12h, response: none}",
    "keepalive: {interval: none}",
    "limits: {message_rate: 1/h, message_rate_action: delay, handshake_rate: 999999999/s}",
]


@pytest.mark.parametrize("line", ACCEPTED)
def test_other_ways_to_write_it_are_accepted(line: str) -> None:
    parse(f"version: 1\n{LISTENERS}{ROUTES}{UPSTREAMS}defaults:\n  {line}\n", "f.yaml")


UPSTREAM_MISTAKES = [
    ("rfc6456", "'rfc6456' is not a dialect; did you mean 'rfc6455'?"),
    ("hybi-01..08", "'hybi-01..08' is not a dialect; did you mean 'hybi-08'?"),
    ("[rfc6455]", "a list is not a dialect; did you mean 'rfc6455'?"),
    ("13", f"13 is not a dialect; {KNOWN}"),
    ("true", f"true is not a dialect; {KNOWN}"),
    ("", f"an empty value is not a dialect; {KNOWN}"),
]


@pytest.mark.parametrize(("value", "said"), UPSTREAM_MISTAKES)
def test_a_mistake_in_the_dialect_of_an_upstream_is_named_with_its_place(value: str, said: str) -> None:
    text = (
        f"version: 1\n{LISTENERS}{ROUTES}upstreams:\n  echo:\n    targets: [{{url: 'ws://a'}}]\n    dialect: {value}\n"
    )
    assert report(text) == [f"f.yaml:7:{14 if value else 13}: upstreams.echo.dialect: {said}"]
