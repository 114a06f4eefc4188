"""Reports of mistakes in any section."""

import pytest

from .files import LISTENERS, ROUTES, SMALL, UPSTREAMS, messages


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("logging: {level: warn}", "logging.level: 'warn' is unknown; did you mean 'warning'?"),
        ("logging: {level: x}", "logging.level: 'x' is unknown; known are debug, info, warning, error"),
        ("logging: {level: 1}", "logging.level: 1 is unknown; known are debug, info, warning, error"),
        ("logging: {format: jsn}", "logging.format: 'jsn' is unknown; did you mean 'json'?"),
        (
            "logging: {value_length: 49}",
            "logging.value_length: 49 is too small, at least 50 is allowed",
        ),
        (
            "logging: {value_length: 65537}",
            "logging.value_length: 65537 is too large, at most 65536 is allowed",
        ),
        ("logging: {queue: 63KiB}", "logging.queue: '63KiB' is too small, at least 64KiB is allowed"),
        ("logging: {queue: 2GiB}", "logging.queue: '2GiB' is too large, at most 1GiB is allowed"),
        ("logging: {}\nloging: {}", "loging: this key is unknown; did you mean 'logging'?"),
        (
            "tls: on",
            "tls: this key is unknown;"
            " known are version, include, listeners, defaults, routes, upstreams, shutdown, workers, join_memory,"
            " logging, trace, admin, ...",
        ),
        ("census: {keep: 23h}", "census: keep: 82800 s are too short; write 1d or more"),
        ("census: {file: ''}", "census.file: '' is not the name of a file"),
        ("shutdown: {drain: 0s}", "shutdown.drain: '0s' is too short, it must be more than 0s"),
        ("shutdown: {drain: none}", "shutdown.drain: 'none' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d"),
        ("shutdown: {spread: 5}", "shutdown.spread: 5 has no unit; write 5s (or with ms, m, h or d), or none"),
        (
            "shutdown: {drain: 5s, spread: 6s}",
            "shutdown: a spread of 6 s is longer than the drain, which ends after 5 s",
        ),
        *(
            (
                f"shutdown: {{close_code: {code}}}",
                f"shutdown.close_code: {code} is not a close code; write 1001, 1012, or one from 3000 to 4999",
            )
            for code in (999, 1005, 1006, 1015, 2999, 5000, "true")
        ),
        ("defaults:", "defaults: an empty value is not a mapping; write 'key: value' in it"),
        ("defaults: [1]", "defaults: a list is not a mapping; write 'key: value' in it"),
        ("defaults: {timeout: {}}", "defaults.timeout: this key is unknown; did you mean 'timeouts'?"),
        (
            "defaults: {timeouts: {handshake_seconds: 1s}}",
            "defaults.timeouts.handshake_seconds: this key is unknown; did you mean 'handshake'?",
        ),
        (
            "defaults: {timeouts: {read: 1s}}",
            "defaults.timeouts.read: this key is unknown;"
            " known are handshake, challenge, connect, idle, close, send, lifetime, response",
        ),
        (
            "defaults: {timeouts: {connect: 10}}",
            "defaults.timeouts.connect: 10 has no unit; write 10s (or with ms, m, h or d)",
        ),
        (
            "defaults: {timeouts: {connect: none}}",
            "defaults.timeouts.connect: 'none' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d",
        ),
        (
            "defaults: {timeouts: {connect: 0s}}",
            "defaults.timeouts.connect: '0s' is too short, it must be more than 0s",
        ),
        ("join_memory: 64", "join_memory: 64 has no unit; write 64B (or with KiB, MiB or GiB)"),
        ("join_memory: 15MiB", "join_memory: '15MiB' is too small, at least 16MiB is allowed"),
        ("defaults: {limits: {join: 17MiB}}", "defaults.limits.join: '17MiB' is too large, at most 16MiB is allowed"),
        (
            "defaults: {limits: {join: none}}",
            "defaults.limits.join: 'none' is not a size; write it as 64B, 16KiB, 1MiB or 2GiB",
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
def test_a_required_key_that_is_missing_is_reported(key: str) -> None:
    text = "".join(line for line in SMALL.splitlines(keepends=True) if not line.startswith(key))
    assert messages(text) == [f"'{key}' is missing"]


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ("{}", "listeners[0]: 'bind' is missing"),
        ("", "listeners[0]: an empty value is not a mapping; write 'key: value' in it"),
        ("{bind: []}", "listeners[0].bind: it is empty, at least one member is needed"),
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
        ("{bind: [a:80], name: }", "listeners[0].name: the value is empty; write one, or remove the key"),
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
        (
            "{match: {path: {prefix: /}}}",
            "routes[0]: the route has no upstream; give it an upstream, an http_upstream, or both",
        ),
        (
            "{match: {path: {prefix: /}}, upstream: ecko}",
            "routes[0].upstream: 'ecko' is not an upstream; did you mean 'echo'?",
        ),
        ("{match: {path: {prefix: /}}, upstream: [echo]}", "routes[0].upstream: a list is not text"),
        ("{match: {}, upstream: echo}", "routes[0].match: 'path' is missing"),
        (
            "{match: {path: /chat}, upstream: echo}",
            "routes[0].match.path: '/chat' is not a mapping; write 'key: value' in it",
        ),
        (
            "{match: {path: {}}, upstream: echo}",
            "routes[0].match.path: none of prefix, exact and regex is given, exactly one of them is needed",
        ),
        (
            "{match: {path: {prefix: /, exact: /}}, upstream: echo}",
            "routes[0].match.path: prefix and exact are given, exactly one of them is needed",
        ),
        (
            "{match: {path: {suffix: /}}, upstream: echo}",
            "routes[0].match.path.suffix: this key is unknown; known are prefix, exact, regex",
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
            "routes[0].match.path.exact: '/a?b' is not a path, which ends before '?' or '#'",
        ),
        (
            '{match: {path: {exact: "/a#b"}}, upstream: echo}',
            "routes[0].match.path.exact: '/a#b' is not a path, which ends before '?' or '#'",
        ),
        (
            "{match: {path: {prefix: /caf\u00e9}}, upstream: echo}",
            "routes[0].match.path.prefix: '/caf\u00e9' is not a path; "
            "write spaces and all that is not ASCII percent-encoded",
        ),
        (
            "{match: {path: {prefix: /a b}}, upstream: echo}",
            "routes[0].match.path.prefix: '/a b' is not a path; write spaces and all that is not ASCII percent-encoded",
        ),
        (
            "{match: {path: {prefix: /}}, upstream: echo, timeouts: {close: 5}}",
            "routes[0].timeouts.close: 5 has no unit; write 5s (or with ms, m, h or d)",
        ),
    ],
)
def test_a_mistake_in_a_route_is_named(route: str, message: str) -> None:
    assert messages(f"version: 1\n{LISTENERS}{UPSTREAMS}routes:\n  - {route}\n") == [message]


