"""Read YAML: plain data, and the place of each key and value.

PyYAML only cuts the text into events, since YAML 1.1 has surprises: `on`, `no`, `1:30` and `2001-01-01` are text here.
true, false, null (or nothing) and whole numbers are what they look like; all the rest is text, as no key takes a
fraction. Keys are always text. Anchors, aliases and tags are refused, since they can build anything, and so is a second
document. A key that stands twice is noted as a mistake, and reading goes on.

Where PyYAML has libyaml, that reads a file first, because it is thirteen times as fast. The language is that of the
part in Python all the same: that part reads what libyaml reads in another way, and what is refused, to say why.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings.findings import Finding, Path, spell
from wsgateway.settings.values import MOST_BYTES, MOST_MIB

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


# What libyaml reads in another way than the part in Python: tabs between tokens, a mark of the byte order, directives,
# and comments that touch the sign of a block.
_OTHERWISE = re.compile(r"[\t\ufeff]|^%|[|>][-+0-9]*#", re.MULTILINE)
_LIBYAML: Any = getattr(yaml, "CSafeLoader", None)
_OF_PYTHON = "the part in Python must read this"


class _Mark(Protocol):
    """Describe a mark of PyYAML, whose lines and columns count from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


_Node = tuple[_Mark | None, Any]
"""The mark where a value begins, or None if libyaml knows another place; and of a list the nodes of its members, of a
mapping the mark of each key and the node of its value."""


@dataclass(slots=True)
class Document:
    """Hold the data of a file, and their places."""

    text: str
    file: str
    """its name for messages"""
    data: object = None
    """dicts with text for keys, lists, text, int, bool and None"""
    node: _Node | None = None
    """the places of all data"""
    repeated: list[Problem] = field(default_factory=list)
    """the keys that stand twice in a mapping; the last one is in the data"""
    included: dict[Path, tuple["Document", Path]] = field(default_factory=dict)
    """the data that come from other files, by their paths, which have two steps: the file, and the path in that"""

    def place(self, path: Path, at_key: bool = False) -> tuple[int, int]:
        """Return the line and the column, from 1, where a value begins, or the key in front of it.

        The path must be one of the data of this file.
        """
        mark = self._mark(path, at_key)
        if mark is None:
            self.node = _Composer(yaml.SafeLoader(self.text), Document(self.text, self.file)).document().node
            mark = self._mark(path, at_key)
        return _place(mark)

    def _mark(self, path: Path, at_key: bool) -> _Mark | None:
        assert self.node is not None, "it has data"
        key: _Mark | None = None
        mark, inside = self.node
        for step in path:
            key, (mark, inside) = inside[step] if isinstance(inside, dict) else (None, inside[step])
        return key if at_key else mark

    def problem(self, finding: Finding) -> Problem:
        """Return the finding as a problem with its file and place; its path must be one of the data."""
        key = spell(finding.path)
        message = f"{key}: {finding.message}" if key else finding.message
        file, line, column = self._whole_place(finding.path, finding.at_key)
        if finding.other is not None and (there := self._whole_place(finding.other))[0] != file:
            message += f", in {there[0]}:{there[1]}:{there[2]}"
        return Problem(file, line, column, message, key)

    def _whole_place(self, path: Path, at_key: bool = False) -> tuple[str, int, int]:
        """Return the file, the line and the column of a path, which may be in a file that is included."""
        document, begin = self.included.get(path[:2], (self, path[:2]))
        return document.file, *document.place((*begin, *path[2:]), at_key)


def decoded(data: bytes, file: str) -> str:
    """Return the text of a file; `file` is its name for messages. Raise SettingsError if it is not UTF-8, or too long.

    Whoever reads the file needs to read one byte more than `MOST_BYTES`, and not all of a longer one.
    """
    if len(data) > MOST_BYTES:
        raise SettingsError([Problem(file, 0, 0, f"the file has more than {MOST_MIB} MiB, which is the most")])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not UTF-8: the byte {data[error.start]:02X}"
        raise SettingsError([Problem(file, line, column, message)]) from None


def read(text: str, file: str) -> Document:
    """Read a YAML text; `file` is its name for messages. Raise SettingsError, with one problem, if it is not YAML."""
    if _LIBYAML is not None and not _OTHERWISE.search(text):
        with suppress(yaml.YAMLError, SettingsError, ValueError, OverflowError):
            return _Composer(_LIBYAML(text), Document(text, file), is_libyaml=True).document()
    try:
        return _Composer(yaml.SafeLoader(text), Document(text, file)).document()
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


