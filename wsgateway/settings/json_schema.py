"""Describe the configuration by a JSON Schema, so that editors complete keys and mark mistakes.

It has keys, types, words, bounds of numbers and the form of texts. Only `wsgateway check` knows what one key says about
another, and which texts are right. The schema is one of draft 07, since editors know no later one well.
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from wsgateway.settings.declare import (
    Between,
    Key,
    Made,
    Members,
    Written,
    is_section,
    keys_of,
    marks,
    section_in,
    without_none,
)
from wsgateway.settings.include import KEY
from wsgateway.settings.values import FilePattern, Name
from wsgateway.settings.whole import Settings

_PLAIN: dict[Any, dict[str, Any]] = {str: {"type": "string"}, bool: {"type": "boolean"}, int: {"type": "integer"}}

# What may also stand in the files that this one includes.
_INCLUDED = ["routes", "upstreams"]
_VARIABLE = "variable"
_WITH_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "A text with environment variables."}
_NO_VARIABLE = (Name, FilePattern)


def json_schema() -> dict[str, Any]:
    """Return the schema of a whole file."""
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Configuration of wsgateway"}
    first = _section(Settings)
    there = {"anyOf": [{"required": _INCLUDED}, {"required": [KEY]}]}
    first["required"] = [name for name in first["required"] if name not in _INCLUDED]
    sections = {kind.__name__: _section(kind) for kind in _below(Settings)}
    return whole | first | there | {"$defs": sections | {_VARIABLE: _WITH_VARIABLE}}


def described(key: Key) -> str:
    """Return the description of a key, with the meaning of its words in lines of their own."""
    return "\n".join([key.description, *(f"{word}: {meaning}." for word, meaning in key.values.items())])


def _section(kind: Any) -> dict[str, Any]:
    keys = keys_of(kind)
    return {
        "type": "object",
        "properties": {name: _key(each, name) for each in keys for name in (each.name, *each.old_names)},
        "required": [each.name for each in keys if each.required],
        "additionalProperties": False,
    }


def _key(key: Key, name: str) -> dict[str, Any]:
    more: dict[str, Any] = {"description": described(key)}
    if name != key.name:
        more["deprecated"] = True
    if not (key.required or key.default is None or is_section(marks(key.type)[0])):
        more["default"] = key.default
    return _of(key.type) | more


def _of(annotation: Any) -> dict[str, Any]:
    """Return the schema of a type, as it is written in the file."""
    schema = _without_variables(annotation)
    if schema.get("type") in ("array", "object") or "$ref" in schema or schema == {"type": "string"}:
        return schema
    if any(without_none(annotation) is each for each in _NO_VARIABLE):
        return schema
    return {"anyOf": [*(schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]), {"$ref": f"#/$defs/{_VARIABLE}"}]}


def _without_variables(annotation: Any) -> dict[str, Any]:
    """Return the schema of a type, for values without environment variables."""
    kind, several = marks(annotation)
    for mark in several:
        match mark:
            case Written():
                return dict(mark.schema)
            case Made():
                return _without_variables(mark.kind)
    schema = _unmarked(kind)
    for mark in several:
        match mark:
            case Members() if mark.least:
                schema["minItems" if get_origin(kind) is tuple else "minProperties"] = mark.least
            case Between():
                schema["minimum"] = mark.least
                if mark.most is not None:
                    schema["maximum"] = mark.most
    return schema


def _unmarked(kind: Any) -> dict[str, Any]:
    if is_section(kind):
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if get_origin(kind) is Literal:
        # Editors read 1.2 as a number where nobody has put it in quotes.
        words = get_args(kind)
        return {"enum": [*words, *(float(each) for each in words if each.replace(".", "").isdigit())]}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _of(get_args(kind)[0])}
    if get_origin(kind) is dict:
        name, value = get_args(kind)
        return {"type": "object", "propertyNames": _without_variables(name), "additionalProperties": _of(value)}
    return dict(_PLAIN[kind])


def _below(kind: Any) -> Iterator[Any]:
    """Yield every section below a section, once or several times."""
    for key in keys_of(kind):
        inner = section_in(key.type)
        if inner is not None:
            yield inner
            yield from _below(inner)
