"""How keys are declared, and what is known of each."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from wsgateway.dialects import Limits
from wsgateway.settings.declare import REQUIRED, AtLeastOne, List, key, keys_of, marks, section, section_in
from wsgateway.settings.defaults import Binary, SessionLimits
from wsgateway.settings.listeners import RequestLimits
from wsgateway.settings.reader import Reader
from wsgateway.settings.routes import Route
from wsgateway.settings.values import Bits, Duration, FileName, Name
from wsgateway.wire.binary import BinaryRule
from wsgateway.wire.heads import HeadLimits

from .sections import keys


@section
class Small:
    """Hold two keys."""

    pause_seconds: Duration = key("Time between two things.", name="pause", default="2s")
    file: FileName | None = key("A file.", default=None, old_names=("path",))


@section(kw_only=True)
class Large:
    """Hold sections."""

    name: Name = key("A name.")
    small: Small = key(default={})
    several: AtLeastOne[Small] = key(default=None)
    counts: List[Bits] = key("Numbers.", default=[1, 2])
    words: dict[str, str] | None = key("Words.", default=None)

    def check(self, given: Any) -> None:
        """Raise ValueError if a name is given without numbers."""
        if "counts" not in given and self.name == "wrong":
            raise ValueError(f"{sorted(given)} do not go together")


def test_a_default_is_written_as_in_the_file_and_read_like_that() -> None:
    assert Small() == Small(pause_seconds=2.0, file=None)
    assert Large(name="a") == Large(name="a", small=Small(2.0, None), several=(), counts=(1, 2))


def test_a_section_is_made_of_a_mapping_with_the_names_of_the_file() -> None:
    data = {"name": "a", "small": {"pause": "1m"}, "several": [{"path": "x"}, {}], "counts": []}
    reader = Reader(Path("/etc"))
    assert reader.read(Large, data) == Large(
        name="a", small=Small(60.0), several=(Small(file="/etc/x"), Small()), counts=()
    )
    assert not reader.findings


def test_a_section_is_frozen_and_has_no_other_attributes() -> None:
    with pytest.raises(FrozenInstanceError):
        Small().pause_seconds = 1.0  # type: ignore[misc]
    assert not hasattr(Small(), "__dict__")


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (7, (), "7 is not a mapping; write 'key: value' in it"),
        ({}, (), "'name' is missing"),
        (
            {"name": "a", "pause": "1s"},
            ("pause",),
            "this key is unknown; known are name, small, several, counts, words",
        ),
        (
            {"name": "a", "small": {"pause_seconds": "1s"}},
            ("small", "pause_seconds"),
            "this key is unknown; known are pause, file",
        ),
        (
            {"name": "a", "small": {"path": "x", "file": "x"}},
            ("small", "path"),
            "this key is unknown; known are pause, file",
        ),
        ({"name": "a", "small": 1}, ("small",), "1 is not a mapping; write 'key: value' in it"),
        ({"name": "a", "several": []}, ("several",), "it is empty, at least one member is needed"),
        (
            {"name": "a", "several": {"pause": "1s"}},
            ("several",),
            "a mapping is not a list; write '- ' before each member, or brackets around all",
        ),
        ({"name": "a", "counts": [1, True]}, ("counts", 1), "true is not a whole number"),
        ({"name": "a", "counts": ["1"]}, ("counts", 0), "'1' is not a whole number"),
        ({"name": "a", "counts": [0]}, ("counts", 0), "0 is too small, at least 1 is allowed"),
        ({"name": "a", "counts": [129]}, ("counts", 0), "129 is too large, at most 128 is allowed"),
        ({"name": "a", "small": {"file": None}}, ("small", "file"), "the value is empty; write one, or remove the key"),
        ({"name": "a", "words": {"x": 7}}, ("words", "x"), "7 is not text; write it in quotes"),
        ({"name": "a", "words": {7: "x"}}, ("words", 7), "7 is not text; write it in quotes"),
        ({"name": "a", "words": "x"}, ("words",), "'x' is not a mapping; write 'key: value' in it"),
        ({"name": "wrong"}, (), "['name'] do not go together"),
    ],
)
def test_a_mistake_is_found_at_its_place(data: object, place: tuple[str | int, ...], message: str) -> None:
    reader = Reader(Path("/"))
    assert reader.read(Large, data) is None
    assert [(each.path, each.message) for each in reader.findings] == [(place, message)]


def test_all_mistakes_are_found_at_once() -> None:
    data = {"nam": "a", "small": {"pause": 1, "fil": "x"}, "counts": [0, "x", 1], "words": {"a": 1, 2: "b"}}
    reader = Reader(Path("/"))
    assert reader.read(Large, data) is None
    assert [(each.path, each.at_key) for each in reader.findings] == [
        ((), False), (("small", "pause"), False), (("small", "fil"), True), (("counts", 0), False),
        (("counts", 1), False), (("words", "a"), False), (("words", 2), True), (("nam",), True),
    ]  # fmt: skip


def test_a_key_is_known_by_its_declaration() -> None:
    pause, file = keys_of(Small)
    assert (pause.field, pause.name, pause.default, pause.required) == ("pause_seconds", "pause", "2s", False)
    assert (file.field, file.name, file.old_names) == ("file", "file", ("path",))
    name, small, *_ = keys_of(Large)
    assert (name.default, name.required) == (REQUIRED, True)
    assert small.description == "Hold two keys."


def test_a_section_has_its_own_keys_before_those_of_another() -> None:
    assert [each.name for each in keys_of(Route)][:7] == [
        "name", "match", "rewrite", "headers", "upstream", "http_upstream", "dialects",
    ]  # fmt: skip


@pytest.mark.parametrize("name", keys())
def test_a_key_is_described_in_at_most_four_sentences(name: str) -> None:
    text = keys()[name].description
    assert text.endswith(".")
    assert 1 <= text.count(". ") + 1 <= 4, text


@pytest.mark.parametrize("name", keys())
def test_the_default_and_the_example_are_values_that_the_key_takes(name: str) -> None:
    key_ = keys()[name]
    if section_in(key_.type) is None:
        for value in (key_.default, key_.example):
            if value not in (None, REQUIRED):
                reader = Reader(Path("/"))
                reader.read(key_.type, value)
                assert not reader.findings


@pytest.mark.parametrize("name", keys())
def test_a_key_without_a_default_has_an_example(name: str) -> None:
    key_ = keys()[name]
    assert key_.example is not None or key_.default is not None or section_in(key_.type)
    assert not key_.shown or key_.example is not None


@pytest.mark.parametrize("name", keys())
def test_the_words_of_a_key_all_have_a_meaning_or_none_has(name: str) -> None:
    kind, _ = marks(keys()[name].type)
    if get_origin(kind) is Literal:
        assert tuple(keys()[name].values) in ((), get_args(kind))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(SessionLimits(), Limits()), (RequestLimits(), HeadLimits()), (Binary(), BinaryRule())],
)
def test_the_library_has_the_same_defaults(ours: Any, theirs: Any) -> None:
    for each in fields(theirs):
        assert getattr(ours, each.name) == getattr(theirs, each.name)
