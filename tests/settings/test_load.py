"""Files, reports of all their mistakes, and the settings without a file."""

import re
from pathlib import Path

import pytest
import yaml

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings.basics import Address, UnixAddress, Url
from wsgateway.settings.load import load, parse, single
from wsgateway.settings.routes import Match, PathMatch
from wsgateway.settings.upstreams import Target

SMALL = b"""version: 1
listeners:
  - bind: ["127.0.0.1:8080"]
routes:
  - match: {path: {prefix: /}}
    upstream: echo
upstreams:
  echo:
    targets: [{url: "ws://127.0.0.1:9000"}]
"""


def refusals(path: str | Path) -> list[Problem]:
    """Return the problems of a file."""
    with pytest.raises(SettingsError) as caught:
        load(path)
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "f.yaml"


@pytest.mark.parametrize("text", [SMALL, b"\xef\xbb\xbf" + SMALL, SMALL.replace(b"\n", b"\r\n"), b"---\n" + SMALL])
def test_a_file_is_loaded_by_text_or_path(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    assert load(file) == load(str(file))
    assert load(file).listeners[0].bind == (Address("127.0.0.1", 8080),)


def test_a_file_that_is_not_there_is_a_problem_without_a_line(file: Path) -> None:
    assert refusals(file) == [Problem(str(file), 0, 0, "cannot be read: No such file or directory")]


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert refusals(str(tmp_path)) == [Problem(str(tmp_path), 0, 0, "cannot be read: Is a directory")]


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"~\n"])
def test_an_empty_file_is_one_problem(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    assert refusals(file) == [Problem(str(file), 1, 1, "the file is empty")]


@pytest.mark.parametrize(("text", "shown"), [(b"- a\n", "a list"), (b"a\n", "'a'"), (b"7", "7")])
def test_a_file_that_is_not_a_mapping_is_one_problem(file: Path, text: bytes, shown: str) -> None:
    file.write_bytes(text)
    assert refusals(file) == [Problem(str(file), 1, 1, f"{shown} is not a mapping; write 'key: value' in it")]


@pytest.mark.parametrize(
    ("text", "line", "column", "byte"),
    [
        (b"\xff\xfev\x00", 1, 1, "FF"),
        (b"a: 1\nb: caf\xe9\n", 2, 7, "E9"),
        (b"# \xc3\xa9\xc3\xa9 \x80", 1, 6, "80"),
        (b"a: \xed\xa0\x80", 1, 4, "ED"),
    ],
)
def test_a_file_that_is_not_utf_8_is_one_problem_with_its_place(
    file: Path, text: bytes, line: int, column: int, byte: str
) -> None:
    file.write_bytes(text)
    assert refusals(file) == [Problem(str(file), line, column, f"not UTF-8: the byte {byte}")]


def test_yaml_that_cannot_be_read_is_one_problem(file: Path) -> None:
    file.write_bytes(SMALL + b"a: b: c\n")
    assert refusals(file) == [
        Problem(
            str(file),
            10,
            5,
            "not YAML: no key can end here; put a value with a colon in quotes, or look for a missing colon in front of"
            " it",
        )
    ]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = """\
version: 2
listeners:
  - bind: ["127.0.0.1", a:80]
    max_conections: 5
    bind: [a:80, a:80]
routes:
  - upstream: chatt
    match: {path: {prefix: chat}}
upstreams:
  "b d": {}
  chat:
    targets:
      - url: ftp://x
      - url: ws://x
logging: yes
"""
    with pytest.raises(SettingsError) as caught:
        parse(text, "wsgateway.yaml")
    assert str(caught.value).splitlines() == [
        "wsgateway.yaml:1:10: version: 2 is not a version that is known here; write 1",
        "wsgateway.yaml:4:5: listeners[0].max_conections: this key is unknown; did you mean 'max_connections'?",
        "wsgateway.yaml:5:5: listeners[0].bind: this key stands twice, in line 3 and in line 5",
        "wsgateway.yaml:5:18: listeners[0].bind[1]: 'a:80' is bound by listeners[0].bind[0] already",
        "wsgateway.yaml:7:15: routes[0].upstream: 'chatt' is not an upstream; did you mean 'chat'?",
        "wsgateway.yaml:8:28: routes[0].match.path.prefix: 'chat' is not a path; it must begin with '/'",
        "wsgateway.yaml:10:3: upstreams['b d']: 'b d' is not a name; letters, digits, '_', '-' and '.' are allowed",
        "wsgateway.yaml:10:10: upstreams['b d']: 'targets' is missing",
        "wsgateway.yaml:13:14: upstreams.chat.targets[0].url: 'ftp://x' is not an address that begins with ws://,"
        " wss://, http:// or https://",
        "wsgateway.yaml:15:10: logging: 'yes' is not a mapping; write 'key: value' in it",
    ]


def test_a_repeated_key_alone_makes_a_file_unusable() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(SMALL.decode() + "version: 1\n", "f.yaml")
    assert caught.value.problems == [
        Problem("f.yaml", 10, 1, "version: this key stands twice, in line 1 and in line 10")
    ]


FULL = """\
version: 1
listeners:
  - name: a
    bind: [a:80]
    max_connections: 1
    limits: {head_size: 1KiB, headers: 1}
    flash_policy: {mode: only, allow: [{domain: a, ports: [1]}]}
    max_connections_per_ip: 1
    proxy_protocol: {accept: optional, trusted: [10.0.0.0/8]}
    forwarded: {trusted: [10.0.0.0/8]}
    tls:
      profile: custom
      certificates: [{hosts: [a], certificate: a, private_key: a}]
      client_certificates: optional
      client_ca: a
      minimum: "1.2"
      ciphers: a
defaults:
  dialects: [hybi-01..08]
  binary: {encode: hex, decode: hex, text_only: [hybi-08]}
  invalid_utf8: close
  location_scheme: ws
  extensions: none
  unprefixed_headers: true
  origins: {allow: ["http://a"], missing: allow, opaque: allow}
  timeouts: {handshake: 1s, idle: 1s, send: 1s, lifetime: none}
  keepalive: {interval: 1s, timeout: 1s}
  limits: {message_size: 1B, fragments: 1, message_rate: 1/s, message_rate_action: delay, handshake_rate: none}
routes:
  - name: a
    match: {path: {regex: /}, hosts: [a], subprotocols: [a], headers: {a: b}, listeners: [a], upgrade: true}
    upstream: a
    http_upstream: b
    rewrite: {strip_prefix: /a, add_prefix: /b}
    headers: {set: {a: "{route}"}, remove: [a]}
    dialects: [rfc6455]
    binary: {encode: hex}
    invalid_utf8: close
    unprefixed_headers: true
    timeouts: {close: 1s}
    limits: {fragments: 1}
upstreams:
  a: {targets: [{url: ws://a}], dialect: rfc6455, host: a, send_proxy_protocol: v1, max_connections: 1}
  b: {targets: [{url: https://a, tls: {ca: a, server_name: a, certificate: a, private_key: a}}]}
logging: {level: info, format: text}
"""


def places() -> list[tuple[int, int]]:
    """Return where each key and value of a full file begins and ends, except the whole."""
    root = yaml.compose(FULL, Loader=yaml.SafeLoader)
    found: list[tuple[int, int]] = []

    def header_context(node: yaml.Node | None) -> None:
        assert node is not None
        found.append((node.start_mark.index, node.end_mark.index))
        for child in node.value if isinstance(node.value, list) else ():
            for each in child if isinstance(child, tuple) else (child,):
                header_context(each)

    header_context(root)
    return found[1:]


# Each section while a value is tried in another: only the names that the others refer to, as it is read each time.
SHORT = """\
version: 1
listeners: [{name: a, bind: [a:80]}]
routes: [{match: {path: {prefix: /}, listeners: [a]}, upstream: a, http_upstream: b}]
upstreams: {a: {targets: [{url: ws://a}]}, b: {targets: [{url: http://a}]}}
"""


def sections(text: str) -> dict[str, str]:
    """Return the sections of a file, by their names."""
    return {section.partition(":")[0]: section for section in re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]}


