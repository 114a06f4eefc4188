"""YAML, its places and its refusals."""

import pytest

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings.document import read
from wsgateway.settings.findings import Finding, Path


def refusal(text: str) -> Problem:
    """Return the one problem of a text that is refused."""
    with pytest.raises(SettingsError) as caught:
        read(text, "f.yaml")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("'true'", "true"),
        ("~", None),
        ("null", None),
        ("", None),
        ("''", ""),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("'12'", "12"),
        ("010", 10),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.5", "1.5"),
        (".inf", ".inf"),
        ("2001-01-01", "2001-01-01"),
        ("=", "="),
        ("|\n  12\n", "12\n"),
        ("9" * 41, "9" * 41),
    ],
)
def test_a_scalar_is_what_it_looks_like(scalar: str, value: object) -> None:
    data = read(f"key: {scalar}", "f.yaml").data
    assert data == {"key": value}
    assert isinstance(data, dict)
    assert type(data["key"]) is type(value)


def test_a_key_is_always_text() -> None:
    assert read("{1: a, true: b, ~: c, on: d, <<: e}", "f.yaml").data == {
        "1": "a",
        "true": "b",
        "~": "c",
        "on": "d",
        "<<": "e",
    }


def test_lists_and_mappings_nest_in_both_styles() -> None:
    assert read("a:\n- b: [1, {c: d}]\n-\n  - 2\n", "f.yaml").data == {"a": [{"b": [1, {"c": "d"}]}, [2]]}


def test_every_value_and_key_has_a_place() -> None:
    document = read("a:\n  - b:   [1, 2]\n    é: x\n", "f.yaml")
    values: dict[Path, tuple[int, int]] = {
        (): (1, 1),
        ("a",): (2, 3),
        ("a", 0): (2, 5),
        ("a", 0, "b"): (2, 10),
        ("a", 0, "b", 0): (2, 11),
        ("a", 0, "b", 1): (2, 14),
        ("a", 0, "é"): (3, 8),
    }
    assert {path: document.place(path) for path in values} == values
    keys: dict[Path, tuple[int, int]] = {("a",): (1, 1), ("a", 0, "b"): (2, 5), ("a", 0, "é"): (3, 5)}
    assert {path: document.place(path, at_key=True) for path in keys} == keys


def test_a_finding_becomes_a_problem_with_its_place() -> None:
    document = read("a:\n  b: 1\n", "f.yaml")
    assert document.problem(Finding(("a", "b"), "bad")) == Problem("f.yaml", 2, 6, "a.b: bad")
    assert document.problem(Finding(("a", "b"), "bad", at_key=True)) == Problem("f.yaml", 2, 3, "a.b: bad")
    assert document.problem(Finding((), "bad")) == Problem("f.yaml", 1, 1, "bad")


def test_a_byte_order_mark_is_passed_over_and_does_not_count() -> None:
    document = read("\ufeffa: 1", "f.yaml")
    assert document.data == {"a": 1}
    assert document.place(("a",)) == (1, 4)


def test_lines_that_end_in_cr_lf_are_counted_once() -> None:
    assert read("a: 1\r\nb: 2\r\n", "f.yaml").place(("b",)) == (2, 4)


def test_a_key_that_stands_twice_is_noted_with_both_lines() -> None:
    document = read("a:\n  b: 1\n  c: 2\n  b: 3\n", "f.yaml")
    assert document.repeated == [Problem("f.yaml", 4, 3, "a.b: this key stands twice, in line 2 and in line 4")]
    assert document.data == {"a": {"b": 3, "c": 2}}


def test_a_key_that_stands_three_times_is_noted_twice() -> None:
    document = read("b: 1\nb: 2\n'b': 3\n", "f.yaml")
    assert document.repeated == [
        Problem("f.yaml", 2, 1, "b: this key stands twice, in line 1 and in line 2"),
        Problem("f.yaml", 3, 1, "b: this key stands twice, in line 2 and in line 3"),
    ]


def test_the_same_key_in_two_mappings_is_not_repeated() -> None:
    assert read("a: {x: 1}\nb: [{x: 1}, {x: 1}]\n", "f.yaml").repeated == []


