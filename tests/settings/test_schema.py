"""What the file may hold, what it comes to, and what is said of the rest."""

from typing import Any

import pytest
from pydantic.fields import FieldInfo

from wsgateway.dialects.base import Limits
from wsgateway.errors import SettingsError
from wsgateway.settings.load import parse
from wsgateway.settings.model import (
    Address,
    Listener,
    Logging,
    PathMatch,
    Route,
    Settings,
    Target,
    Timeouts,
    Upstream,
)
from wsgateway.settings.schema import File, Section, choices, known_keys
from wsgateway.wire.heads import HeadLimits

LISTENERS = 'listeners: [{bind: ["127.0.0.1:8080"]}]\n'
ROUTES = "routes: [{match: {path: {prefix: /}}, upstream: echo}]\n"
UPSTREAMS = 'upstreams: {echo: {targets: [{url: "ws://127.0.0.1:9000"}]}}\n'
SMALL = "version: 1\n" + LISTENERS + ROUTES + UPSTREAMS

ECHO = Upstream("echo", (Target("127.0.0.1", 9000, "ws://127.0.0.1:9000"),))


def messages(text: str) -> list[str]:
    """The messages of the problems of a text, without their places."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "f.yaml")
    return [problem.message for problem in caught.value.problems]


# -- what the file comes to ------------------------------------------------------------------------------------


def test_a_small_file_is_filled_up_with_the_defaults() -> None:
    timeouts = Timeouts(handshake_seconds=10.0, challenge_seconds=5.0, connect_seconds=5.0, close_seconds=5.0)
    limits = Limits(message_bytes=16_777_216, fragments=65536)
    assert parse(SMALL, "f.yaml") == Settings(
        listeners=(Listener("listener-1", (Address("127.0.0.1", 8080),), 20000, HeadLimits(16384, 100)),),
        routes=(Route("route-1", PathMatch(prefix="/"), ECHO, timeouts, limits),),
        upstreams={"echo": ECHO},
        default_timeouts=timeouts,
        logging=Logging("info", "text"),
    )


def test_every_key_is_obeyed() -> None:
    text = """
version: 1
listeners:
  - name: public
    bind: ["127.0.0.1:8080", "[::1]:8081"]
    max_connections: 7
    limits: {head_size: 2KiB, headers: 9}
  - bind: [localhost:0]
defaults:
  timeouts: {handshake: 1s, challenge: 2s, connect: 3s, close: 4s}
  limits: {message_size: 5KiB, fragments: 6}
routes:
  - name: chat
    match: {path: {exact: /chat}}
    upstream: chat
    timeouts: {handshake: 10s, challenge: 20s, connect: 30s, close: 40s}
    limits: {message_size: 50KiB, fragments: 60}
  - match: {path: {prefix: /x}}
    upstream: web
upstreams:
  chat: {targets: [{url: "ws://10.0.1.11:9000"}]}
  web: {targets: [{url: "ws://web/"}]}
  spare: {targets: [{url: "ws://spare"}]}
logging: {level: debug, format: json}
"""
    chat = Upstream("chat", (Target("10.0.1.11", 9000, "ws://10.0.1.11:9000"),))
    web = Upstream("web", (Target("web", 80, "ws://web/"),))
    assert parse(text, "f.yaml") == Settings(
        listeners=(
            Listener("public", (Address("127.0.0.1", 8080), Address("::1", 8081)), 7, HeadLimits(2048, 9)),
            Listener("listener-2", (Address("localhost", 0),), 20000, HeadLimits(16384, 100)),
        ),
        routes=(
            Route("chat", PathMatch(exact="/chat"), chat, Timeouts(10.0, 20.0, 30.0, 40.0), Limits(51_200, 60)),
            Route("route-2", PathMatch(prefix="/x"), web, Timeouts(1.0, 2.0, 3.0, 4.0), Limits(5120, 6)),
        ),
        upstreams={"chat": chat, "web": web, "spare": Upstream("spare", (Target("spare", 80, "ws://spare"),))},
        default_timeouts=Timeouts(1.0, 2.0, 3.0, 4.0),
        logging=Logging("debug", "json"),
    )


def test_a_route_keeps_the_defaults_that_it_does_not_override() -> None:
    text = (
        "version: 1\n"
        + LISTENERS
        + UPSTREAMS
        + """
defaults: {timeouts: {connect: 1s, close: 2s}, limits: {fragments: 3}}
routes:
  - match: {path: {prefix: /}}
    upstream: echo
    timeouts: {close: 5s}
    limits: {message_size: 4B}
