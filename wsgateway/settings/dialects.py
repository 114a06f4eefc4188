"""Read dialects of the configuration and the command line: `hixie-76`, or a range, `hybi-01..08`."""

from collections.abc import Iterable
from itertools import groupby

from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.settings.findings import guess, seen


def dialect(value: object) -> Dialect:
    """Read a name. Raise ValueError with a message for its author."""
    if not isinstance(value, str):
        raise ValueError(f"{seen(value)} is not a dialect; {guess(str(value), DIALECTS)}")
    if value not in DIALECTS:
        raise ValueError(f"{seen(value)} is not a dialect; {guess(value, DIALECTS)}")
    return DIALECTS[value]


def dialects(value: object) -> tuple[Dialect, ...]:
    """Read a name, or a range of one family: both ends belong to it, and for the last its number is enough."""
    first, dots, last = value.partition("..") if isinstance(value, str) else ("", "", "")
    if not dots:
        return (dialect(value),)
    family = first.rpartition("-")[0]
    begin = dialect(first)
    end = dialect(last if last in DIALECTS or "-" in last else f"{family}-{last}")
    if not family or not end.name.startswith(f"{family}-"):
        raise ValueError(f"{seen(value)} is not a range of one family, as hybi-01..08 or hixie-75..76 are")
    if begin.name > end.name:
        raise ValueError(f"{seen(value)} goes backwards; write {end.name}..{begin.name.removeprefix(family + '-')}")
    return tuple(each for name, each in DIALECTS.items() if begin.name <= name <= end.name)


def ranges(names: Iterable[str]) -> list[str]:
    """Return the names as a file lists them: three or more of one family, one behind the other, as a range."""
    listed: list[str] = []
    for family, group in groupby(names, lambda name: name.rpartition("-")[0]):
        members = list(group)
        if family and len(members) > 2:
            members = [f"{members[0]}..{members[-1].removeprefix(f'{family}-')}"]
        listed += members
    return listed
