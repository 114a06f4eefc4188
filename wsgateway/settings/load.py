"""Read a configuration, and report all its mistakes at once, each with file, line and column.

A file that is not YAML has one problem. Otherwise the mistakes in single values, those against the rules, and the keys
that stand twice are reported together, in the order of the files: what a file includes is read as a part of it.
"""

import gc
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings import files, rules
from wsgateway.settings.addresses import bind_address, websocket_url
from wsgateway.settings.complete import complete
from wsgateway.settings.document import Document, decoded
from wsgateway.settings.document import read as read_yaml
from wsgateway.settings.environment import discreet, fill
from wsgateway.settings.findings import Finding
from wsgateway.settings.include import KEY, Included, beside, merge, read_included
from wsgateway.settings.reader import Reader
from wsgateway.settings.values import MOST_BYTES
from wsgateway.settings.whole import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """Keep the text of a configuration that was read, so that all processes of a gateway see the same bytes."""

    file: str
    """its name, for messages, and for the names of files in it"""
    text: str
    directory: str | None = None
    """the absolute directory that names in the file are relative to; None: that of the file"""
    included: tuple[Included, ...] = ()
    """the files that it includes"""

    @property
    def place(self) -> pathlib.Path:
        """The directory that names in the file are relative to."""
        return pathlib.Path(self.file).absolute().parent if self.directory is None else pathlib.Path(self.directory)

    @property
    def sha256(self) -> str:
        """A hash of the text, and of the files that it includes. Environment variables are not in it."""
        made = hashlib.sha256(self.text.encode())
        for each in self.included:
            made.update(f"\0{each.name}\0{each.text}".encode())
        return made.hexdigest()

    def whole(self) -> "Source":
        """Return the configuration as it is without `include`. Variables stay: a process that reads it has them, too.

        Raise SettingsError if the text is not YAML.
        """
        if not self.included:
            return self
        document = read_yaml(self.text, self.file)
        merge(document, self.included)
        assert isinstance(document.data, dict), "it names files"
        data = {key: value for key, value in document.data.items() if key != KEY}
        return Source(self.file, json.dumps(data), self.directory)  # JSON is YAML, too

    def document(self) -> Document:
        """Return the data and their places. Raise SettingsError if they are not YAML, or a variable is not set."""
        document, problems = _read(self)
        if problems:
            raise SettingsError(problems)
        return document

    def settings(self, read_files: bool = False) -> Settings:
        """Return the settings. Raise SettingsError.

        With `read_files` the certificates and keys that it names are read and checked, too.
        """
        return _settings(self, read_files)


def load(path: str | pathlib.Path) -> Settings:
    """Read a file of UTF-8 text, and the files that it names. Raise SettingsError, also if there is no such file."""
    return read(path).settings(read_files=True)


def read(path: str | pathlib.Path) -> Source:
    """Read a file of UTF-8 text, whatever it contains, and those that it includes.

    Raise SettingsError, also if there is no such file.
    """
    return with_included(read_alone(path))


def read_alone(path: str | pathlib.Path) -> Source:
    """Read a file, and not those that it includes. Raise SettingsError as `read` does."""
    file = str(path)
    try:
        with open(path, "rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError([Problem(file, 0, 0, f"cannot be read: {error.strerror}")]) from None
    return Source(file, decoded(data, file))


def with_included(source: Source) -> Source:
    """Return a configuration with the files that it includes. Raise SettingsError if they cannot be read."""
    if KEY not in source.text:
        return source
    try:
        document = read_yaml(source.text, source.file)
    except SettingsError:  # `settings` says it
        return source
    return replace(source, included=read_included(document, source.place))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch the garbage collector off for a block that makes many objects, none of which is garbage.

    It would look at all of them again and again, which takes a quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse(text: str, file: str, read_files: bool = False, directory: str | None = None) -> Settings:
    """Return the settings of the text of a file; `file` is its name for messages. Raise SettingsError.

    With `read_files` the certificates and keys that the text names are read and checked, too. Their names are relative
    to the directory: by default, that of the file.
    """
    return with_included(Source(file, text, directory)).settings(read_files)


@_no_collection()
def _settings(source: Source, read_files: bool) -> Settings:
    document, problems = _read(source)
    if document.data is None:
        raise SettingsError([document.problem(Finding((), "the file is empty"))])
    unread = {(each.file, each.line, each.column) for each in problems}
    reader = Reader(source.place)
    whole: Settings | None = reader.read(Settings, document.data)
    findings = [*rules.check(document.data), *reader.findings]
    if read_files and whole is not None and not findings and not problems:
        assert isinstance(document.data, dict), "it has been checked"
        findings += files.check(document.data, source.place)
    for each in findings:
        problem = document.problem(discreet(each, document.data))
        # What is not known, because a variable is not set, has one mistake.
        if (problem.file, problem.line, problem.column) not in unread:
            problems.append(problem)
    if whole is None or problems:
        order = [source.file, *(beside(source.file, each.name) for each in source.included)]
        raise SettingsError(sorted(problems, key=lambda each: (order.index(each.file), each.line, each.column)))
    told = tuple(document.problem(finding) for finding in rules.outdated(document.data))
    return replace(complete(whole, document.data), outdated=told)


def _read(source: Source) -> tuple[Document, list[Problem]]:
    """Return the data of a configuration, with what it includes and the values of variables, and what is wrong there.

    Raise SettingsError if the text is not YAML.
    """
    document = read_yaml(source.text, source.file)
    problems = document.repeated + merge(document, source.included)
    return document, problems + [document.problem(each) for each in fill(document.data, os.environ)]


def single(bind: str, upstream_url: str, directory: str | None = None) -> Source:
    """Return the configuration of a gateway without a file.

    A Unix socket is relative to the directory, which is absolute: by default, the working directory. Raise
    SettingsError, in which --listen and --upstream stand in the place of a file.
    """
    problems = [
        *_problems_of("--listen", bind_address, bind),
        *_problems_of("--upstream", websocket_url, upstream_url),
    ]
    if problems:
        raise SettingsError(problems)
    text = json.dumps(smallest(bind, upstream_url))  # JSON is YAML, too
    return Source("--listen", text.replace("${", "$${"), directory)


def smallest(bind: str, url: str) -> dict[str, Any]:
    """Return the smallest configuration, as a file has it: one listener, one route for all paths, one upstream."""
    return {
        "version": 1,
        "listeners": [{"bind": [bind]}],
        "routes": [{"match": {"path": {"prefix": "/"}}, "upstream": "echo"}],
        "upstreams": {"echo": {"targets": [{"url": url}]}},
    }


def _problems_of(option: str, reader: Callable[[object], object], text: str) -> list[Problem]:
    try:
        reader(text)
    except ValueError as error:
        return [Problem(option, 0, 0, str(error))]
    return []
