"""How keys are declared, and what is known of each."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

from wsgateway.dialects import Limits
from wsgateway.settings.declare import REQUIRED, AtLeastOne, List, key, keys_of, marks, section, section_in
from wsgateway.settings.defaults import Binary, SessionLimits
from wsgateway.settings.listeners import RequestLimits
from wsgateway.settings.paths import choices, known_keys
from wsgateway.settings.values import Count, Duration, FileName, Name
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
    counts: List[Count] = key("Numbers.", default=[1, 2])

    def check(self, given: Any) -> None:
        """Raise ValueError if a name is given without numbers."""
        if "counts" not in given and self.name == "wrong":
            raise ValueError(f"{sorted(given)} do not go together")


LARGE = TypeAdapter(Large)


def test_a_default_is_written_as_in_the_file_and_read_like_that() -> None:
    assert Small() == Small(pause_seconds=2.0, file=None)
    assert Large(name="a") == Large(name="a", small=Small(2.0, None), several=(), counts=(1, 2))


def test_a_section_is_made_of_a_mapping_with_the_names_of_the_file() -> None:
    data = {"name": "a", "small": {"pause": "1m"}, "several": [{"path": "x"}, {}], "counts": []}
    assert LARGE.validate_python(data, context=Path("/etc")) == Large(
        name="a", small=Small(60.0), several=(Small(file="/etc/x"), Small()), counts=()
    )


def test_a_section_is_frozen_and_has_no_other_attributes() -> None:
    with pytest.raises(FrozenInstanceError):
        Small().pause_seconds = 1.0  # type: ignore[misc]
    assert not hasattr(Small(), "__dict__")


@pytest.mark.parametrize(
    ("data", "place", "kind"),
    [
        ({}, ("name",), "missing"),
        ({"name": "a", "pause": "1s"}, ("pause",), "extra_forbidden"),
        ({"name": "a", "small": {"pause_seconds": "1s"}}, ("small", "pause_seconds"), "extra_forbidden"),
        ({"name": "a", "small": 1}, ("small",), "dict_type"),
        ({"name": "a", "several": []}, ("several",), "too_short"),
        ({"name": "a", "several": {"pause": "1s"}}, ("several",), "list_type"),
        ({"name": "a", "counts": [1, True]}, ("counts", 1), "int_type"),
        ({"name": "a", "counts": ["1"]}, ("counts", 0), "int_type"),
        ({"name": "a", "counts": [0]}, ("counts", 0), "greater_than_equal"),
        ({"name": "a", "small": {"file": None}}, ("small", "file"), "value_error"),
        ({"name": "wrong"}, (), "value_error"),
    ],
)
def test_a_mistake_is_found_at_its_place(data: object, place: tuple[str | int, ...], kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LARGE.validate_python(data)
    assert [(each["loc"], each["type"]) for each in caught.value.errors()] == [(place, kind)]


def test_a_key_is_known_by_its_declaration() -> None:
    pause, file = keys_of(Small)
    assert (pause.field, pause.name, pause.default, pause.required) == ("pause_seconds", "pause", "2s", False)
    assert (file.field, file.name, file.old_names) == ("file", "file", ("path",))
    name, small, *_ = keys_of(Large)
    assert (name.default, name.required) == (REQUIRED, True)
    assert small.description == "Hold two keys."


def test_a_section_has_its_own_keys_before_those_of_another() -> None:
    assert known_keys(("routes", 0))[:7] == [
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
                TypeAdapter(key_.type).validate_python(value, context=Path("/"))


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


def test_the_keys_of_a_section_are_those_of_the_file() -> None:
    assert known_keys(("listeners", 0, "limits")) == ["head_size", "headers"]
    assert known_keys(("listeners", 0, "flash_policy", "allow", 1)) == ["domain", "ports"]
    assert known_keys(("upstreams", "echo", "targets", 0)) == [
        "url", "tls", "weight", "backup", "max_connections", "srv",
    ]  # fmt: skip
    assert known_keys(("listeners", 0, "tls", "certificates", 0)) == ["certificate", "private_key", "hosts"]
    binary = ["encode", "decode", "text_only"]
    assert known_keys(("defaults", "binary")) == known_keys(("routes", 2, "binary")) == binary


def test_only_a_section_has_keys() -> None:
    with pytest.raises(AssertionError):
        known_keys(("listeners", 0, "bind"))


def test_the_choices_of_a_key_are_those_of_the_file() -> None:
    assert choices(("logging", "format")) == ("text", "json")
    assert choices(("routes", 0, "binary", "decode")) == ("none", "base64", "latin-1", "hex")
    assert choices(("listeners", 0, "tls", "minimum")) == ("1.0", "1.1", "1.2", "1.3")
    assert choices(("listeners", 0, "flash_policy", "mode")) == ("none", "inline", "only")


def test_only_a_key_with_few_words_has_choices() -> None:
    with pytest.raises(AssertionError):
        choices(("listeners", 0, "name"))
