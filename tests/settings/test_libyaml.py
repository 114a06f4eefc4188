"""YAML that libyaml reads, and the part of PyYAML in Python: the same data, places and mistakes by both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.steps import steps
from wsgateway.errors import SettingsError
from wsgateway.settings import document
from wsgateway.settings.document import Document, read
from wsgateway.settings.findings import Path as Keys
from wsgateway.settings.load import parse

CONFIG = Path(__file__).parent.parent.parent / "config"


def every_path(data: object, path: Keys = ()) -> Iterator[Keys]:
    """Yield the paths of all values."""
    yield path
    inside: list[tuple[Any, object]] = []
    if isinstance(data, dict | list):
        inside = list(data.items() if isinstance(data, dict) else enumerate(data))
    for step, value in inside:
        yield from every_path(value, (*path, step))


def places(found: Document) -> list[tuple[Keys, tuple[int, int], tuple[int, int] | None]]:
    """Return the place of each value, and of the key in front of it."""
    return [
        (path, found.place(path), found.place(path, at_key=True) if path and isinstance(path[-1], str) else None)
        for path in every_path(found.data)
    ]


def what_is_read(text: str, by_libyaml: bool) -> object:
    """Return all that is known of a text: data and places, or what is wrong with it."""
    with pytest.MonkeyPatch.context() as patch:
        if not by_libyaml:
            patch.setattr(document, "_LIBYAML", None)
        try:
            found = read(text, "f.yaml")
        except SettingsError as error:
            return error.problems
        return found.data, places(found), found.repeated


PIECES = [
    "a", "key", "key: value", "b: 1", "b:", "- ", "-", ": ", ":", ", ", ",", "[", "]", "{", "}", "[a, b]", "- - a",
    "{url: ws://h:1/}", "\n", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "\r\n", "\r", "\t", " ", "  ", "#", "# c",
    " #b", "'", "''", "'it''s'", "'a\n  b'", '"', '"a\n  b"', '"\\u0041"', '"\\x"', '"\\ud800"', '"\\U00110000"',
    "\\", "|\n", "|", "|#", "> ", ">-\n  x\n", "? ", "?", "a?", "true", "null", "~", "1", "-1", "1.5", "0x1f", "*.x",
    "ws://a:1", "&a ", "*a", "!!str ", "!", "%", "@", "`", "<<", "=", "--- ", "\n---\n", "\n...\n", "%YAML 1.2\n",
    "%TAG ! x\n", "\u00e9", "\u2603", "\U0001f600", "\u2028", "\x85", "\u00a0", "\ufeff", "\x07",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@settings(max_examples=1500)
@given(TEXTS)
@example("a: {b: , c: [?, d?]}")
@example("? a")
@example(": 1\n: 2")
@example("a:\n\tb: 1")
@example("- |#c\n  x")
@example("[a? b]")
@example("a: 1\nb: 2\na: 3\n'': 4\n'': 5")
def test_both_read_the_same(text: str) -> None:
    assert what_is_read(text, by_libyaml=True) == what_is_read(text, by_libyaml=False)


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.yaml")), ids=lambda file: file.name)
def test_both_read_the_same_from_the_files_of_the_project(file: Path) -> None:
    assert what_is_read(file.read_text(), by_libyaml=True) == what_is_read(file.read_text(), by_libyaml=False)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML has no libyaml here: install a wheel of it")
def test_an_ordinary_file_is_read_by_libyaml_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "SafeLoader", None)
    for name in ("wsgateway.yaml", "minimal.yaml"):
        assert read((CONFIG / name).read_text(), "f.yaml").data


# -- what it costs ---------------------------------------------------------------------------------------------------

ROUTE = """
  - name: app-{0}
    match: {{path: {{prefix: /apps/{0}}}, hosts: [a{0}.example.com]}}
    origins: {{allow: ["https://a{0}.example.com"]}}
    timeouts: {{idle: 60s}}
    upstream: echo"""


def test_a_route_takes_as_many_steps_among_many_as_among_few_and_less_than_a_thousand() -> None:
    def needed(count: int) -> int:
        routes = "".join(ROUTE.format(number) for number in range(1000, 1000 + count))
        text = f"""\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
routes:{routes}
upstreams: {{echo: {{targets: [{{url: "ws://127.0.0.1:9"}}]}}}}
"""
        return steps(lambda: parse(text, "f.yaml"))

    needed(1)  # what is made once
    first, second, fourth = needed(50), needed(100), needed(200)
    assert fourth - second == 2 * (second - first)
    assert (second - first) / 50 < 1000
