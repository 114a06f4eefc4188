"""Check plain data, as JSON has it, against types: what another process sends may have any shape.

A type is str, int, float, bool, None, a Literal, or made of those: a list, a tuple, a dict, a union, a TypedDict or a
dataclass. A TypedDict keeps keys that it does not know, since other versions may send more; a dataclass has none.
"""

from collections.abc import Callable, Hashable, Set
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

T = TypeVar("T")
_Check = Callable[[Any], Any]
"""returns the value that data are; raises ShapeError"""

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}


class ShapeError(ValueError):
    """Data have another shape than they should; the text says where, and what is wrong there."""

    def __init__(self, message: str, place: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        """the keys and numbers that lead to it"""

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.place))}: {self.message}" if self.place else self.message


def shaped(kind: type[T], data: object) -> T:
    """Return plain data as a value of a type. Raise ShapeError."""
    return cast(T, _check_of(cast(Hashable, kind))(data))


@cache
def _check_of(kind: Any) -> _Check:
    """Return the check for a type. It is made once: a status of thousands of targets is checked every second."""
    origin, of = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _word(of)
    if origin is list:
        return _list(_check_of(of[0]))
    if origin is tuple:
        return _tuple(list(map(_check_of, of)))
    if origin is dict:
        return _dict(_check_of(of[0]), _check_of(of[1]))
    if origin in (Union, UnionType):
        # None comes first, since the error is that of the last one.
        return _union(list(map(_check_of, sorted(of, key=lambda each: each is not NoneType))))
    if is_typeddict(kind):
        return _keys(kind, kind.__required_keys__, extra=True)
    if is_dataclass(kind):
        required = {each.name for each in fields(kind) if each.default is each.default_factory is MISSING}
        return _dataclass(cast(type, kind), _keys(kind, required, extra=False))
    return _plain(kind)


def _plain(kind: Any) -> _Check:
    kinds = {float, int} if kind is float else {kind}

    def check(data: Any) -> Any:
        if type(data) not in kinds:
            raise ShapeError(f"{_seen(data)} is not {_NAMES[kind]}")
        return data

    return check


def _word(words: tuple[Any, ...]) -> _Check:
    def check(data: Any) -> Any:
        if not isinstance(data, str) or data not in words:
            raise ShapeError(f"{_seen(data)} is not one of {', '.join(words)}")
        return data

    return check


def _list(check_member: _Check) -> _Check:
    def check(data: Any) -> Any:
        if not isinstance(data, list):
            raise ShapeError(f"{_seen(data)} is not a list")
        return [_at(at, check_member, each) for at, each in enumerate(data)]

    return check


def _tuple(checks: list[_Check]) -> _Check:
    def check(data: Any) -> Any:
        if not isinstance(data, list | tuple) or len(data) != len(checks):
            raise ShapeError(f"{_seen(data)} is not a list of {len(checks)}")
        return tuple(_at(at, checks[at], each) for at, each in enumerate(data))

    return check


def _dict(check_name: _Check, check_value: _Check) -> _Check:
    def check(data: Any) -> Any:
        if not isinstance(data, dict):
            raise ShapeError(f"{_seen(data)} is not an object")
        return {_at(name, check_name, name): _at(name, check_value, each) for name, each in data.items()}

    return check


def _union(checks: list[_Check]) -> _Check:
    def check(data: Any) -> Any:
        for each in checks[:-1]:
            try:
                return each(data)
            except ShapeError:
                continue
        return checks[-1](data)

    return check


def _keys(kind: Any, required: Set[str], extra: bool) -> _Check:
    checks = {name: _check_of(each) for name, each in get_type_hints(kind).items()}

    def check(data: Any) -> Any:
        if not isinstance(data, dict):
            raise ShapeError(f"{_seen(data)} is not an object")
        if missing := required - data.keys():
            raise ShapeError("it is missing", (min(missing),))
        if not extra and (unknown := data.keys() - checks.keys()):
            raise ShapeError("this key is unknown", (min(unknown),))
        return {name: _at(name, checks[name], each) if name in checks else each for name, each in data.items()}

    return check


def _dataclass(kind: Callable[..., Any], check_keys: _Check) -> _Check:
    return lambda data: kind(**check_keys(data))


def _at(step: object, check: _Check, data: Any) -> Any:
    try:
        return check(data)
    except ShapeError as error:
        raise ShapeError(error.message, (step, *error.place)) from None


def _seen(data: object) -> str:
    return "an object" if isinstance(data, dict) else "a list" if isinstance(data, list) else repr(data)
