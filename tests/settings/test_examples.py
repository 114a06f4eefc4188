"""The files that are made from the declarations: the examples, the schema, and the reference of all keys."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.documents import FILES, ROOT
from wsgateway.cli import main
from wsgateway.errors import SettingsError
from wsgateway.settings.declare import keys_of, own_keys
from wsgateway.settings.document import read
from wsgateway.settings.example import complete_example, flow, minimal_example
from wsgateway.settings.json_schema import json_schema
from wsgateway.settings.load import load, parse
from wsgateway.settings.units import seconds
from wsgateway.settings.whole import Settings

from .files import SMALL
from .reference import reference
from .sections import keys, sections

SCHEMA = json_schema()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_as_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == FILES[name](), "python -m tests.documents writes it"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["example"], "config/wsgateway.yaml"),
        (["example", "--minimal"], "config/minimal.yaml"),
        (["schema"], "config/wsgateway.schema.json"),
    ],
)
def test_a_command_prints_it(arguments: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == FILES[name]()


# -- the examples ----------------------------------------------------------------------------------------------


def test_the_smallest_example_is_as_small_as_can_be() -> None:
    data: Any = yaml.safe_load(minimal_example())
    parse(minimal_example(), "f.yaml")
    for name in ("version", "listeners", "routes", "upstreams"):
        rest = yaml.safe_dump({each: value for each, value in data.items() if each != name})
        with pytest.raises(SettingsError):
            parse(rest, "f.yaml")


def test_what_is_not_in_a_comment_of_the_complete_example_is_what_a_small_file_means() -> None:
    complete, small = load(ROOT / "config" / "wsgateway.yaml"), load(ROOT / "config" / "minimal.yaml")
    listener, upstream = complete.listeners[0], complete.upstreams["chat"]
    least, least_upstream = small.listeners[0], small.upstreams["echo"]
    assert replace(listener, name=least.name, bind=least.bind) == least
    target = least_upstream.targets[0]
    assert replace(upstream.targets[0], url=target.url) == target
    assert replace(upstream, name="echo", targets=least_upstream.targets) == least_upstream
    route = small.routes[0]
    for each in complete.routes:
        assert replace(each, name=route.name, match=route.match, upstream=route.upstream, http_upstream=None) == route
    assert replace(complete, listeners=(), routes=(), upstreams={}) == replace(
        small, listeners=(), routes=(), upstreams={}
    )


def test_every_key_is_in_the_complete_example() -> None:
    for key in keys().values():
        assert re.search(rf"^[ #]*(- )?{key.name}:( |$)", complete_example(), re.MULTILINE), key


def test_the_complete_example_has_the_keys_in_the_order_of_their_declaration() -> None:
    assert re.findall(r"^([a-z_]+):", complete_example(), re.MULTILINE) == [each.name for each in keys_of(Settings)]


def test_the_complete_example_fits_into_120_columns() -> None:
    assert max(map(len, complete_example().splitlines())) <= 120


@pytest.mark.parametrize(
    "value",
    [
        True, 1, "a", "true", "No", "1", "1.5", "1.2.3.4/8", "10s", "", "*", "a: b", "[::1]:80", "{x}", "#a", '"',
        "a\\b", "hybi-01..08", [], ["a", "*"], {}, {"a": ["b"], "*": {"c": False}},
    ],
)  # fmt: skip
def test_a_value_on_one_line_is_read_as_it_was(value: object) -> None:
    assert read(f"a: {flow(value)}", "f.yaml").data == {"a": value}
    assert yaml.safe_load(flow(value)) == value


# -- the schema ------------------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def refusals(data: object) -> list[str]:
    """Return the places of what the schema refuses in a file."""
    return [error.json_path for error in Draft7Validator(SCHEMA).iter_errors(data)]


@pytest.mark.parametrize("name", ["config/wsgateway.yaml", "config/minimal.yaml"])
def test_the_schema_takes_the_examples(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=wsgateway.schema.json\n")
    assert refusals(yaml.safe_load(text)) == refusals(read(text, name).data) == []


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("loging: {}", "$"),
        ("version: 2", "$.version"),
        ("logging: {level: warn}", "$.logging.level"),
        ("logging: {value_length: 49}", "$.logging.value_length"),
        ("logging: {value_length: '200'}", "$.logging.value_length"),
        ("logging: {queue: 1MB}", "$.logging.queue"),
        ("logging: {queue: 1048576}", "$.logging.queue"),
        ("logging: []", "$.logging"),
        ("shutdown: {drain: 30}", "$.shutdown.drain"),
        ("shutdown: {drain: none}", "$.shutdown.drain"),
        ("shutdown: {spread: never}", "$.shutdown.spread"),
        ("workers: 0", "$.workers"),
        ("workers: many", "$.workers"),
        ("listeners: []", "$.listeners"),
        ("listeners: [{}]", "$.listeners[0]"),
        ("listeners: [{bind: 'a:80'}]", "$.listeners[0].bind"),
        ("listeners: [{bind: [8080]}]", "$.listeners[0].bind[0]"),
        ("listeners: [{bind: ['a:80'], max_connections: 0}]", "$.listeners[0].max_connections"),
        ("listeners: [{bind: ['a:80'], tls: {}}]", "$.listeners[0].tls"),
        ("listeners: [{bind: ['a:80'], tolerance: [bare-cr]}]", "$.listeners[0].tolerance"),
        ("defaults: {dialects: [hybie-08]}", "$.defaults.dialects[0]"),
        ("defaults: {dialects: rfc6455}", "$.defaults.dialects"),
        ("defaults: {limits: {message_rate: 100}}", "$.defaults.limits.message_rate"),
        ("defaults: {unprefixed_headers: 'yes'}", "$.defaults.unprefixed_headers"),
        ("defaults: {upstream: echo}", "$.defaults"),
        ("upstreams: {}", "$.upstreams"),
        ("upstreams: {echo: {targets: [{url: 'ftp://a'}]}}", "$.upstreams.echo.targets[0].url"),
        ("upstreams: {echo: {targets: [{url: 'ws://a/path'}]}}", "$.upstreams.echo.targets[0].url"),
        ("upstreams: {echo: {targets: [{url: 'ws://a'}], balance: sticky}}", "$.upstreams.echo.balance"),
        ("upstreams: {echo: {targets: [{url: 'ws://a'}], health: {passive: {share: 101%}}}}",
         "$.upstreams.echo.health.passive.share"),
        ("routes: [{match: {path: {prefix: /}, hosts: a}, upstream: echo}]", "$.routes[0].match.hosts"),
        ("routes: [{match: {path: {prefix: 1}}, upstream: echo}]", "$.routes[0].match.path.prefix"),
        ("routes: [{upstream: echo}]", "$.routes[0]"),
    ],
)  # fmt: skip
def test_the_schema_refuses_a_mistake_at_its_place(line: str, place: str) -> None:
    assert refusals(yaml.safe_load(SMALL) | yaml.safe_load(line)) == [place]


@pytest.mark.parametrize(
    "line",
    [
        "listeners: [{bind: ['a:80', 'unix:/x', 'systemd:a'], tls: {certificates: [{certificate: a, private_key: b}],"
        " profile: custom, minimum: 1.2}}]",
        "defaults: {dialects: [hixie-75..76, hybi-01..hybi-08], origins: {'null': allow}, timeouts: {idle: 1.5h}}",
        "upstreams: {echo: {targets: [{url: 'WSS://[::1]:9/'}], balance: {hash: {ip: true}}, tolerance: all}}",
        "control: unix:/run/x.sock",
    ],
)
def test_the_schema_takes_what_the_gateway_takes(line: str) -> None:
    data = yaml.safe_load(SMALL) | yaml.safe_load(line)
    assert refusals(data) == []
    parse(json.dumps(data), "f.yaml")


@pytest.mark.parametrize("text", ["10s", "500ms", "2m", "1h", "1.5s", "10", "s", "1d", "1 s", "-1s", ".5s"])
def test_the_schema_and_the_gateway_have_one_form_for_durations(text: str) -> None:
    good = not refusals(yaml.safe_load(SMALL) | {"shutdown": {"drain": text}})
    if good:
        assert seconds(text) > 0
    else:
        with pytest.raises(ValueError, match=re.escape(repr(text))):
            seconds(text)


# -- the reference ---------------------------------------------------------------------------------------------


def test_the_reference_has_a_row_for_every_key_and_a_table_for_every_section() -> None:
    every = set(sections())
    assert reference().count("\n| `") == sum(len(own_keys(kind)) for kind in every)
    assert reference().count("### ") == len(every)


@pytest.mark.parametrize(
    "row",
    [
        "| `head_size` | size | `16KiB` | 1KiB to 1MiB | new sessions | All lines of the head together. |",
        "| `weight` | whole number | `1` | 1 to 65535 sessions | new sessions | Sessions that it gets where a target"
        " of weight 1 gets one. |",
        "| `level` | `debug`, `info`, `warning`, `error` | `info` |  | restart | Least important lines that are logged."
        " |",
        "| `interval` | duration or `none` | `30s` | more than 0s | new sessions | Silence before a peer"
        " is asked. none: it is not asked. |",
    ],
)
def test_a_row_says_what_is_known_of_a_key(row: str) -> None:
    assert row in reference().splitlines()


def accepted(text: str) -> bool:
    return Draft7Validator(SCHEMA).is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "line",
    [
        "workers: ${WORKERS:-auto}",
        "shutdown: {drain: '${DRAIN}s', close_code: '${CODE}'}",
        "defaults: {limits: {message_size: '${SIZE}', fragments: '${COUNT}'}, invalid_utf8: '${WORD}'}",
        "defaults: {dialects: ['${OLD}', rfc6455]}",
        "admin: {bind: '${ADDRESS}'}",
    ],
)
def test_the_schema_takes_a_variable_for_any_value(line: str) -> None:
    assert accepted(f"{SMALL}{line}\n")
    assert not accepted(f"{SMALL}{line}\n".replace("${", "{"))


def test_the_schema_takes_no_variable_for_a_name() -> None:
    named = SMALL.replace("routes: [{", "routes: [{name: NAME, ")
    assert accepted(named)
    assert not accepted(named.replace("NAME", "'${NAME}'"))


def test_the_schema_needs_routes_and_upstreams_only_where_no_other_files_are_included() -> None:
    alone = "".join(line for line in SMALL.splitlines(keepends=True) if line.startswith(("version", "listeners")))
    assert not accepted(alone)
    assert accepted(f"{alone}include: [routes.d/*.yaml]\n")
    assert accepted(SMALL)
    assert not accepted("include: [routes.d/*.yaml]\n")
