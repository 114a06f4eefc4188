"""Which changes a module allows, and what each makes of it."""

import ast

import pytest

from .sites import Change, changed, changes

CHANGED: dict[str, list[tuple[str, str]]] = {
    # The module, and each kind with what becomes of it.
    "a < b": [("Lt -> LtE", "a <= b")],
    "a is not None": [("IsNot -> Is", "a is None")],
    "a in b == c": [("In -> NotIn", "a not in b == c"), ("Eq -> NotEq", "a in b != c")],
    "a and b or c": [("Or -> And", "(a and b) and c"), ("And -> Or", "(a or b) or c")],
    "a + b": [("Add -> Sub", "a - b")],
    "a *= b": [("Mult -> Add", "a += b"), ("statement missing", "pass")],
    "x = a if b else c": [("condition negated", "x = a if not b else c")],
    "[a for a in b if c]": [("filter negated", "[a for a in b if not c]")],
    "x = True": [("True -> False", "x = False")],
    "x = 1": [("1 -> 2", "x = 2")],
    "x = 0.5": [("0.5 -> 1.5", "x = 1.5")],
    "self.x = a": [("statement missing", "pass")],
    "x[a] = b": [("statement missing", "pass")],
    "a()": [("statement missing", "pass")],
    "del a": [("statement missing", "pass")],
    "raise a": [("statement missing", "pass")],
    "x = a": [],
    "def f():\n    return a": [("returns None", "def f():\n    return None")],
    "def f():\n    return 0": [("returns None", "def f():\n    return None"), ("0 -> 1", "def f():\n    return 1")],
    "def f():\n    return False": [("False -> True", "def f():\n    return True")],
    "def f():\n    return None": [],
    "while a:\n    break": [
        ("condition negated", "while not a:\n    break"),
        ("statement missing", "while a:\n    pass"),
    ],
    "while True:\n    f()": [
        ("True -> False", "while False:\n    f()"),
        ("statement missing", "while True:\n    pass"),
    ],
    "if a:\n    f()\nelse:\n    g()": [
        ("condition negated", "if not a:\n    f()\nelse:\n    g()"),
        ("statement missing", "if a:\n    pass\nelse:\n    g()"),
        ("statement missing", "if a:\n    f()\nelse:\n    pass"),
    ],
    # What says nothing at run time, and what is for people.
    '"""A text."""': [],
    "x: int | None = a": [],
    "def f(a: 1 < 2) -> 3: pass": [],
    "x = f'{a + 1}'": [],
    "x = 'text'": [],
    "@dataclass(frozen=True)\nclass A: pass": [],
    "X = A | None": [],
}


@pytest.mark.parametrize(("source", "several"), CHANGED.items(), ids=CHANGED)
def test_each_thing_is_changed_for_itself(source: str, several: list[tuple[str, str]]) -> None:
    found = changes(source)
    assert [each.kind for each in found] == [kind for kind, _ in several]
    assert [changed(source, at) for at in range(len(found))] == [ast.unparse(ast.parse(text)) for _, text in several]


def test_a_change_says_in_which_line_it_is() -> None:
    assert changes("a\nb = c > d\n") == [Change(2, "Gt -> GtE")]


def test_there_are_no_more_changes_than_that() -> None:
    with pytest.raises(IndexError):
        changed("a < b", 1)
