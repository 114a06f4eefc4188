"""The command `census`."""

import argparse
import json
import os
import time
from collections.abc import Iterator

from wsgateway.census.coverage import MONTH_DAYS, as_of, together
from wsgateway.census.place import place_of_another
from wsgateway.census.report import as_csv, as_data, report
from wsgateway.census.state import State
from wsgateway.census.store import is_census, read
from wsgateway.census.unused import faults
from wsgateway.commands import GOOD
from wsgateway.commands.options import named
from wsgateway.commands.remote import failed
from wsgateway.errors import CensusError
from wsgateway.settings.dialects import dialects
from wsgateway.settings.load import read as read_configuration

_IN_MEMORY = "this gateway keeps its census in memory (census.file); `wsgateway status --json` has its sums by dialect"


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print who speaks which dialect, how much, and when last. FILE is the census of a gateway, or the configuration"
        " file that names it (census.file). It is only read, also while the gateway runs. A month has 30 days here, and"
        " all dates are UTC."
    )
    parser.add_argument(
        "files", nargs="+", type=named, metavar="FILE", help="the census, or the configuration file, of a gateway"
    )
    parser.add_argument("--merge", action="store_true", help="take several FILEs: of gateways that do the same job")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all of it as JSON")
    form.add_argument("--csv", action="store_true", help="print all rows as CSV")
    form.add_argument(
        "--require-unused",
        action="append",
        metavar="DIALECT",
        type=_dialects,
        help="print nothing else than who would be cut without this dialect, or range of dialects, and exit with status"
        " 1 if there is anybody, or if the census does not cover all of --days; may be given several times",
    )
    parser.add_argument(
        "--days", type=_days, metavar="N", help=f"with --require-unused: how many days back; default: {MONTH_DAYS}"
    )
    parser.set_defaults(command=_census)


def _census(options: argparse.Namespace) -> int:
    if len(options.files) > 1 and not options.merge:
        options.usage.error("several FILEs need --merge")
    if options.days is not None and options.require_unused is None:
        options.usage.error("--days needs --require-unused")
    now = time.time()
    try:
        states = {file: as_of(state, now) for file, state in _states(options.files)}
    except CensusError as error:
        return failed(str(error))
    if options.require_unused is not None:
        names = [name for several in options.require_unused for name in several]
        return _require_unused(states, names, options.days or MONTH_DAYS, now)
    state = together(list(states.values()))
    if options.json:
        print(json.dumps(as_data(state, now), indent=2))
    else:
        print(as_csv(state).removesuffix("\n") if options.csv else report(state, now))
    return GOOD


def _states(files: list[str]) -> Iterator[tuple[str, State]]:
    """Yield the names of files with the census that each means. Raise CensusError or SettingsError."""
    paths: list[str] = []
    for file in files:
        path = _path(file)
        try:
            yield file, read(path)
        except CensusError as error:
            raise CensusError(str(error) if path == file else f"{error} (census.file of {file})") from None
        for other in paths:
            if os.path.samefile(path, other):
                raise CensusError(f"{file}: this census is given twice, and would count twice")
        paths.append(path)


def _require_unused(states: dict[str, State], names: list[str], days: int, now: float) -> int:
    found = list(faults(states, names, days, now))
    if found:
        return failed(*found)
    print(f"{', '.join(names)}: unused for {days} days")
    return GOOD


def _path(file: str) -> str:
    """Return the name of the census that an argument means. Raise CensusError or SettingsError."""
    try:
        if is_census(file):
            return file
    except OSError as error:
        raise CensusError(f"{file}: cannot be read: {error.strerror}") from None
    path = place_of_another(read_configuration(file).settings().census.file)
    if path is None:
        raise CensusError(f"{file}: {_IN_MEMORY}")
    return path


def _dialects(text: str) -> tuple[str, ...]:
    try:
        return tuple(each.name for each in dialects(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _days(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of days; write one from 1 to 100000")
