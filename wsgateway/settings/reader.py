"""Read the data of a file as the sections that are declared, and find every mistake in them.

Only single values are checked here: `rules` checks what one key says about another, and `files` reads the files that
are named.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path as Directory
from typing import Any, Final, Literal, get_args, get_origin

from wsgateway.settings.declare import Between, InDirectory, Key, Made, Members, Written, is_section, keys_of, marks
from wsgateway.settings.document import plain
from wsgateway.settings.findings import Filled, Finding, Path, guess, seen

_NOT: Final = {str: "not text", int: "not a whole number", bool: "neither true nor false"}
_WRONG: Final = object()
"""stands for a value with a mistake, which is among the findings"""


class Reader:
    """A reader of data, as YAML has it, that goes on after a mistake."""

    def __init__(self, directory: Directory) -> None:
        """Take the directory that names of files are relative to."""
        self.findings: list[Finding] = []
        """the mistakes so far"""
        self.directory = directory

    def read(self, annotation: Any, data: object) -> Any:
        """Return the value of a type, such as a section, that data stand for; None if there is a mistake in them."""
        value = _way(annotation)(self, data, ())
        return None if value is _WRONG else value

    def wrong(self, message: str, path: Path, at_key: bool = False) -> object:
        """Note a mistake, and return what stands for a value with one."""
        self.findings.append(Finding(path, message, at_key))
        return _WRONG


Way = Callable[[Reader, Any, Path], Any]
"""reads data that stand at a path; returns the value, or notes a mistake and returns what stands for that"""


def _way(annotation: Any) -> Way:
    """Return how values of a type are read. A file may have thousands, so their type is looked at once."""
    kind, several = marks(annotation)
    match several:
        case [Written() as written, *_]:
            way = _written(written.read)
        case [Made() as made, *_]:
            way = _made(made.of, _way(made.kind))
        case _:
            way = _unmarked(kind)
    for mark in several:
        way = _checked(mark, way)
    return way


def _as_it_is(reader: Reader, data: Any, path: Path) -> Any:
    return data


def _written(make: Callable[[Any], Any]) -> Way:
    def read(reader: Reader, data: Any, path: Path) -> Any:
        try:
            return make(data)
        except ValueError as error:
            if isinstance(data, Filled):  # it may stand for a number, also where the variable is in quotes
                with suppress(ValueError):
                    return make(plain(data))
            return reader.wrong(str(error), path)

    return read


def _made(make: Callable[[Any], Any], of: Way) -> Way:
    def read(reader: Reader, data: Any, path: Path) -> Any:
        value = of(reader, data, path)
        if value is _WRONG:
            return _WRONG
        try:
            return make(value)
        except ValueError as error:
            return reader.wrong(str(error), path)

    return read


def _checked(mark: object, way: Way) -> Way:
    """Return a way that checks what another one has read by a mark of its type."""
    match mark:
        case InDirectory():

            def read(reader: Reader, data: Any, path: Path) -> Any:
                value = way(reader, data, path)
                return value if value is _WRONG else mark.place(reader.directory, value)

        case Members() if mark.least:

            def read(reader: Reader, data: Any, path: Path) -> Any:
                value = way(reader, data, path)
                if value is _WRONG or len(value) >= mark.least:
                    return value
                return reader.wrong("it is empty, at least one member is needed", path)

        case Between():

            def read(reader: Reader, data: Any, path: Path) -> Any:
                value = way(reader, data, path)
                if value is not _WRONG and value < mark.least:
                    return reader.wrong(f"{value} is too small, at least {mark.least} is allowed", path)
                if value is not _WRONG and mark.most is not None and value > mark.most:
                    return reader.wrong(f"{value} is too large, at most {mark.most} is allowed", path)
                return value

        case _:
            return way
    return read


def _unmarked(kind: Any) -> Way:
    if is_section(kind):
        return lambda reader, data, path: _section(_plan(kind), reader, data, path)
    origin, of = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _word(of)
    if origin is dict:
        return _mapping(_name(_way(of[0])), _way(of[1]))
    if origin is tuple:
        return _list(_way(of[0]))

    def read(reader: Reader, data: Any, path: Path) -> Any:
        value = plain(data) if isinstance(data, Filled) and kind is not str else data
        if type(value) is kind or (kind is str and isinstance(value, Filled)):
            return value
        hint = "; write it in quotes" if kind is str and isinstance(data, int) else ""
        return reader.wrong(f"{seen(data)} is {_NOT[kind]}{hint}", path)

    return read


@dataclass(frozen=True, slots=True)
class _Plan:
    """The facts by which the mappings for one kind of section are read."""

    kind: Any
    ways: dict[str, tuple[Key, Way]]
    """by the names of keys, old ones too"""
    required: tuple[Key, ...]
    check: Callable[[Any, Any], None] | None
    """the method of the section for values that do not go together"""


@cache
def _plan(kind: Any) -> _Plan:
    ways: dict[str, tuple[Key, Way]] = {}
    for key in keys_of(kind):
        ways |= dict.fromkeys((key.name, *key.old_names), (key, _way(key.type)))
    required = tuple(key for key in keys_of(kind) if key.required)
    return _Plan(kind, ways, required, getattr(kind, "check", None))


def _section(plan: _Plan, reader: Reader, data: Any, path: Path) -> Any:
    if not isinstance(data, dict):
        return _no_mapping(reader, data, path)
    before = len(reader.findings)
    values: dict[str, Any] = {}
    unknown: list[Any] = []
    for key in plan.required:
        if not any(name in data for name in (key.name, *key.old_names)):
            reader.wrong(f"{key.name!r} is missing", path)
    for name, each in data.items():
        known, way = plan.ways.get(name, (None, _as_it_is))
        if known is None or (name != known.name and _is_named_before(known, name, data)):
            unknown.append(name)
        elif each is None and known.default in (None, "none"):  # such as `tls:` over a section that is commented out
            reader.wrong("the value is empty; write one, or remove the key", (*path, name))
        else:
            values[known.field] = way(reader, each, (*path, name))
    for name in unknown:
        hint = guess(str(name), (key.name for key in keys_of(plan.kind)))
        reader.wrong(f"this key is unknown; {hint}", (*path, name), at_key=True)
    if len(reader.findings) != before:
        return _WRONG
    try:
        made = plan.kind(**values)
        if plan.check is not None:
            plan.check(made, values.keys())
    except ValueError as error:
        return reader.wrong(str(error), path)
    return made


def _is_named_before(key: Key, name: str, data: dict[str, Any]) -> bool:
    """Return whether data have a key by a newer name, too."""
    names = (key.name, *key.old_names)
    return any(each in data for each in names[: names.index(name)])


def _list(way: Way) -> Way:
    def read(reader: Reader, data: Any, path: Path) -> Any:
        if not isinstance(data, list):
            message = f"{seen(data)} is not a list; write '- ' before each member, or brackets around all"
            return reader.wrong(message, path)
        before = len(reader.findings)
        members = tuple([way(reader, each, (*path, at)) for at, each in enumerate(data)])
        return members if len(reader.findings) == before else _WRONG

    return read


def _mapping(way_of_name: Way, way: Way) -> Way:
    def read(reader: Reader, data: Any, path: Path) -> Any:
        if not isinstance(data, dict):
            return _no_mapping(reader, data, path)
        before = len(reader.findings)
        values = {}
        for name in data:
            at = (*path, name)
            values[way_of_name(reader, name, at)] = way(reader, data[name], at)
        return values if len(reader.findings) == before else _WRONG

    return read


def _name(way: Way) -> Way:
    """Return a way that notes mistakes at the key, and not at the value behind it."""

    def read(reader: Reader, data: Any, path: Path) -> Any:
        before = len(reader.findings)
        name = way(reader, data, path)
        reader.findings[before:] = [replace(each, at_key=True) for each in reader.findings[before:]]
        return name

    return read


def _word(words: tuple[Any, ...]) -> Way:
    def read(reader: Reader, data: Any, path: Path) -> Any:
        if isinstance(data, str) and data in words:
            return words[words.index(data)]
        return reader.wrong(f"{seen(data)} is unknown; {guess(str(data), words)}", path)

    return read


def _no_mapping(reader: Reader, data: object, path: Path) -> object:
    return reader.wrong(f"{seen(data)} is not a mapping; write 'key: value' in it", path)
