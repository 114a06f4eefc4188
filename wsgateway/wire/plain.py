"""States as JSON has them, and back.

What comes back is checked field by field: it may be broken, or of another program.
"""

import base64
import binascii
import enum
import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, NoReturn, get_args, get_origin

from wsgateway.errors import RecordError, brief
from wsgateway.wire.state import State, StateT

# Nothing counts further; C has as many bits for a count.
MOST = 2**63 - 1
# The longest text of a value in an error.
_SHOWN = 80
# The key for the name of a state's class.
_CLASS = "is"


def to_plain(value: Any) -> Any:
    """Return a state, or the value of a field, as JSON can have it: bytes in base64, members of an Enum by name."""
    match value:
        case State():
            own = {each.name: to_plain(getattr(value, each.name)) for each in fields(value)}
            return {_CLASS: type(value).__name__} | own
        case bytes():
            return base64.b64encode(value).decode()
        case enum.Enum():
            return value.name
        case tuple():
            return [to_plain(each) for each in value]
        case _:
            return value


class PlainReader:
    """A reader of plain values."""

    def __init__(self, classes: Iterable[type[State]]) -> None:
        """Take all classes of states that there may be."""
        self._classes = {each.__name__: each for each in classes}
        self._kinds: dict[str, dict[str, Any]] = {
            name: {each.name: each.type for each in fields(found)} for name, found in self._classes.items()
        }

    def state(self, kind: type[StateT], value: Any, place: str) -> StateT:
        """Return the state of this class, or of one derived from it. Raise RecordError for anything else."""
        name = value.get(_CLASS) if isinstance(value, dict) else None
        found = self._classes.get(name) if isinstance(name, str) else None
        if found is None or not issubclass(found, kind):
            _refuse(place, value, f"a {kind.__name__}")
        kinds = self._kinds[found.__name__]
        if value.keys() != {_CLASS, *kinds}:
            _refuse(place, sorted(value), f"a {name} with {', '.join(kinds)}")
        return found(**{each: self._value(kinds[each], value[each], f"{place}.{each}") for each in kinds})

    def _value(self, kind: Any, value: Any, place: str) -> Any:
        if kind in _SCALARS:
            return _SCALARS[kind](value, place)
        if isinstance(kind, UnionType):
            return None if value is None else self._value(get_args(kind)[0], value, place)
        if get_origin(kind) is Literal:
            return value if value in get_args(kind) else _refuse(place, value, f"one of {', '.join(get_args(kind))}")
        if get_origin(kind) is tuple:
            return self._tuple(get_args(kind), value, place)
        if issubclass(kind, State):
            return self.state(kind, value, place)
        return _member(kind, value, place)

    def _tuple(self, kinds: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            _refuse(place, value, "a list")
        each_kind = [kinds[0]] * len(value) if kinds[-1] is ... else kinds
        if len(value) != len(each_kind):
            _refuse(place, value, f"a list of {len(each_kind)}")
        together = enumerate(zip(each_kind, value, strict=True))
        return tuple(self._value(kind, each, f"{place}[{at}]") for at, (kind, each) in together)


def _refuse(place: str, value: object, allowed: str) -> NoReturn:
    raise RecordError(f"{place} is {brief(repr(value), _SHOWN)}; allowed is {allowed}")


def _member(kind: type[enum.Enum], value: Any, place: str) -> enum.Enum:
    if not isinstance(value, str) or value not in kind.__members__:
        _refuse(place, value, f"one of {', '.join(kind.__members__)}")
    return kind[value]


def _bytes(value: Any, place: str) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    _refuse(place, value, "base64")


def _bool(value: Any, place: str) -> bool:
    return value if isinstance(value, bool) else _refuse(place, value, "true or false")


def _int(value: Any, place: str) -> int:
    return value if type(value) is int and 0 <= value <= MOST else _refuse(place, value, f"a number from 0 to {MOST}")


def _float(value: Any, place: str) -> float:
    if type(value) in (int, float) and abs(value) <= MOST and math.isfinite(value):
        return float(value)
    _refuse(place, value, "a number")


def _str(value: Any, place: str) -> str:
    return value if isinstance(value, str) else _refuse(place, value, "a text")


_SCALARS: dict[Any, Callable[[Any, str], object]] = {bytes: _bytes, bool: _bool, int: _int, float: _float, str: _str}
