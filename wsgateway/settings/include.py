"""Read the files that `include` names, and put their routes and upstreams behind those of the file that names them.

An included file has nothing but `routes` and `upstreams`, so no file includes another one. Patterns are taken in their
order, and the files of a pattern in that of their names. Names of certificates in them are relative to the first file.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings.document import Document, decoded, read
from wsgateway.settings.findings import Finding, seen
from wsgateway.settings.values import MOST_BYTES, MOST_FILES, MOST_MIB

KEY = "include"
_WILD = frozenset("*?[")
_PARTS: dict[str, type] = {"routes": list, "upstreams": dict}


@dataclass(frozen=True, slots=True)
class Included:
    """Hold a file that was included."""

    name: str
    """relative to the file that includes it, or absolute"""
    text: str


def read_included(document: Document, directory: FilePath) -> tuple[Included, ...]:
    """Read the files that a document includes. Raise SettingsError with all that cannot be read.

    What is wrong with the key itself is left to `reader`.
    """
    patterns = document.data.get(KEY) if isinstance(document.data, dict) else None
    found: dict[str, str] = {}
    problems: list[Problem] = []
    size = 0
    for at, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
        try:
            for name in _names(pattern, directory) if isinstance(pattern, str) else ():
                if name in found:
                    continue
                data = _content(directory / name, FilePath(document.file))
                size += len(data)
                if len(found) == MOST_FILES or size > MOST_BYTES:
                    raise ValueError(f"more than {MOST_FILES} files or {MOST_MIB} MiB are included")
                found[name] = decoded(data, beside(document.file, name))
        except ValueError as error:
            problems.append(document.problem(Finding((KEY, at), str(error))))
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return tuple(Included(name, text) for name, text in found.items())


def _names(pattern: str, directory: FilePath) -> Iterator[str]:
    """Yield the names of the files of a pattern, in their order. Raise ValueError if they cannot be known."""
    if "${" in pattern or "\0" in pattern:
        raise ValueError(f"{seen(pattern)} is not a pattern of names; variables are not filled in here")
    folder, last = os.path.split(pattern)
    if _WILD & set(folder) or not last:
        raise ValueError(f"{seen(pattern)} is not a pattern of names; only its last part may have *, ? or []")
    if not _WILD & set(last):
        yield pattern
        return
    try:
        entries = os.listdir(directory / folder)
    except OSError as error:
        raise ValueError(f"the directory {seen(folder)} cannot be read: {error.strerror}") from None
    for entry in sorted(entries):
        if fnmatchcase(entry, last) and entry.startswith(".") is last.startswith("."):
            yield os.path.join(folder, entry)


def _content(file: FilePath, first: FilePath) -> bytes:
    """Return what is in a file. Raise ValueError if it cannot be read, or is the first file itself."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would wait for its other end
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise ValueError(f"{str(file)!r} is not a file")
            if first.exists() and os.path.samestat(facts, first.stat()):
                raise ValueError(f"{str(file)!r} is this file itself; give the others a directory of their own")
            with open(descriptor, "rb", closefd=False) as opened:
                return opened.read(MOST_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ValueError(f"{str(file)!r} cannot be read: {error.strerror}") from None


def beside(file: str, name: str) -> str:
    """Return the name of an included file for messages."""
    return os.path.join(os.path.dirname(file), name)


def merge(document: Document, included: tuple[Included, ...]) -> list[Problem]:
    """Put what is in included files behind what is in a document. Return what is wrong with their first level."""
    if not isinstance(document.data, dict):
        return []
    data: dict[str, Any] = document.data
    problems: list[Problem] = []
    for each in included:
        try:
            other = read(each.text, beside(document.file, each.name))
        except SettingsError as error:
            problems += error.problems
        else:
            problems += other.repeated
            problems += _merge_one(document, data, other)
    return problems


def _merge_one(document: Document, data: dict[str, Any], other: Document) -> Iterator[Problem]:
    if not isinstance(other.data, dict):
        yield other.problem(Finding((), f"{seen(other.data)} is not a mapping; write 'routes:' or 'upstreams:' in it"))
        return
    for key in other.data:
        if key not in _PARTS:
            yield other.problem(Finding((key,), "an included file has only routes and upstreams", at_key=True))
        elif not isinstance(other.data[key], _PARTS[key]):
            kind = "list" if _PARTS[key] is list else "mapping"
            yield other.problem(Finding((key,), f"{seen(other.data[key])} is not a {kind}"))
    more, own = other.data.get("routes"), data.get("routes", [])
    if more and isinstance(more, list) and isinstance(own, list):
        places = enumerate(range(len(own), len(own) + len(more)))
        document.included |= {("routes", place): (other, ("routes", at)) for at, place in places}
        data["routes"] = own + more
    others, names = other.data.get("upstreams"), data.get("upstreams", {})
    if others and isinstance(others, dict) and isinstance(names, dict):
        yield from (_twice(document, other, name) for name in others if name in names)
        new = {name: each for name, each in others.items() if name not in names}
        document.included |= {("upstreams", name): (other, ("upstreams", name)) for name in new}
        data["upstreams"] = names | new


def _twice(document: Document, other: Document, name: str) -> Problem:
    first = document.problem(Finding(("upstreams", name), "", at_key=True))
    message = f"this upstream stands in {first.file}:{first.line}:{first.column} already"
    return other.problem(Finding(("upstreams", name), message, at_key=True))