@pytest.mark.parametrize(
    ("upstream", "message"),
    [
        ("{}", "upstreams.echo: 'targets' is missing"),
        ("{targets: []}", "upstreams.echo.targets: it is empty, at least one member is needed"),
        ("{targets: [{}]}", "upstreams.echo.targets[0]: 'url' is missing"),
        (
            "{targets: [{url: ftp://x}]}",
            "upstreams.echo.targets[0].url: 'ftp://x' is not an address that begins with ws://, wss://, http:// or"
            " https://",
        ),
        (
            "{targets: [{url: ws://a, backup: true}, {url: ws://b, backup: true}]}",
            "upstreams.echo: all targets are backups; at least one must not be",
        ),
        (
            "{targets: [ws://a]}",
            "upstreams.echo.targets[0]: 'ws://a' is not a mapping; write 'key: value' in it",
        ),
        (
            "{targets: [{url: ws://a}], balanced: x}",
            "upstreams.echo.balanced: this key is unknown; did you mean 'balance'?",
        ),
    ],
)
def test_a_mistake_in_an_upstream_is_named(upstream: str, message: str) -> None:
    assert messages(f"version: 1\n{LISTENERS}{ROUTES}upstreams:\n  echo: {upstream}\n") == [message]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("listeners: []", "listeners: it is empty, at least one member is needed"),
        (
            "listeners: {bind: [a:80]}",
            "listeners: a mapping is not a list; write '- ' before each member, or brackets around all",
        ),
        ("routes: []", "routes: it is empty, at least one member is needed"),
        ("upstreams: {}", "upstreams: it is empty, at least one member is needed"),
        ("upstreams: []", "upstreams: a list is not a mapping; write 'key: value' in it"),
    ],
)
def test_an_empty_or_misshapen_section_is_named(section: str, message: str) -> None:
    key = section.partition(":")[0]
    rest = "".join(line for line in SMALL.splitlines(keepends=True) if not line.startswith(key))
    assert messages(f"{rest}{section}\n") == [message]
