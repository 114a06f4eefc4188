"""The places of a module where one thing can be changed, and what it is changed to. Standard library only.

A change keeps the module valid, and is of a kind that a slip of a programmer makes: a comparison that is one off or the
other way round, a condition that is negated, a sum that is a difference, a number that is one more, a flag that is
flipped, a statement that is missing. Texts, annotations and docstrings stay as they are.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
# Parts of a node that say nothing at run time, or how a class is made: that it is frozen is for those who write it.
_NOT_RUN = {"annotation", "returns", "type_params", "decorator_list"}


@dataclass(frozen=True)
class Change:
    """One change of a module."""

    line: int
    """where it is, from 1"""
    kind: str
    """what is done, in few words"""


def changes(source: str) -> list[Change]:
    """Return all changes that a module allows, in the order of its text."""
    return [change for change, _ in _sites(ast.parse(source))]


def changed(source: str, number: int) -> str:
    """Return a module with one of its `changes`, by its number from 0."""
    tree = ast.parse(source)
    for at, (_, apply) in enumerate(_sites(tree)):
        if at == number:
            apply()
            return ast.unparse(ast.fix_missing_locations(tree))
    raise IndexError(number)


_Site = tuple[Change, Callable[[], None]]


def _sites(node: ast.AST) -> Iterator[_Site]:
    """Yield each change with what makes it. The tree must not be walked further once one is made."""
    yield from _at(node)
    for name, value in ast.iter_fields(node):
        if name in _NOT_RUN:
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST) and not _is_text(each):
                yield from _sites(each)
        if isinstance(value, list):
            yield from _missing(value)


def _at(node: ast.AST) -> Iterator[_Site]:
    match node:
        case ast.Compare():
            for at, operator in enumerate(node.ops):
                other = _COMPARED[type(operator)]()
                yield _site(node, f"{_word(operator)} -> {_word(other)}", partial(node.ops.__setitem__, at, other))
        case ast.BoolOp():
            joined = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _site(node, f"{_word(node.op)} -> {_word(joined)}", partial(setattr, node, "op", joined))
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _CALCULATED and not _is_union(node):
            to = _CALCULATED[type(node.op)]()
            yield _site(node, f"{_word(node.op)} -> {_word(to)}", partial(setattr, node, "op", to))
        case ast.If() | ast.IfExp() | ast.While() if not isinstance(node.test, ast.Constant):
            yield _site(node, "condition negated", partial(setattr, node, "test", _not(node.test)))
        case ast.comprehension():
            for at, test in enumerate(node.ifs):
                yield _site(test, "filter negated", partial(node.ifs.__setitem__, at, _not(test)))
        case ast.Constant(value=bool(value)):
            yield _site(node, f"{value} -> {not value}", partial(setattr, node, "value", not value))
        case ast.Constant(value=int() | float() as number):
            yield _site(node, f"{number} -> {number + 1}", partial(setattr, node, "value", number + 1))
        # None in the place of False is nothing that a caller would see.
        case ast.Return(value=ast.expr() as value) if not _is_one_of(value, None, False):
            yield _site(node, "returns None", partial(setattr, node, "value", ast.Constant(None)))


def _is_one_of(value: ast.expr, *constants: bool | None) -> bool:
    return isinstance(value, ast.Constant) and any(value.value is each for each in constants)


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _missing(body: list[Any]) -> Iterator[_Site]:
    """Yield statements without which the rest still runs."""
    for at, each in enumerate(body):
        match each:
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Delete() | ast.Raise():
                pass
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                pass
            case ast.Break() | ast.Continue():
                pass
            case _:
                continue
        yield _site(each, "statement missing", partial(body.__setitem__, at, ast.Pass()))


def _site(node: ast.AST, kind: str, apply: Callable[[], None]) -> _Site:
    return Change(getattr(node, "lineno", 0), kind), apply


def _word(operator: ast.AST) -> str:
    return type(operator).__name__


def _is_text(node: ast.AST) -> bool:
    """Return whether it is a text that stands alone, a docstring as a rule, or a part of one that is put together."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_union(node: ast.BinOp | ast.AugAssign) -> bool:
    """Return whether it looks like `int | None`, a type."""
    return isinstance(node, ast.BinOp) and any(
        isinstance(each, ast.Constant) and (each.value is None or isinstance(each.value, str))
        for each in (node.left, node.right)
    )
