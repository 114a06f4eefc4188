"""`python -m tests.bench`: what the gateway costs, beside what else can stand in its place. See --help."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.load.process import many_descriptors

from .beside import beside
from .chart import chart
from .clients import compiled, upstream
from .comparison import compare, memory, tables
from .growth import growth
from .measure import QUICK, Effort, Place, Table
from .subjects import SUBJECTS

PARTS = ("compare", "memory", "growth", "beside")
MEMORY_SESSIONS = (3000, 8000)


def bench(place: Place, parts: list[str], names: list[str], svg: Path | None = None) -> Iterator[Table]:
    """Yield the tables of some parts, and write the chart of the comparison if there is a file for it."""
    if "compare" in parts:
        found = compare(place, names)
        if svg is not None:
            svg.write_text(chart(found))
        yield from tables(found)
    if "memory" in parts:
        yield memory(place, names, MEMORY_SESSIONS)
    if "growth" in parts:
        yield from growth(place)
    if "beside" in parts:
        yield from beside(place)


def main() -> None:
    """Run a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure the gateway, and nginx, HAProxy, faye and em-websocket where they are installed. It needs"
        " gcc, 20000 descriptors (ulimit -Hn) and, for all of it, an hour of a machine that does nothing else.",
        epilog="compare: CPU of an echo and of a new session; memory: of an idle session; growth: with sessions, sizes,"
        " fragments, routes and workers; beside: what sessions notice when others stream, and when thousands of others"
        " are cut and come back at once",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if none is given")
    parser.add_argument("--subjects", default=",".join(SUBJECTS), metavar="NAME,...", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one short round, to see whether it works")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the comparison")
    options = parser.parse_args()
    names = options.subjects.split(",")
    for what, given, known in (("part", options.parts, PARTS), ("subject", names, tuple(SUBJECTS))):
        if unknown := [each for each in given if each not in known]:
            parser.error(f"{unknown[0]!r} is no {what}; there are {', '.join(known)}")
    many_descriptors()
    with tempfile.TemporaryDirectory() as folder:
        compiled(Path(folder))
        with upstream(Path(folder)) as port:
            place = Place(Path(folder), port, QUICK if options.quick else Effort(rounds=options.rounds))
            for table in bench(place, options.parts or list(PARTS), names, options.svg):
                print(table, end="\n\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
