"""The names in expressions of PromQL: which series they ask for, by which labels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Functions, operators and words that are used in the rules and on the board.
WORDS = {
    "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool",
    "sum", "max", "min", "avg", "count", "topk", "bottomk", "histogram_quantile", "rate", "increase", "time",
    "label_values",
}  # fmt: skip
_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"{_STRING}|[a-zA-Z_:][a-zA-Z0-9_:]*|\[[^\]]*\]|[0-9.]+[a-z]*|\S")
_MATCHER = re.compile(rf"\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({_STRING})\s*,?")
_SELECTOR = re.compile(rf"([a-zA-Z_:][\w:]*)\s*\{{((?:{_STRING}|[^\"}}])*)\}}")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Selector:
    """What an expression asks for: a metric, and the matchers of its labels: name, operator, value."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    def takes(self, labels: dict[str, str]) -> bool:
        """Return whether it takes a series with these labels."""
        return all(_holds(operator, labels.get(name, ""), value) for name, operator, value in self.matchers)


def _holds(operator: str, seen: str, value: str) -> bool:
    same = re.fullmatch(value, seen) is not None if operator.endswith("~") else seen == value
    return not same if operator.startswith("!") else same


def selectors(expression: str) -> Iterator[Selector]:
    """Yield what an expression asks for."""
    for metric, inside in _SELECTOR.findall(expression):
        found = tuple((name, operator, value[1:-1]) for name, operator, value in _MATCHER.findall(inside))
        assert _MATCHER.sub("", inside).strip() == "", f"not understood: {inside}"
        yield Selector(metric, found)
    bare = _GROUPING.sub(" ", _SELECTOR.sub(" ", expression))
    for token in _TOKEN.findall(bare):
        if re.fullmatch(r"[a-zA-Z_:][\w:]*", token) and token not in WORDS:
            yield Selector(token, ())


def grouped(expression: str) -> set[str]:
    """Return the labels by which an expression groups or joins."""
    return {
        label.strip() for _, inside in _GROUPING.findall(expression) for label in inside.split(",") if label.strip()
    }
