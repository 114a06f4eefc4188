"""Find regular expressions of Python that may take long for a text of a client: those that can match it in many ways.

Python tries one way after the other. A pattern is refused if the number of ways grows with the text:

    (a+)+       a repeat without bound in a repeat
    a*a*        two of them next to each other, or .*a.*b: with nothing in between that the first cannot take
    (a|ab?b?)+  a repeat of what matches one text in two ways
    a{0,99}a{0,99}   many ways in spite of the bounds

Some harmless patterns are refused, too. No other should pass.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from itertools import combinations, product
from typing import Any

from wsgateway.errors import SlowRegexError

# The parser of Python itself; `sre_parse`, its public name, is deprecated.
_PARSER: Any = import_module("re._parser")

Characters = frozenset[int]
# All characters of a path.
_ALL = frozenset(range(0x21, 0x7F))
_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdigit,
    "SPACE": str.isspace,
    "WORD": lambda char: char.isalnum() or char == "_",
}
_ANCHORS = ("^", r"\A")
_MOST_PATHS = 256
# This many ways take a millisecond or two.
_MOST_WAYS = 256
# The same, if each is tried at every place of a text.
_MOST_WAYS_OF_RUNS = 16


@dataclass(frozen=True, slots=True)
class _Char:
    chars: Characters


@dataclass(frozen=True, slots=True)
class _Repeat:
    least: int
    most: int | None
    """None: without bound"""
    body: "_Sequence"


@dataclass(frozen=True, slots=True)
class _Branch:
    ways: tuple["_Sequence", ...]


@dataclass(frozen=True, slots=True)
class _Once:
    """Hold what is not tried in another way once it has matched: an atomic group, a possessive repeat, a lookaround."""

    body: "_Sequence"
    empty: bool
    """whether it takes no text"""


_Node = _Char | _Repeat | _Branch | _Once
_Sequence = tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Describe a step of a path through a pattern, as far as it decides how often a text is tried."""

    chars: Characters
    run: bool = False
    """whether it is repeated without bound"""
    gives_back: bool = True
    """whether it is tried with less text when what follows does not match"""
    never_fails: bool = False
    """whether it can take all the rest, at the end of a pattern"""


def slow(text: str, anywhere: bool = False) -> str | None:
    """Return why a pattern may take long, None if it does not. Raise re.error for a text that is not a pattern.

    `anywhere`: it is looked for at every place of a text, and need not match all of it.
    """
    parsed = _PARSER.parse(text)
    nodes = _sequence(parsed, bool(parsed.state.flags & re.IGNORECASE))
    try:
        _check(nodes)
    except SlowRegexError as why:
        return str(why)
    if anywhere and not text.startswith(_ANCHORS):
        try:
            _check((_Repeat(0, None, (_Char(_ALL),)), *nodes))
        except SlowRegexError:
            return "it is looked for at every place, and a repeat in it may go on to the end each time; begin it with ^"
    return None


# -- Python's tree -> ours ---------------------------------------------------------------------------------------


def _sequence(items: Iterable[tuple[Any, Any]], ignores_case: bool) -> _Sequence:
    return tuple(node for op, value in items for node in _nodes(str(op), value, ignores_case))


def _nodes(op: str, value: Any, ignores_case: bool) -> _Sequence:
    match op:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
            return (_Char(_chars(op, value, ignores_case)),)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, items = value
            most = None if most == _PARSER.MAXREPEAT else int(most)
            repeat = _Repeat(int(least), most, _sequence(items, ignores_case))
            return (_Once((repeat,), empty=False),) if op == "POSSESSIVE_REPEAT" else (repeat,)
        case "SUBPATTERN":
            _, added, taken, items = value
            return _sequence(items, bool(added & re.IGNORECASE) or (ignores_case and not taken & re.IGNORECASE))
        case "BRANCH":
            return (_Branch(tuple(_sequence(way, ignores_case) for way in value[1])),)
        case "ATOMIC_GROUP":
            return (_Once(_sequence(value, ignores_case), empty=False),)
        case "ASSERT" | "ASSERT_NOT":
            return (_Once(_sequence(value[1], ignores_case), empty=True),)
        case "GROUPREF_EXISTS":
            return (_Branch(tuple(_sequence(way or (), ignores_case) for way in value[1:])),)
        case "GROUPREF" | "GROUPREF_IGNORE":  # a text of any length
            return (_Repeat(0, None, (_Char(_ALL),)),)
        case "AT" if str(value) in ("AT_END", "AT_END_STRING"):
            return ()
    return (_Once((), empty=True),)  # another place, as ^ or \b


