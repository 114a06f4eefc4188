"""Read the data of a file as the sections that are declared, and find every mistake in them.

Only single values are checked here: `rules` checks what one key says about another, and `files` reads the files that
are named.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path as Directory
from typing import Any, Final, Literal, get_args, get_origin

from wsgateway.settings.declare import Between, InDirectory, Key, Made, Members, Written, is_section, keys_of, marks
from wsgateway.settings.findings import Finding, Path, guess, seen

_NOT: Final = {str: "not text", int: "not a whole number", bool: "neither true nor false"}
_WRONG: Final = object()
"""stands for a value with a mistake, which is among the findings"""


class Reader:
    """A reader of data, as YAML has it, that goes on after a mistake."""

    def __init__(self, directory: Directory) -> None:
        """Take the directory that names of files are relative to."""
        self.findings: list[Finding] = []
        """the mistakes so far"""
        self._directory = directory

    def read(self, annotation: Any, data: object) -> Any:
        """Return the value of a type, such as a section, that data stand for; None if there is a mistake in them."""
        value = self._read(annotation, data, ())
        return None if value is _WRONG else value

    def _read(self, annotation: Any, data: Any, path: Path) -> Any:
        kind, several = marks(annotation)
        match several:
            case [Written() as written, *_]:
                value = self._made(written.read, data, path)
            case [Made() as made, *_]:
                value = self._made(made.of, self._read(made.kind, data, path), path)
            case _:
                value = self._unmarked(kind, data, path)
        for mark in several:
            if value is _WRONG:
                break
            value = self._checked(mark, value, path)
        return value

    def _made(self, make: Callable[[Any], Any], data: Any, path: Path) -> Any:
        if data is _WRONG:
            return _WRONG
        try:
            return make(data)
        except ValueError as error:
            return self._wrong(str(error), path)

    def _unmarked(self, kind: Any, data: Any, path: Path) -> Any:
        if is_section(kind):
            return self._section(kind, data, path)
        origin, of = get_origin(kind), get_args(kind)
        if origin is Literal:
            return self._word(of, data, path)
        if origin is dict:
            return self._mapping(of, data, path)
        if origin is tuple:
            return self._list(of[0], data, path)
        if type(data) is kind:
            return data
        hint = "; write it in quotes" if kind is str and isinstance(data, int) else ""
        return self._wrong(f"{seen(data)} is {_NOT[kind]}{hint}", path)

    def _checked(self, mark: object, value: Any, path: Path) -> Any:
        match mark:
            case InDirectory():
                return mark.place(self._directory, value)
            case Members() if len(value) < mark.least:
                return self._wrong("it is empty, at least one member is needed", path)
            case Between() if value < mark.least:
                return self._wrong(f"{value} is too small, at least {mark.least} is allowed", path)
            case Between() if mark.most is not None and value > mark.most:
                return self._wrong(f"{value} is too large, at most {mark.most} is allowed", path)
        return value

    def _section(self, kind: Any, data: Any, path: Path) -> Any:
        if not isinstance(data, dict):
            return self._no_mapping(data, path)
        values: dict[str, Any] = {}
        known = set()
        for key in keys_of(kind):
            name = next((name for name in (key.name, *key.old_names) if name in data), None)
            if name is not None:
                known.add(name)
                values[key.field] = self._of_key(key, data[name], (*path, name))
            elif key.required:
                values[key.field] = self._wrong(f"{key.name!r} is missing", path)
        right = not any(each is _WRONG for each in values.values())
        for name in data:
            if name not in known:
                hint = guess(str(name), (key.name for key in keys_of(kind)))
                right = self._wrong(f"this key is unknown; {hint}", (*path, name), at_key=True) is not _WRONG
        return self._made(partial(_made, kind), values if right else _WRONG, path)

    def _of_key(self, key: Key, data: Any, path: Path) -> Any:
        if data is None and key.default in (None, "none"):  # such as `tls:` over a section that is commented out
            return self._wrong("the value is empty; write one, or remove the key", path)
        return self._read(key.type, data, path)

    def _list(self, kind: Any, data: Any, path: Path) -> Any:
        if not isinstance(data, list):
            return self._wrong(
                f"{seen(data)} is not a list; write '- ' before each member, or brackets around all", path
            )
        members = tuple(self._read(kind, each, (*path, at)) for at, each in enumerate(data))
        return _WRONG if any(each is _WRONG for each in members) else members

    def _mapping(self, of: tuple[Any, ...], data: Any, path: Path) -> Any:
        if not isinstance(data, dict):
            return self._no_mapping(data, path)
        before = len(self.findings)
        values = {self._name(of[0], name, (*path, name)): self._read(of[1], data[name], (*path, name)) for name in data}
        return values if len(self.findings) == before else _WRONG

    def _name(self, kind: Any, name: Any, path: Path) -> Any:
        before = len(self.findings)
        name = self._read(kind, name, path)
        self.findings[before:] = [replace(each, at_key=True) for each in self.findings[before:]]
        return name

    def _word(self, words: tuple[Any, ...], data: Any, path: Path) -> Any:
        if isinstance(data, str) and data in words:
            return data
        return self._wrong(f"{seen(data)} is unknown; {guess(str(data), words)}", path)

    def _no_mapping(self, data: object, path: Path) -> object:
        return self._wrong(f"{seen(data)} is not a mapping; write 'key: value' in it", path)

    def _wrong(self, message: str, path: Path, at_key: bool = False) -> object:
        self.findings.append(Finding(path, message, at_key))
        return _WRONG


def _made(kind: Any, values: dict[str, Any]) -> Any:
    """Return a section. Raise ValueError for values that do not go together."""
    made = kind(**values)
    if hasattr(made, "check"):
        made.check(values.keys())
    return made