def _place(mark: _Mark | None) -> tuple[int, int]:
    if mark is None:
        raise AssertionError("PyYAML's parser marks all that it gives")
    return mark.line + 1, mark.column + 1


class _Composer:
    """Make data of PyYAML's events, each of which is taken once, in order."""

    def __init__(self, loader: Any, document: Document, is_libyaml: bool = False) -> None:
        """Take the document for the data, which is empty."""
        self._loader = loader
        self._is_libyaml = is_libyaml
        self._document = document
        self._path: list[str | int] = []  # to the current value

    def document(self) -> Document:
        self._next()  # the start of the stream
        first = self._next()
        if isinstance(first, yaml.StreamEndEvent):
            raise self._refused((1, 1), "the file is empty")
        self._document.data, self._document.node = self._value(self._next(), False)
        self._next()  # the end of the document
        behind = self._next()
        if not isinstance(behind, yaml.StreamEndEvent):
            raise self._refused(_place(behind.start_mark), "a second document begins here, a file holds only one")
        return self._document

    def _next(self) -> Any:
        try:
            return self._loader.get_event()
        except (ValueError, OverflowError):  # what PyYAML raises at "\U00110000" and "\UFFFFFFFF"
            if self._is_libyaml:
                raise
            place = _place(self._loader.get_mark())
            raise self._refused(place, "not YAML: an escape that stands for no character") from None

    def _value(self, event: Any, in_flow: bool) -> tuple[object, _Node]:
        """Return the data that this event, and those that belong to it, stand for, and their node.

        `in_flow` says whether they are in brackets or braces.
        """
        if len(self._path) > _MOST_LEVELS:
            raise self._refused(_place(event.start_mark), f"nested more than {_MOST_LEVELS} levels deep")
        self._check_plain(event, in_flow)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event), (self._mark(event), None)
        return self._list(event) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(event)

    def _mark(self, event: Any) -> _Mark | None:
        """Return the mark of a scalar."""
        return event.start_mark if event.value or event.style or not self._is_libyaml else None

    def _check_plain(self, event: Any, in_flow: bool) -> None:
        if event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            raise self._refused(_place(event.start_mark), f"{sign}{event.anchor}: anchors and aliases are not allowed")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._refused(_place(event.start_mark), f"{tag}: tags are not allowed")
        if not isinstance(event, yaml.ScalarEvent):
            return
        text = event.value
        if not text.isascii() and _HALF.search(text):
            message = "not YAML: an escape that stands for half a character"
            raise self._refused(_place(event.start_mark), message)
        if in_flow and self._is_libyaml and "?" in text and not event.style:
            raise ValueError(_OF_PYTHON)

    def _list(self, event: Any) -> tuple[list[object], _Node]:
        mark, in_flow, path = event.start_mark, event.flow_style, self._path
        items: list[object] = []
        nodes: list[_Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            path.append(len(items))
            item, node = self._value(event, in_flow)
            path.pop()
            items.append(item)
            nodes.append(node)
        return items, (mark, nodes)

    def _mapping(self, event: Any) -> tuple[dict[str, object], _Node]:
        mark, in_flow, path = event.start_mark, event.flow_style, self._path
        entries: dict[str, object] = {}
        nodes: dict[str, tuple[_Mark, _Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            self._check_plain(event, in_flow)
            if not isinstance(event, yaml.ScalarEvent):
                message = "a key must be text; if an address begins here, write it in quotes"
                raise self._refused(_place(event.start_mark), message)
            key, key_mark = event.value, self._mark(event)
            if key_mark is None:
                raise ValueError(_OF_PYTHON)
            path.append(key)
            if key in entries:
                self._note_repeated(_place(nodes[key][0]), _place(key_mark))
            entries[key], node = self._value(self._next(), in_flow)
            nodes[key] = (key_mark, node)
            path.pop()
        return entries, (mark, nodes)

    def _note_repeated(self, before: tuple[int, int], here: tuple[int, int]) -> None:
        key = spell(tuple(self._path))
        message = f"{key}: this key stands twice, in line {before[0]} and in line {here[0]}"
        self._document.repeated.append(Problem(self._document.file, *here, message, key))

    def _refused(self, place: tuple[int, int], message: str) -> SettingsError:
        return SettingsError([Problem(self._document.file, *place, message)])


def _scalar(event: Any) -> str | int | None:
    text: str = event.value
    return text if event.style else plain(text)  # in quotes, or a block


def plain(text: str) -> str | int | None:
    """Return what a text without quotes stands for: true, false, nothing, a whole number, or itself."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