def _chars(op: str, value: Any, ignores_case: bool) -> Characters:
    match op:
        case "ANY":
            return _ALL
        case "LITERAL":
            found = {int(value)}
        case "NOT_LITERAL":
            return _ALL - _chars("LITERAL", value, ignores_case) if not ignores_case else _ALL
        case "RANGE":
            found = set(range(value[0], value[1] + 1)) & _ALL
        case "CATEGORY":
            name = str(value).removeprefix("CATEGORY_")
            test = _CATEGORIES[name.removeprefix("NOT_")]
            found = {code for code in _ALL if test(chr(code)) is not name.startswith("NOT_")}
        case _:  # IN
            members = [_chars(str(kind), each, ignores_case) for kind, each in value if str(kind) != "NEGATE"]
            joined = frozenset[int]().union(*members)
            return _ALL - joined if str(value[0][0]) == "NEGATE" else joined
    if ignores_case:
        found |= {ord(each) for code in found if code < 0x80 for each in chr(code).swapcase()}
    return frozenset(found)


# -- what the parts of a pattern begin with, and hold ------------------------------------------------------------


def _may_be_empty(nodes: _Sequence) -> bool:
    return all(map(_is_optional, nodes))


def _is_optional(node: _Node) -> bool:
    match node:
        case _Char():
            return False
        case _Repeat():
            return node.least == 0 or _may_be_empty(node.body)
        case _Branch():
            return any(map(_may_be_empty, node.ways))
    return node.empty or _may_be_empty(node.body)


def _first(nodes: _Sequence) -> Characters:
    """Return the characters that a text may begin with that the nodes match."""
    found: Characters = frozenset()
    for node in nodes:
        match node:
            case _Char():
                found |= node.chars
            case _Branch():
                found |= frozenset[int]().union(*map(_first, node.ways))
            case _Repeat():
                found |= _first(node.body)
            case _Once() if not node.empty:
                found |= _first(node.body)
        if not _is_optional(node):
            break
    return found


def _held(nodes: _Sequence) -> Characters:
    """Return all characters that may be in a text that the nodes match."""
    found: Characters = frozenset()
    for node in nodes:
        match node:
            case _Char():
                found |= node.chars
            case _Branch():
                found |= frozenset[int]().union(*map(_held, node.ways))
            case _:
                found |= _held(node.body)
    return found


def _runs(nodes: _Sequence, within: bool = False) -> bool:
    """Return whether a repeat without bound is among the nodes; `within`: also in what is matched once."""
    for node in nodes:
        match node:
            case _Repeat():
                if node.most is None or _runs(node.body, within):
                    return True
            case _Branch():
                if any(_runs(way, within) for way in node.ways):
                    return True
            case _Once():
                if within and _runs(node.body, within):
                    return True
    return False


# -- the rules ---------------------------------------------------------------------------------------------------


def _check(nodes: _Sequence) -> None:
    """Raise SlowRegexError if a text can be matched in too many ways."""
    _check_loops(nodes)
    for path in _paths(nodes):
        _check_runs(path)
    most = _MOST_WAYS_OF_RUNS if _runs(nodes) else _MOST_WAYS
    if _ways(nodes) > most:
        raise SlowRegexError(f"its bounded repeats and alternatives can match one text in more than {most} ways")


def _check_loops(nodes: _Sequence) -> None:
    for node in nodes:
        match node:
            case _Once():
                _check(node.body)
            case _Branch():
                for way in node.ways:
                    _check_loops(way)
            case _Repeat():
                _check_loops(node.body)
                if node.most is None and _runs(node.body):
                    raise SlowRegexError("a repeat without bound is inside another one")
                again = node.most is None or node.most > 1
                plain = len(node.body) == 1 and isinstance(node.body[0], _Char)
                unclear = _may_be_empty(node.body) or _is_ambiguous(node.body, _first(node.body))
                if again and not plain and unclear:
                    raise SlowRegexError("what it repeats can match one text in two ways")