def with_other(start: int, end: int, other: str) -> str:
    """Return FULL with something else in this place: the section with that place whole, the others short."""
    length = len(FULL[start:end].rstrip())
    [name] = [name for name, text in sections(FULL).items() if 0 <= start - FULL.index(text) < len(text)]
    text = sections(FULL)[name]
    at = start - FULL.index(text)
    section = f"{text[:at]}{other}{text[at + length :]}"
    return "".join((sections(SHORT) | {name: f"{section}\n"}).values())


@pytest.mark.parametrize("other", ["7", "true", "~", "x", "[]", "[x]", "{}", "{x: 1}", "[{}]", "'é '", "-9", "[[x]]"])
def test_a_wrong_value_in_any_place_raises_the_documented_error_alone(other: str) -> None:
    problems: list[Problem] = []
    for start, end in places():
        try:
            parse(with_other(start, end, other), "f.yaml")
        except SettingsError as error:
            problems += error.problems
    # There are 111 keys and values, most of which may be none of these.
    assert len(problems) > 100
    assert all(problem.line > 0 and problem.column > 0 for problem in problems)


def test_the_sections_of_that_test_are_good_alone() -> None:
    short, full = sections(SHORT), sections(FULL)
    for name in full:
        parse("".join((short | {name: full[name]}).values()), "f.yaml")


def test_the_full_file_of_that_test_is_good() -> None:
    assert parse(FULL, "f.yaml").listeners[0].name == "a"


# -- without a file --------------------------------------------------------------------------------------------


def test_two_addresses_make_a_gateway_that_takes_every_path() -> None:
    settings = single("[::1]:0", "ws://chat.internal:9000").settings()
    (listener,), (route,) = settings.listeners, settings.routes
    assert (listener.name, listener.bind, listener.max_connections) == ("listener-1", (Address("::1", 0),), 20000)
    assert (route.name, route.match, route.limits.message_bytes) == (
        "route-1",
        Match(path=PathMatch(prefix="/")),
        16_777_216,
    )
    assert route.upstream is not None
    assert route.upstream.targets == (Target(Url("chat.internal", 9000, "ws://chat.internal:9000")),)
    assert settings.defaults.timeouts.handshake_seconds == 10.0


def test_without_a_file_a_unix_socket_is_relative_to_the_working_directory() -> None:
    [listener] = single("unix:ws.sock", "ws://chat.internal:9000").settings().listeners
    assert listener.bind == (UnixAddress(f"{Path.cwd()}/ws.sock"),)


def test_both_addresses_are_checked_at_once_under_their_options() -> None:
    with pytest.raises(SettingsError) as caught:
        single("localhost", "http://x")
    assert str(caught.value).splitlines() == [
        "--listen: 'localhost' has no port; write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080",
        "--upstream: 'http://x' is not an address that begins with ws:// or wss://",
    ]
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(0, 0), (0, 0)]
