"""Data of another process: which data have the shape of a type, and the errors for others."""

from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from wsgateway.observe.shape import ShapeError, shaped


class Target(TypedDict):
    url: str
    weight: int
    last: NotRequired[str | None]


class Loose(TypedDict, total=False):
    targets: list[Target]
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Order:
    do: Literal["go", "stay"]
    sockets: list[tuple[str, int]] = field(default_factory=list)
    facts: dict[str, str | int | float | bool] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (str, "a"),
        (int, 7),
        (float, 7.5),
        (float, 7),
        (bool, True),
        (str | None, None),
        (Target, {"url": "a", "weight": 1}),
        (Target, {"url": "a", "weight": 1, "last": None, "newer": {"a": [1]}}),
        (Loose, {}),
        (Loose, {"targets": [{"url": "a", "weight": 1}], "counts": {"a": {"b": 1}, "c": {}}}),
    ],
)
def test_data_of_the_shape_stay_as_they_are(kind: Any, data: object) -> None:
    assert shaped(kind, data) == data


def test_a_dataclass_is_made_with_its_defaults() -> None:
    assert shaped(Order, {"do": "go"}) == Order("go")
    data = {"do": "stay", "sockets": [["a", 1], ["b", 2]], "facts": {"a": "b", "c": 1, "d": 0.5, "e": True}}
    assert shaped(Order, data) == Order("stay", [("a", 1), ("b", 2)], {"a": "b", "c": 1, "d": 0.5, "e": True})


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (str, 1, "1 is not text"),
        (int, True, "True is not a whole number"),
        (int, 1.5, "1.5 is not a whole number"),
        (float, "1", "'1' is not a number"),
        (float, True, "True is not a number"),
        (bool, 1, "1 is not true or false"),
        (str | None, 1, "1 is not text"),
        (Target, [], "a list is not an object"),
        (Target, {"url": "a"}, "weight: it is missing"),
        (Target, {"url": "a", "weight": 1, "last": 1}, "last: 1 is not text"),
        (Loose, {"targets": {}}, "targets: an object is not a list"),
        (Loose, {"targets": [{"url": "a", "weight": 1}, {"url": 1, "weight": 1}]}, "targets.1.url: 1 is not text"),
        (Loose, {"counts": {"a": 7}}, "counts.a: 7 is not an object"),
        (Loose, {"counts": {"a": {"b": None}}}, "counts.a.b: None is not a whole number"),
        (Order, {}, "do: it is missing"),
        (Order, {"do": "dance"}, "do: 'dance' is not one of go, stay"),
        (Order, {"do": ["go"]}, "do: a list is not one of go, stay"),
        (Order, {"do": "go", "more": 1}, "more: this key is unknown"),
        (Order, {"do": "go", "sockets": [["a", 1], ["b"]]}, "sockets.1: a list is not a list of 2"),
        (Order, {"do": "go", "sockets": [["a", "1"]]}, "sockets.0.1: '1' is not a whole number"),
    ],
)
def test_data_of_another_shape_are_refused_with_their_place(kind: Any, data: object, said: str) -> None:
    with pytest.raises(ShapeError) as caught:
        shaped(kind, data)
    assert str(caught.value) == said
