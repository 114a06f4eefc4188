"""Put mistakes of a configuration into words: what was seen, where, and what was perhaps meant.

A finding has the path of keys to the mistake; `document` has the line and column of a path. Values are shown as the
file has them; long ones are cut.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""The keys and list indices that lead to a value: ("upstreams", "chat", "targets", 0, "url")."""

_LONGEST_SHOWN = 80
_MOST_LISTED = 12
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """Describe a mistake: the path to it, and what is wrong there."""

    path: Path
    message: str
    at_key: bool = False
    """whether the key itself is the mistake, and not the value behind it"""
    other: Path | None = field(default=None, compare=False)
    """what the message refers to; its place is told, too, if that is in another file"""


class Filled(str):
    """A text in which environment variables were filled in. For people it is shown as the file has it."""

    __slots__ = ("values", "written")
    values: tuple[str, ...]
    """what came from the environment, which nobody may see"""
    written: str
    """the text in the file"""

    def __new__(cls, text: str, written: str, values: tuple[str, ...]) -> "Filled":
        """Make one."""
        made = super().__new__(cls, text)
        made.written, made.values = written, values
        return made

    def __repr__(self) -> str:
        return repr(self.written)

    def __reduce__(self) -> tuple[Any, ...]:
        return Filled, (str(self), self.written, self.values)


def shown(text: str) -> str:
    """Return a text for people: as the file has it."""
    return text.written if isinstance(text, Filled) else text


def made_of(source: object, text: str) -> str:
    """Return a text that was made of a value of the file, and is shown as that is."""
    return Filled(text, source.written, source.values) if isinstance(source, Filled) else text


def spell(path: Path) -> str:
    """Return a path as people write it: `upstreams.chat.targets[0].url`. Empty for the whole file."""
    steps = (f".{step}" if isinstance(step, str) and _PLAIN_KEY.fullmatch(step) else f"[{step!r}]" for step in path)
    return "".join(steps).removeprefix(".")


def seen(value: object) -> str:
    """Return a value as the file has it, in a form that can begin a sentence."""
    match shown(value) if isinstance(value, str) else value:
        case None:
            return "an empty value"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str(text) if len(text) > _LONGEST_SHOWN:
            return f"{text[:_LONGEST_SHOWN]!r}..."
        case _:
            return repr(value)


def guess(word: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown word: the known word that resembles it, or else all of them."""
    spellings = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), spellings, n=1)
    if close:
        return f"did you mean {spellings[close[0]]!r}?"
    listed = list(spellings.values())
    return f"known are {', '.join(listed[:_MOST_LISTED])}" + (", ..." if len(listed) > _MOST_LISTED else "")