def _is_ambiguous(nodes: _Sequence, follow: Characters) -> bool:
    """Return whether the next character does not decide how to go on; `follow` may stand behind the nodes."""
    for node, rest in _with_rest(nodes, follow):
        match node:
            case _Branch():
                if _overlap(node, rest) or any(_is_ambiguous(way, rest) for way in node.ways):
                    return True
            case _Repeat():
                if node.least != node.most and (_first(node.body) & rest or _may_be_empty(node.body)):
                    return True
                if _is_ambiguous(node.body, rest if node.most == 1 else rest | _first(node.body)):
                    return True
    return False


def _with_rest(nodes: _Sequence, follow: Characters) -> Iterable[tuple[_Node, Characters]]:
    """Yield each node, and the characters that a text behind it may begin with."""
    for at, node in enumerate(nodes, 1):
        rest = nodes[at:]
        yield node, _first(rest) | (follow if _may_be_empty(rest) else frozenset())


def _overlap(branch: _Branch, rest: Characters) -> bool:
    firsts = [_first(way) | (rest if _may_be_empty(way) else frozenset()) for way in branch.ways]
    several_empty = sum(map(_may_be_empty, branch.ways)) > 1
    return several_empty or any(one & other for one, other in combinations(firsts, 2))


def _paths(nodes: _Sequence) -> list[tuple[_Piece, ...]]:
    """Return every way through the nodes, where alternatives with repeats differ."""
    paths: list[tuple[_Piece, ...]] = [()]
    for node in nodes:
        paths = [before + behind for before, behind in product(paths, _pieces(node))]
        if len(paths) > _MOST_PATHS:
            raise SlowRegexError(f"it has more than {_MOST_PATHS} combinations of alternatives with repeats")
    return paths


def _pieces(node: _Node) -> list[tuple[_Piece, ...]]:
    if isinstance(node, _Once) and node.empty and not _runs(node.body, within=True):
        return [(_Piece(_ALL),)]
    if not _runs((node,), within=True):
        return [()] if _is_optional(node) else [(_Piece(_first((node,))),)]
    match node:
        case _Branch():
            return [path for way in node.ways for path in _paths(way)]
        case _Once():
            return [(_Piece(_held(node.body), run=True, gives_back=False),)]
        case _Repeat() if node.most is None:
            return [(_Piece(_held(node.body), run=True, never_fails=node.body == (_Char(_ALL),)),)]
        case _Repeat():
            once = _paths(node.body)  # `_check_loops` looks at several times in a row
            return [(), *once] if node.least == 0 else once
    return [(_Piece(node.chars),)]


def _check_runs(path: tuple[_Piece, ...]) -> None:
    """Raise SlowRegexError for two runs of which the second is tried again for every text that the first may take."""
    for at, first in enumerate(path):
        if not first.run or not first.gives_back:
            continue
        between: list[Characters] = []
        for place, piece in enumerate(path[at + 1 :], at + 1):
            if not piece.run:
                if not piece.chars & first.chars:
                    break  # the first one always ends before this
                between.append(piece.chars)
            elif not between and (piece.gives_back or piece.chars & first.chars):
                raise SlowRegexError("a repeat without bound stands next to another one")
            elif all(chars & piece.chars for chars in between) and not (place == len(path) - 1 and piece.never_fails):
                raise SlowRegexError(
                    "two repeats without bound can take the same characters, and so can all in between"
                )


def _ways(nodes: _Sequence, follow: Characters = frozenset()) -> int:
    """Return in how many ways the bounded parts of the nodes may match one text."""
    ways = 1
    for node, rest in _with_rest(nodes, follow):
        match node:
            case _Branch():
                within = max(_ways(way, rest) for way in node.ways)
                ways *= within * (len(node.ways) if _overlap(node, rest) else 1)
            case _Repeat() if node.most is not None:
                several = _first(node.body) & rest or _may_be_empty(node.body)
                ways *= node.most - node.least + 1 if several else 1
                ways *= _ways(node.body, rest) if node.most == 1 else 1
    return ways