"""
    )
    (route,) = parse(text, "f.yaml").routes
    # 5s is what `close` would be without the defaults of this file.
    assert route.timeouts == Timeouts(
        handshake_seconds=10.0, challenge_seconds=5.0, connect_seconds=1.0, close_seconds=5.0
    )
    assert route.limits == Limits(message_bytes=4, fragments=3)


def test_a_route_holds_the_very_upstream_that_it_names() -> None:
    settings = parse(SMALL, "f.yaml")
    assert settings.routes[0].upstream is settings.upstreams["echo"]


def test_the_bounds_of_sizes_are_allowed() -> None:
    for head_size, message_size in (("1KiB", "1B"), ("1MiB", "4EiB")):
        listeners = LISTENERS.replace("]}]", f"], limits: {{head_size: {head_size}}}}}]")
        text = "version: 1\n" + listeners + ROUTES + UPSTREAMS
        parse(text + f"defaults: {{limits: {{message_size: {message_size}}}}}\n", "f.yaml")


# -- what is said of the rest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("logging: {level: warn}", "logging.level: 'warn' is unknown; did you mean 'warning'?"),
        ("logging: {level: x}", "logging.level: 'x' is unknown; known are debug, info, warning, error"),
        ("logging: {level: 1}", "logging.level: 1 is unknown; known are debug, info, warning, error"),
        ("logging: {format: jsn}", "logging.format: 'jsn' is unknown; did you mean 'json'?"),
        ("logging: {}\nloging: {}", "loging: this key is unknown; did you mean 'logging'?"),
        (
            "tls: on",
            "tls: this key is unknown; known are version, listeners, defaults, routes, upstreams, logging",
        ),
        ("defaults:", "defaults: an empty value is not a mapping; write 'key: value' in it"),
        ("defaults: [1]", "defaults: a list is not a mapping; write 'key: value' in it"),
        ("defaults: {timeout: {}}", "defaults.timeout: this key is unknown; did you mean 'timeouts'?"),
        (
            "defaults: {timeouts: {handshake_seconds: 1s}}",
            "defaults.timeouts.handshake_seconds: this key is unknown; did you mean 'handshake'?",
        ),
        (
            "defaults: {timeouts: {idle: 1s}}",
            "defaults.timeouts.idle: this key is unknown; known are handshake, challenge, connect, close",
        ),
        (
            "defaults: {timeouts: {connect: 10}}",
            "defaults.timeouts.connect: 10 has no unit; write 10s (or with ms, m or h)",
        ),
        (
            "defaults: {timeouts: {connect: none}}",
            "defaults.timeouts.connect: 'none' is not a duration; write it as 10s, 500ms, 2m or 1h",
        ),
        (
            "defaults: {timeouts: {connect: 0s}}",
            "defaults.timeouts.connect: '0s' is too short, more than 0s is allowed",
        ),
        (
            "defaults: {limits: {message_size: 100}}",
            "defaults.limits.message_size: 100 has no unit; write 100B (or with KiB, MiB or GiB)",
        ),
        (
            "defaults: {limits: {message_size: 4611686018427387905B}}",
            "defaults.limits.message_size: '4611686018427387905B' is too large, at most 4EiB is allowed",
        ),
        (
            "defaults: {limits: {message_size: 0B}}",
            "defaults.limits.message_size: '0B' is too small, at least 1B is allowed",
        ),
        ("defaults: {limits: {fragments: 0}}", "defaults.limits.fragments: 0 is too small, at least 1 is allowed"),
        ("defaults: {limits: {fragments: 1.5}}", "defaults.limits.fragments: '1.5' is not a whole number"),
        ("defaults: {limits: {fragments: true}}", "defaults.limits.fragments: true is not a whole number"),
        ('defaults: {limits: {fragments: "5"}}', "defaults.limits.fragments: '5' is not a whole number"),
    ],
)
def test_a_mistake_beside_a_good_file_is_named(line: str, message: str) -> None:
    assert messages(f"{SMALL}{line}\n") == [message]


@pytest.mark.parametrize("version", ["2", "0", "'1'", "1.0", "true", "on", "~", "[1]", "{}"])
def test_the_version_is_the_integer_1_and_nothing_else(version: str) -> None:
    (message,) = messages(SMALL.replace("version: 1", f"version: {version}"))
    assert message.startswith("version: ")
    assert message.endswith(" is not a version that is known here; write 1")


@pytest.mark.parametrize("key", ["version", "listeners", "routes", "upstreams"])
def test_a_required_key_is_missed(key: str) -> None:
    text = "".join(line for line in SMALL.splitlines(keepends=True) if not line.startswith(key))
    assert messages(text) == [f"'{key}' is missing"]


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ("{}", "listeners[0]: 'bind' is missing"),
        ("", "listeners[0]: an empty value is not a mapping; write 'key: value' in it"),
        ("{bind: []}", "listeners[0].bind: nothing is in it, at least one is needed"),
        (
            "{bind: a:80}",
            "listeners[0].bind: 'a:80' is not a list; write '- ' before each member, or brackets around all",
        ),
        (
            "{bind: [8080]}",
            "listeners[0].bind[0]: 8080 is not an address; write it in quotes, as '127.0.0.1:8080' or '[::1]:8080'",
        ),
        ("{bind: [a:80, a:80]}", "listeners[0].bind[1]: 'a:80' is bound by listeners[0].bind[0] already"),
        ("{bind: [a:80], max_connections: 0}", "listeners[0].max_connections: 0 is too small, at least 1 is allowed"),
        (
            "{bind: [a:80], max_conns: 1}",
            "listeners[0].max_conns: this key is unknown; did you mean 'max_connections'?",
        ),
        ("{bind: [a:80], name: 7}", "listeners[0].name: 7 is not text; write it in quotes"),
        ("{bind: [a:80], name: }", "listeners[0].name: an empty value is not text"),
        (
            "{bind: [a:80], name: ''}",
            "listeners[0].name: '' is not a name; letters, digits, '_', '-' and '.' are allowed",
        ),
        (
            "{bind: [a:80], name: -a}",
            "listeners[0].name: '-a' is not a name; letters, digits, '_', '-' and '.' are allowed",
        ),
        (
            '{bind: [a:80], name: "a\\n"}',
            "listeners[0].name: 'a\\n' is not a name; letters, digits, '_', '-' and '.' are allowed",
        ),
        (
            "{bind: [a:80], limits: {head_size: 1023B}}",
            "listeners[0].limits.head_size: '1023B' is too small, at least 1KiB is allowed",
        ),
        (
            "{bind: [a:80], limits: {head_size: 1048577B}}",
            "listeners[0].limits.head_size: '1048577B' is too large, at most 1MiB is allowed",
        ),
        ("{bind: [a:80], limits: {headers: 0}}", "listeners[0].limits.headers: 0 is too small, at least 1 is allowed"),
    ],
)
def test_a_mistake_in_a_listener_is_named(listener: str, message: str) -> None:
    assert messages(f"version: 1\n{ROUTES}{UPSTREAMS}listeners:\n  - {listener}\n") == [message]


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("{upstream: echo}", "routes[0]: 'match' is missing"),
        ("{match: {path: {prefix: /}}}", "routes[0]: 'upstream' is missing"),
        (
            "{match: {path: {prefix: /}}, upstream: ecko}",
            "routes[0].upstream: 'ecko' is no upstream; did you mean 'echo'?",
        ),
        ("{match: {path: {prefix: /}}, upstream: [echo]}", "routes[0].upstream: a list is not text"),
        ("{match: {}, upstream: echo}", "routes[0].match: 'path' is missing"),
        (
            "{match: {path: /chat}, upstream: echo}",
            "routes[0].match.path: '/chat' is not a mapping; write 'key: value' in it",
        ),
        (
            "{match: {path: {}}, upstream: echo}",
            "routes[0].match.path: neither prefix nor exact is given, exactly one of them is needed",
        ),
        (
            "{match: {path: {prefix: /, exact: /}}, upstream: echo}",
            "routes[0].match.path: prefix and exact are both given, exactly one of them is needed",
        ),
        (
            "{match: {path: {regex: /}}, upstream: echo}",
            "routes[0].match.path.regex: this key is unknown; known are prefix, exact",
        ),
        (
            "{match: {path: {prefix: chat}}, upstream: echo}",
            "routes[0].match.path.prefix: 'chat' is not a path; it must begin with '/'",
        ),
        (
            "{match: {path: {exact: ''}}, upstream: echo}",
            "routes[0].match.path.exact: '' is not a path; it must begin with '/'",
        ),
        (
            '{match: {path: {exact: "/a?b"}}, upstream: echo}',
            "routes[0].match.path.exact: '/a?b' can never match, a path ends before '?' or '#'",
        ),
        (
            '{match: {path: {exact: "/a#b"}}, upstream: echo}',
            "routes[0].match.path.exact: '/a#b' can never match, a path ends before '?' or '#'",
        ),
        (
            "{match: {path: {prefix: /caf\u00e9}}, upstream: echo}",
            "routes[0].match.path.prefix: '/caf\u00e9' can never match, "
            "write spaces and all that is not ASCII percent-encoded",
        ),
        (
            "{match: {path: {prefix: /a b}}, upstream: echo}",
            "routes[0].match.path.prefix: '/a b' can never match, "
            "write spaces and all that is not ASCII percent-encoded",
        ),
        (
            "{match: {path: {prefix: /}}, upstream: echo, timeouts: {close: 5}}",
            "routes[0].timeouts.close: 5 has no unit; write 5s (or with ms, m or h)",
        ),
    ],
)
def test_a_mistake_in_a_route_is_named(route: str, message: str) -> None:
    assert messages(f"version: 1\n{LISTENERS}{UPSTREAMS}routes:\n  - {route}\n") == [message]


@pytest.mark.parametrize(
    ("upstream", "message"),
    [
        ("{}", "upstreams.echo: 'targets' is missing"),
        ("{targets: []}", "upstreams.echo.targets: nothing is in it, at least one is needed"),
        ("{targets: [{}]}", "upstreams.echo.targets[0]: 'url' is missing"),
        ("{targets: [{url: http://x}]}", "upstreams.echo.targets[0].url: 'http://x' is not a ws:// address"),
        (
            "{targets: [{url: ws://a}, {url: ws://b}]}",
            "upstreams.echo.targets: 2 targets are given, this version takes exactly one per upstream",
        ),
        (
            "{targets: [ws://a]}",
            "upstreams.echo.targets[0]: 'ws://a' is not a mapping; write 'key: value' in it",
        ),
        ("{targets: [{url: ws://a}], dialect: x}", "upstreams.echo.dialect: this key is unknown; known are targets"),
    ],
)
def test_a_mistake_in_an_upstream_is_named(upstream: str, message: str) -> None:
    assert messages(f"version: 1\n{LISTENERS}{ROUTES}upstreams:\n  echo: {upstream}\n") == [message]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("listeners: []", "listeners: nothing is in it, at least one is needed"),
        (
            "listeners: {bind: [a:80]}",
            "listeners: a mapping is not a list; write '- ' before each member, or brackets around all",
        ),
        ("routes: []", "routes: nothing is in it, at least one is needed"),
        ("upstreams: {}", "upstreams: nothing is in it, at least one is needed"),
        ("upstreams: []", "upstreams: a list is not a mapping; write 'key: value' in it"),
    ],
)
def test_an_empty_or_misshapen_section_is_named(section: str, message: str) -> None:
    key = section.partition(":")[0]
    rest = "".join(line for line in SMALL.splitlines(keepends=True) if not line.startswith(key))
    assert messages(f"{rest}{section}\n") == [message]


# -- the schema itself -----------------------------------------------------------------------------------------


def fields() -> list[tuple[str, FieldInfo]]:
    """Every field of every section."""
    return [
        (f"{kind.__name__}.{key}", info) for kind in Section.__subclasses__() for key, info in kind.model_fields.items()
    ]


@pytest.mark.parametrize(("key", "info"), fields())
def test_every_key_is_described_in_a_sentence(key: str, info: FieldInfo) -> None:
    assert info.description is not None, key
    assert info.description.endswith(".")


def test_the_schema_can_be_told_to_an_editor() -> None:
    schema: dict[str, Any] = File.model_json_schema()
    assert schema["properties"]["version"]["const"] == 1
    assert schema["$defs"]["TimeoutsSection"]["properties"]["handshake"]["type"] == "string"
    assert schema["$defs"]["HeadSection"]["properties"]["head_size"]["type"] == "string"


def test_the_keys_of_a_section_are_those_of_the_file() -> None:
    assert known_keys(("listeners", 0, "limits")) == ["head_size", "headers"]
    assert known_keys(("upstreams", "echo", "targets", 0)) == ["url"]


def test_only_a_section_has_keys() -> None:
    with pytest.raises(AssertionError):
        known_keys(("listeners", 0, "bind"))


def test_the_choices_of_a_key_are_those_of_the_file() -> None:
    assert choices(("logging", "format")) == ("text", "json")