def test_keys_repeated_inside_a_repeated_mapping_are_each_noted_once() -> None:
    document = read("a: {x: 1}\na: {x: 1, x: 2}\n", "f.yaml")
    assert [(problem.line, problem.message) for problem in document.repeated] == [
        (2, "a: this key stands twice, in line 1 and in line 2"),
        (2, "a.x: this key stands twice, in line 2 and in line 2"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", Problem("f.yaml", 1, 1, "the file is empty")),
        ("# nothing\n", Problem("f.yaml", 1, 1, "the file is empty")),
        ("---\na: 1\n---\nb: 1\n", Problem("f.yaml", 3, 1, "a second document begins here, a file holds only one")),
        ("a: &x 1\nb: 2\n", Problem("f.yaml", 1, 4, "&x: anchors and aliases are not allowed")),
        ("a: 1\nb: *x\n", Problem("f.yaml", 2, 4, "*x: anchors and aliases are not allowed")),
        ("&x a: 1\n", Problem("f.yaml", 1, 1, "&x: anchors and aliases are not allowed")),
        ("a: &x [*x]\n", Problem("f.yaml", 1, 4, "&x: anchors and aliases are not allowed")),
        (
            "a: !!python/object/apply:os.getcwd []\n",
            Problem("f.yaml", 1, 4, "!!python/object/apply:os.getcwd: tags are not allowed"),
        ),
        ("a: !!str 1\n", Problem("f.yaml", 1, 4, "!!str: tags are not allowed")),
        ("a: ! 1\n", Problem("f.yaml", 1, 4, "!: tags are not allowed")),
        (
            "a: [[::1]:80]\n",
            Problem("f.yaml", 1, 5, "a key must be text; if an address begins here, write it in quotes"),
        ),
        ('a: "\\ud800"\n', Problem("f.yaml", 1, 4, "not YAML: an escape that stands for half a character")),
        ('"\\udfff": 1\n', Problem("f.yaml", 1, 1, "not YAML: an escape that stands for half a character")),
        ('a: "\\U00110000"\n', Problem("f.yaml", 1, 7, "not YAML: an escape that stands for no character")),
        ('a: "\\UFFFFFFFF"\n', Problem("f.yaml", 1, 7, "not YAML: an escape that stands for no character")),
        ("a: 1\nb: \x07\n", Problem("f.yaml", 2, 4, "not YAML: the character U+0007 is not allowed")),
        ("a: 1\n\x00", Problem("f.yaml", 2, 1, "not YAML: the character U+0000 is not allowed")),
        ("a: \ud800", Problem("f.yaml", 1, 4, "not YAML: the character U+D800 is not allowed")),
        (
            "a: b: c",
            Problem(
                "f.yaml",
                1,
                5,
                "not YAML: no key can end here; put a value with a colon in quotes, or look for a missing colon in"
                " front of it",
            ),
        ),
        ("a: [%x]", Problem("f.yaml", 1, 5, "not YAML: no value can begin with '%'; put it in quotes")),
        ("a: [b}\n", Problem("f.yaml", 1, 6, "not YAML: a comma or ']' is missing")),
        ("a: {b: 1]\n", Problem("f.yaml", 1, 9, "not YAML: a comma or '}' is missing")),
        ("a: [\n", Problem("f.yaml", 2, 1, "not YAML: the file ends inside brackets")),
        (
            "a: 1\nb\nc: 2\n",
            Problem("f.yaml", 3, 1, "not YAML: a key without a colon; this belongs to what begins in line 2"),
        ),
        (
            "a: !<x\n",
            Problem("f.yaml", 1, 7, "not YAML: expected '>', but found '\\n', while parsing a tag"),
        ),
        (
            "a:\n\t- b",
            Problem(
                "f.yaml",
                2,
                1,
                "not YAML: a tab is not allowed here; indent with spaces",
            ),
        ),
        (
            "a:\n  b: 1\n c: 2\n",
            Problem(
                "f.yaml",
                3,
                2,
                "not YAML: the indentation differs from the lines before, or a quote is missing; this belongs"
                " to what begins in line 1",
            ),
        ),
        (
            'a: "b\n\n',
            Problem(
                "f.yaml",
                3,
                1,
                "not YAML: the file ends inside quotes; this belongs to what begins in line 1",
            ),
        ),
    ],
)
def test_a_text_that_cannot_be_read_is_one_problem_with_its_place(text: str, problem: Problem) -> None:
    assert refusal(text) == problem


def test_data_may_be_32_levels_deep_and_no_deeper() -> None:
    read("[" * 33 + "]" * 33, "f.yaml")
    assert refusal("[" * 34 + "]" * 34) == Problem("f.yaml", 1, 34, "nested more than 32 levels deep")


def test_very_deep_data_is_refused_like_any_other() -> None:
    assert refusal("[" * 1_000_000).message == "nested more than 32 levels deep"
