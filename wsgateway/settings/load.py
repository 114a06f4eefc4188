"""Read a configuration, and report all its mistakes at once, each with file, line and column.

A file that is not YAML has one problem. Otherwise the mistakes in single values, those against the rules, and the keys
that stand twice are reported together, in the order of the file.
"""

import gc
import json
import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from wsgateway.errors import Problem, SettingsError
from wsgateway.settings import files, rules
from wsgateway.settings.addresses import bind_address, websocket_url
from wsgateway.settings.complete import complete
from wsgateway.settings.document import Document
from wsgateway.settings.document import read as read_yaml
from wsgateway.settings.findings import Finding
from wsgateway.settings.reader import Reader
from wsgateway.settings.whole import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """Keep the text of a configuration that was read, so that all processes of a gateway see the same bytes."""

    file: str
    """its name, for messages, and for the names of files in it"""
    text: str
    directory: str | None = None
    """the absolute directory that names in the file are relative to; None: that of the file"""

    def settings(self, read_files: bool = False) -> Settings:
        """Return the settings, as `parse` does."""
        return parse(self.text, self.file, read_files, self.directory)

    def document(self) -> Document:
        """Return the data and their places. Raise SettingsError if the text is not YAML."""
        return read_yaml(self.text, self.file)


def load(path: str | pathlib.Path) -> Settings:
    """Read a file of UTF-8 text, and the files that it names. Raise SettingsError, also if there is no such file."""
    return read(path).settings(read_files=True)


def read(path: str | pathlib.Path) -> Source:
    """Read a file of UTF-8 text, whatever it contains. Raise SettingsError, also if there is no such file."""
    file = str(path)
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise SettingsError([Problem(file, 0, 0, f"cannot be read: {error.strerror}")]) from None
    return Source(file, decoded(data, file))


def decoded(data: bytes, file: str) -> str:
    """Return the text of a file; `file` is its name for messages. Raise SettingsError if it is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not UTF-8: the byte {data[error.start]:02X}"
        raise SettingsError([Problem(file, line, column, message)]) from None


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


@_no_collection()
def parse(text: str, file: str, read_files: bool = False, directory: str | None = None) -> Settings:
    """Return the settings of the text of a file; `file` is its name for messages. Raise SettingsError.

    With `read_files` the certificates and keys that the text names are read and checked, too. Their names are relative
    to the directory: by default, that of the file.
    """
    there = pathlib.Path(file).absolute().parent if directory is None else pathlib.Path(directory)
    document = read_yaml(text, file)
    if document.data is None:
        raise SettingsError([document.problem(Finding((), "the file is empty"))])
    reader = Reader(there)
    whole: Settings | None = reader.read(Settings, document.data)
    findings = [*rules.check(document.data), *reader.findings]
    if read_files and whole is not None and not findings:
        assert isinstance(document.data, dict), "it has been checked"
        findings += files.check(document.data, there)
    problems = document.repeated + [document.problem(finding) for finding in findings]
    if whole is None or problems:
        raise SettingsError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    told = tuple(document.problem(finding) for finding in rules.outdated(document.data))
    return replace(complete(whole, document.data), outdated=told)


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
    return Source("--listen", json.dumps(smallest(bind, upstream_url)), directory)  # JSON is YAML, too


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
