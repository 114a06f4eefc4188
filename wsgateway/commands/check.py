"""The command `check`."""

import argparse
import json
import sys
import time
from collections.abc import Iterator

from wsgateway.census.place import doubt
from wsgateway.commands import FAULT, GOOD, painted, print_errors, print_warning
from wsgateway.commands.options import named
from wsgateway.errors import Problem, SettingsError
from wsgateway.run.command import here
from wsgateway.settings.advice import advice, every_advice
from wsgateway.settings.certificates import Known, every_warning, known, warnings
from wsgateway.settings.document import decoded
from wsgateway.settings.findings import Finding, Path, shown, spell
from wsgateway.settings.load import Source, read, with_included
from wsgateway.settings.values import MOST_BYTES
from wsgateway.settings.whole import Settings

_STANDARD_INPUT = "-"
_CENSUS_FILE: Path = ("census", "file")


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Check a configuration file, and the certificates that it names. Print all problems, each with its line, or the"
        " warnings. Exit status 0: the gateway would take the file."
    )
    parser.add_argument("file", type=named, metavar="FILE", help="the configuration file, YAML; -: standard input")
    parser.add_argument("--strict", action="store_true", help="take warnings for errors: exit status 1")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print problems and warnings as JSON: file, line, column, key, severity (error or warning) and message of"
        " each",
    )
    parser.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    return _machine(options) if options.json else _people(options)


def _source(file: str) -> Source:
    """Read a file, or standard input, in which names of files are relative to the working directory."""
    if file != _STANDARD_INPUT:
        return read(file)
    return with_included(Source(file, decoded(sys.stdin.buffer.read(MOST_BYTES + 1), file), here() or "/"))


def _people(options: argparse.Namespace) -> int:
    settings = _source(options.file).settings(read_files=True)
    doubtful = doubt(settings.census.file)
    of_census = [] if doubtful is None else [f"{spell(_CENSUS_FILE)} {doubtful}"]
    said = [*advice(settings), *warnings(known(settings), time.time()), *of_census]
    for sentence in said:
        print_warning(sentence)
    if said and options.strict:
        print_errors(f"{options.file}: valid, but --strict allows no warnings")
        return FAULT
    print(f"{options.file}: {painted('valid', 'green', sys.stdout)}")
    return GOOD


def _machine(options: argparse.Namespace) -> int:
    errors: list[Problem] = []
    told: list[Problem] = []
    try:
        source = _source(options.file)
        settings = source.settings(read_files=True)
        told = list(_warnings(source, settings, known(settings)))
    except SettingsError as error:
        errors = error.problems
    findings = [_plain(each, "error") for each in errors] + [_plain(each, "warning") for each in told]
    print(json.dumps({"file": options.file, "valid": not errors, "findings": findings}, indent=2))
    return FAULT if errors or (told and options.strict) else GOOD


def _warnings(source: Source, settings: Settings, certificates: tuple[Known, ...]) -> Iterator[Problem]:
    """Yield each warning with its place in the file."""
    yield from settings.outdated
    document = source.document()
    for each in every_advice(settings):
        yield document.problem(Finding(each.path, each.sentence))
    for use, sentence in every_warning(certificates, time.time()):
        yield document.problem(Finding(use.path, f"{shown(use.file)}: {sentence}"))
    if (doubtful := doubt(settings.census.file)) is not None:
        yield document.problem(Finding(_CENSUS_FILE, doubtful))


def _plain(problem: Problem, severity: str) -> dict[str, object]:
    """Return a problem for JSON. Line and column count from 1; 0 is unknown."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "severity": severity,
        "message": problem.message.removeprefix(f"{problem.key}: "),
    }
