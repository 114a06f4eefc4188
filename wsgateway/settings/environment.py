"""Fill environment variables into the values of a configuration.

    ${NAME}             the value of the variable; if it is not set, that is a mistake
    ${NAME:-default}    the same, or the default where it is not set or empty
    $${                 ${ itself

A value is one text, whatever the variable holds: no YAML is read in it. Keys are left as they are.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from wsgateway.settings.findings import Filled, Finding, Path

_BEGIN = "${"
_VARIABLE = re.compile(r"(?P<escape>\$)?\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\})?")
_HALF = re.compile("[\ud800-\udfff]")
# Shorter pieces of a value stand in any sentence.
_PIECE = 4
# Stand in a message for what the file has, while the rest of it is searched for values.
_MARK, _QUOTED_MARK = "\0", "\1"


def fill(data: object, environment: Mapping[str, str]) -> list[Finding]:
    """Fill variables into the data of a file, in place. Return the mistakes, whose values are left as they are."""
    findings: list[Finding] = []
    _inside(data, (), environment, findings)
    return findings


def _inside(data: object, path: Path, environment: Mapping[str, str], findings: list[Finding]) -> None:
    members: Any = data
    for at, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if isinstance(value, str):
            if _BEGIN in value:
                try:
                    members[at] = _filled(value, environment)
                except ValueError as error:
                    findings.append(Finding((*path, at), str(error)))
        elif isinstance(value, dict | list):
            _inside(value, (*path, at), environment, findings)


def _filled(text: str, environment: Mapping[str, str]) -> str:
    """Return a text with its variables filled in. Raise ValueError if one is not set, or is none."""
    values: list[str] = []

    def value(found: re.Match[str]) -> str:
        if found["escape"]:
            return found[0].removeprefix("$")
        name, default = found["name"], found["default"]
        if name is None:
            raise ValueError(
                "${ does not begin a variable here; write ${NAME}, ${NAME:-default}, or $${ for the characters ${"
            )
        given = environment.get(name)
        if default is not None and not given:
            return str(default).removeprefix(":-")
        if given is None:
            raise ValueError(
                f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}, with a default"
            )
        if _HALF.search(given):
            raise ValueError(f"the value of the environment variable {name} is not UTF-8")
        values.append(given)
        return given

    return Filled(_VARIABLE.sub(value, text), text, tuple(values))


def discreet(finding: Finding, data: object) -> Finding:
    """Return a finding in whose message no value of a variable stands. `data` are filled; its path is one of them."""
    place: Any = data
    for step in finding.path:
        place = place[step]
    message = finding.message
    for filled in _every(place):
        message = _without_values(message, filled)
    return replace(finding, message=message)


def _every(data: object) -> Iterator[Filled]:
    if isinstance(data, Filled):
        yield data
    for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _every(each)


def _without_values(message: str, filled: Filled) -> str:
    message = message.replace(repr(filled), _QUOTED_MARK)
    for value in sorted(filter(None, {*filled.values, str(filled)} if filled.values else ()), key=len, reverse=True):
        message = message.replace(value, _MARK)
    low = message.lower()
    for value in filled.values:
        if any(value[at : at + _PIECE].lower() in low for at in range(len(value) - _PIECE + 1)):
            return f"{filled!r} stands for a value that is not allowed here"
    return message.replace(_MARK, filled.written).replace(_QUOTED_MARK, repr(filled))
