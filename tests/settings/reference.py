"""The reference of all keys, as Markdown: a table for each section of the configuration."""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from wsgateway.settings.declare import (
    FIRST,
    Between,
    Key,
    Made,
    Reload,
    Written,
    is_section,
    keys_of,
    marks,
    own_keys,
    section_in,
)
from wsgateway.settings.example import flow
from wsgateway.settings.whole import Settings

_HEAD = ("| key | type | default | bounds | after a reload | meaning |", "|---|---|---|---|---|---|")
_PLAIN = {str: "text", int: "whole number", bool: "true or false"}


def reference() -> str:
    """Return the tables of all sections, in the order of the file."""
    return "\n\n".join(_tables("", Settings, "new sessions", ""))


def _tables(path: str, kind: Any, reload: Reload, description: str) -> Iterator[str]:
    keys = own_keys(kind)
    lines = [f"### `{path}`" if path else "### The file", ""]
    lines += [_escaped(description), ""] if description else []
    lines += [*_HEAD, *(_row(each, each.reload or reload) for each in keys)]
    lines += ["", "And every key of [`defaults`](#defaults), where the route differs."] if keys != keys_of(kind) else []
    yield "\n".join(lines)
    for each in keys:
        inner = section_in(each.type)
        if inner is not None:
            below = f"{path}.{each.name}{_of_several(each)}".removeprefix(".")
            yield from _tables(below, inner, each.reload or reload, each.description)


def _escaped(text: str) -> str:
    """Return a text in which Markdown finds nothing but what stands between backticks."""
    parts = text.split("`")
    return "`".join(re.sub(r"[*<\[]", r"\\\g<0>", each) if at % 2 == 0 else each for at, each in enumerate(parts))


def _of_several(key: Key) -> str:
    """Return what stands for one of the sections in a list, or under a name of the operator's choice."""
    kind, _ = marks(key.type)
    return "" if is_section(kind) else "[]" if get_origin(kind) is tuple else ".NAME"


def _row(key: Key, reload: Reload) -> str:
    several = "section" if section_in(key.type) else word_of(key.type)
    if section_in(key.type) and _of_several(key):
        several = "list of sections" if _of_several(key) == "[]" else "sections by name"
    meaning = "<br>".join(
        [_escaped(key.description), *(f"`{word}`: {_escaped(text)}" for word, text in key.values.items())]
    )
    if key.since != FIRST:
        meaning += f" Since {key.since}."
    cells = [f"`{key.name}`", several, _default(key), _bounds(key), reload, meaning]
    return f"| {' | '.join(each.replace('|', chr(92) + '|') for each in cells)} |"


def _default(key: Key) -> str:
    if key.required:
        return "required"
    if section_in(key.type) is not None:
        return "left out" if key.default is None else ""
    return "left out" if key.default is None else f"`{flow(key.default)}`"


def word_of(annotation: Any) -> str:
    """Return what values of a type are called."""
    kind, several = marks(annotation)
    for mark in several:
        if isinstance(mark, Written):
            return mark.word
        if isinstance(mark, Made):
            return word_of(mark.kind)
    if get_origin(kind) is tuple:
        return f"list of: {word_of(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        name, value = map(word_of, get_args(kind))
        return f"mapping: {name} to {value}"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    return _PLAIN[kind]


def _bounds(key: Key) -> str:
    _, several = marks(key.type)
    for mark in several:
        match mark:
            case Written(bounds=bounds) if bounds:
                return f"{bounds} {key.unit}".strip()
            case Between(least=least, most=most):
                return f"{f'{least} or more' if most is None else f'{least} to {most}'} {key.unit}".strip()
    return key.unit
