"""Read YAML: plain data, and the place of each key and value.

PyYAML only cuts the text into events, since YAML 1.1 has surprises: `on`, `no`, `1:30` and `2001-01-01` are text here.
true, false, null (or nothing) and whole numbers are what they look like; all the rest is text, as no key takes a
fraction. Keys are always text. Anchors, aliases and tags are refused, since they can build anything, and so is a second
document. A key that stands twice is noted as a mistake, and reading goes on.
"""

import re
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings.findings import Finding, Path, spell

# The settings are 6 deep. Python allows us some hundreds.
_MOST_LEVELS = 32

_NULLS = ("", "~", "null", "Null", "NULL")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Python refuses to read integers of thousands of digits.
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_HALF = re.compile("[\ud800-\udfff]")
# Texts of PyYAML for mistakes that people often make, and words for people. {} is what the group has matched.
_WORDS = [
    (r"found character '\\t'", "a tab is not allowed here; indent with spaces"),
    (r"found character (.+) that cannot start any token", "no value can begin with {}; put it in quotes"),
    (r"mapping values are not allowed here()", "no key can end here; put a value with a colon in quotes, or look for a"
     " missing colon in front of it"),
    (r"expected <block end>()", "the indentation differs from the lines before, or a quote is missing"),
    (r"expected ',' or (\S+), but", "a comma or {} is missing"),
    (r"expected the node content, but found '<stream end>'()", "the file ends inside brackets"),
    (r"found unexpected end of stream()", "the file ends inside quotes"),
    (r"could not find expected ':'()", "a key without a colon"),
]  # fmt: skip


@dataclass(slots=True)
class Document:
    """Hold the data of a file, and their places."""

    file: str
    data: object = None
    """dicts with text for keys, lists, text, int, bool and None"""
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """the line and column, from 1, where each value begins"""
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """the line and column where the key in front of it begins"""
    repeated: list[Problem] = field(default_factory=list)
    """the keys that stand twice in a mapping; the last one is in the data"""

    def problem(self, finding: Finding) -> Problem:
        """Return the finding as a problem with its place in the file; its path must be one of the data."""
        place = (self.keys if finding.at_key else self.values)[finding.path]
        message = f"{spell(finding.path)}: {finding.message}" if finding.path else finding.message
        return Problem(self.file, *place, message)


def read(text: str, file: str) -> Document:
    """Read a YAML text; `file` is its name for messages. Raise SettingsError, with one problem, if it is not YAML."""
    try:
        return _Composer(text, file).document()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        message = f"not YAML: the character U+{error.character:04X} is not allowed"
        raise SettingsError([Problem(file, line, column, message)]) from None
    except yaml.MarkedYAMLError as error:
        place, message = _place(error.problem_mark), f"not YAML: {_in_words(error)}"
        if error.context_mark is not None and error.context_mark.line + 1 != place[0]:
            message += f"; this belongs to what begins in line {error.context_mark.line + 1}"
        raise SettingsError([Problem(file, *place, message)]) from None


def _in_words(error: yaml.MarkedYAMLError) -> str:
    """Return what is wrong with the text: for people, or as PyYAML says it."""
    problem = error.problem or ""
    for pattern, words in _WORDS:
        if found := re.match(pattern, problem):
            return words.format(*found.groups())
    return problem if error.context is None else f"{problem}, {error.context}"


class _Mark(Protocol):
    """Describe a mark of PyYAML, whose lines and columns count from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


def _place(mark: _Mark | None) -> tuple[int, int]:
    if mark is None:
        raise AssertionError("PyYAML's parser marks all that it gives")
    return mark.line + 1, mark.column + 1


class _Composer:
    """Make data of PyYAML's events, each of which is taken once, in order."""

    def __init__(self, text: str, file: str) -> None:
        self._loader = yaml.SafeLoader(text)
        self._document = Document(file)

    def document(self) -> Document:
        self._next()  # the start of the stream
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            raise self._refused((1, 1), "the file is empty")
        self._document.data = self._value((), self._next())
        self._next()  # the end of the document
        behind = self._next()
        if not isinstance(behind, yaml.StreamEndEvent):
            raise self._refused(_place(behind.start_mark), "a second document begins here, a file holds only one")
        return self._document

    def _next(self) -> yaml.Event:
        try:
            event: yaml.Event = self._loader.get_event()  # type: ignore[no-untyped-call]
        except (ValueError, OverflowError):  # what PyYAML raises at "\U00110000" and "\UFFFFFFFF"
            place = _place(self._loader.get_mark())
            raise self._refused(place, "not YAML: an escape that stands for no character") from None
        return event

    def _value(self, path: Path, event: yaml.Event) -> object:
        """Return the data that this event, and those that belong to it, stand for."""
        place = self._document.values[path] = _place(event.start_mark)
        if len(path) > _MOST_LEVELS:
            raise self._refused(place, f"nested more than {_MOST_LEVELS} levels deep")
        self._check_plain(event)
        match event:
            case yaml.ScalarEvent():
                return _scalar(event)
            case yaml.SequenceStartEvent():
                return self._list(path)
            case yaml.MappingStartEvent():
                return self._mapping(path)
        raise AssertionError(event)

    def _check_plain(self, event: yaml.Event) -> None:
        place = _place(event.start_mark)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            raise self._refused(place, f"{sign}{event.anchor}: anchors and aliases are not allowed")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._refused(place, f"{tag}: tags are not allowed")
        if isinstance(event, yaml.ScalarEvent) and _HALF.search(event.value):
            raise self._refused(place, "not YAML: an escape that stands for half a character")

    def _list(self, path: Path) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value((*path, len(items)), event))
        return items

    def _mapping(self, path: Path) -> dict[str, object]:
        entries: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            self._check_plain(event)
            place = _place(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refused(place, "a key must be text; if an address begins here, write it in quotes")
            at = (*path, event.value)
            if event.value in entries:
                message = (
                    f"{spell(at)}: this key stands twice, in line {self._document.keys[at][0]} and in line {place[0]}"
                )
                self._document.repeated.append(Problem(self._document.file, *place, message))
            self._document.keys[at] = place
            entries[event.value] = self._value(at, self._next())
        return entries

    def _refused(self, place: tuple[int, int], message: str) -> SettingsError:
        return SettingsError([Problem(self._document.file, *place, message)])


def _scalar(event: yaml.ScalarEvent) -> str | int | None:
    text = event.value
    if event.style is not None:  # in quotes, or a block
        return text
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
