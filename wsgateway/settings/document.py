"""YAML as this program reads it: plain data, and where each key and value of it stands.

PyYAML cuts the text into events and no more, so that YAML 1.1 surprises nobody: `on`, `no`, `1:30` and
`2001-01-01` are text here. true, false, null (or nothing) and whole numbers are what they look like; all the rest
is text, as no key takes a fraction. Keys are always text. Refused are anchors, aliases and tags, which
could build anything, and a second document. A key that stands twice is a mistake, noted while reading goes on.
"""

import re
from dataclasses import dataclass, field

import yaml

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings.findings import Finding, Path, spell

# The settings are 6 deep. Python allows us some hundreds.
_MOST_LEVELS = 32

_NULLS = ("", "~", "null", "Null", "NULL")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Python refuses to read integers of thousands of digits.
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")


@dataclass(slots=True)
class Document:
    """What a file holds."""

    file: str
    data: object = None
    """dicts with text for keys, lists, text, int, bool and None; None if the file is empty"""
    values: dict[Path, yaml.Mark] = field(default_factory=dict)
    keys: dict[Path, yaml.Mark] = field(default_factory=dict)
    repeated: list[Problem] = field(default_factory=list)
    """the keys that stand twice in a mapping; the last one is in the data"""

    def problem(self, finding: Finding) -> Problem:
        """The finding, whose path must be one of the data, with its place in the file."""
        mark = (self.keys if finding.at_key else self.values)[finding.path]
        message = f"{spell(finding.path)}: {finding.message}" if finding.path else finding.message
        return Problem(self.file, mark.line + 1, mark.column + 1, message)


def read(text: str, file: str) -> Document:
    """Reads a YAML text; `file` is its name for messages. Raises SettingsError, with one problem, if it is none."""
    try:
        return _Composer(text, file).document()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        raise SettingsError([Problem(file, line, column, f"not YAML: the character {error.character!r}")]) from None
    except yaml.MarkedYAMLError as error:
        raise SettingsError([_syntax_problem(error, file)]) from None


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    message = f"not YAML: {error.problem}"
    if error.context is not None:
        message += f", {error.context}"
        if error.context_mark is not None:
            message += f" (from line {error.context_mark.line + 1})"
    mark = error.problem_mark
    return Problem(file, mark.line + 1, mark.column + 1, message) if mark is not None else Problem(file, 0, 0, message)


class _Composer:
    """Makes data of PyYAML's events, each of which is taken once, in order."""

    def __init__(self, text: str, file: str) -> None:
        self._loader = yaml.SafeLoader(text)
        self._document = Document(file)

    def document(self) -> Document:
        self._next()  # the start of the stream
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            raise self._refused(first, "the file is empty")
        self._document.data = self._value((), self._next())
        self._next()  # the end of the document
        behind = self._next()
        if not isinstance(behind, yaml.StreamEndEvent):
            raise self._refused(behind, "a second document begins here; a file holds one")
        return self._document

    def _next(self) -> yaml.Event:
        try:
            return self._loader.get_event()
        except (ValueError, OverflowError):  # PyYAML's, for an escape such as "\UFFFFFFFF"
            raise self._refused_at(self._loader.get_mark(), "not YAML: an escape that is no character") from None

    def _value(self, path: Path, event: yaml.Event) -> object:
        self._document.values[path] = event.start_mark
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._refused(event, f"anchors and aliases ({event.anchor}) are not allowed")
        if event.tag is not None:
            raise self._refused(event, f"tags ({event.tag}) are not allowed")
        if len(path) > _MOST_LEVELS:
            raise self._refused(event, f"nested more than {_MOST_LEVELS} levels deep")
        match event:
            case yaml.ScalarEvent():
                return self._scalar(event)
            case yaml.SequenceStartEvent():
                return self._list(path)
            case yaml.MappingStartEvent():
                return self._mapping(path)
        raise AssertionError(event)

    def _scalar(self, event: yaml.ScalarEvent) -> object:
        text: str = event.value
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise self._refused(event, "not YAML: an escape that is half a character")
        if event.style is not None:
            return text
        if text in _NULLS:
            return None
        if text in _TRUTHS:
            return _TRUTHS[text]
        return int(text) if _INTEGER.fullmatch(text) else text

    def _list(self, path: Path) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value((*path, len(items)), event))
        return items

    def _mapping(self, path: Path) -> dict[str, object]:
        entries: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(path, event)
            at = (*path, key)
            earlier = self._document.keys.get(at) if key in entries else None
            self._document.keys[at] = event.start_mark
            entries[key] = self._value(at, self._next())
            if earlier is not None:
                self._repeated(at, earlier)
        return entries

    def _key(self, path: Path, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refused(event, "a key must be text")
        self._value(path, event)
        return str(event.value)
