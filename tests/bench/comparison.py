"""The gateway beside what else can stand in its place: CPU of an echo and of a new session, and memory of a session."""

import time
from dataclasses import replace

from tests.load.process import resident_bytes

from .clients import Crowd, Figures, clients
from .measure import Place, Point, Table, measure
from .subjects import ANY_DIALECT, started

CASES: dict[str, Crowd] = {
    "100 sessions": Crowd(100),
    "1000 sessions": Crowd(1000),
    "100 sessions, 16 messages ahead": Crowd(100, ahead=16),
    "16 sessions, messages of 64 KiB": Crowd(16, size=65536),
    "a session opened and closed": Crowd(50, at_once=50),
}
CONNECT = "a session opened and closed"
# What the others are compared with, in each dialect the first that is there.
BASES = ("nginx", "faye", "wsgateway")
# Sessions before the memory of others is measured: what every process needs once.
WARM_SESSIONS = 20

Comparison = dict[tuple[str, str], dict[str, Figures]]
"""by dialect and case, the figures of each subject by its name"""


def compare(place: Place, names: list[str]) -> Comparison:
    """Measure all cases with all subjects that are installed."""
    found: Comparison = {}
    with started(names, place.own(), place.upstream) as subjects:
        for case, crowd in CASES.items():
            crowd = replace(crowd, sessions=min(crowd.sessions, place.effort.most_sessions))
            points = [
                Point(subject, crowd, dialect, connects=case == CONNECT)
                for subject in subjects
                for dialect in subject.dialects
            ]
            for point, figures in zip(points, measure(place, points), strict=True):
                found.setdefault((point.dialect, case), {})[point.subject.name] = figures
    return found


def base_of(by_name: dict[str, Figures]) -> str:
    """Return the name of what the others are compared with."""
    return next(name for name in BASES if name in by_name)


def tables(found: Comparison) -> list[Table]:
    """Return a comparison as tables, the best first in each."""
    made = []
    for (dialect, case), by_name in sorted(found.items(), key=lambda each: ANY_DIALECT.index(each[0][0])):
        base = base_of(by_name)
        table = Table(f"{dialect}: {case}", ("", "CPU us", f"/ {base}", "p50 us", "p99 us", "wrong"))
        for name, each in sorted(by_name.items(), key=lambda each: each[1].cpu_us):
            ratio = each.cpu_us / by_name[base].cpu_us
            numbers = (f"{each.cpu_us:.2f}", f"{ratio:.3g}", str(each.p50_us), str(each.p99_us), str(each.wrong))
            table.rows.append((name, *numbers))
        made.append(table)
    return made


def memory(place: Place, names: list[str], counts: tuple[int, ...]) -> Table:
    """Measure how much larger the processes of each subject are for each idle session."""
    counts = tuple(dict.fromkeys(min(count, place.effort.most_sessions) for count in counts))
    table = Table(
        "memory of an idle session, KiB", ("", "dialect", *(f"{count} sessions" for count in counts), "wrong")
    )
    for name in names:
        for dialect in ANY_DIALECT:
            grown = [_grown(place, name, dialect, count) for count in counts]
            told = [each for each in grown if each is not None]
            if told:
                kib = (f"{each[0]:.1f}" for each in told)
                table.rows.append((name, dialect, *kib, str(sum(wrong for _, wrong in told))))
    return table


def _grown(place: Place, name: str, dialect: str, count: int) -> tuple[float, int] | None:
    """Return the KiB for each of so many sessions of a new process, and how many of them failed."""
    with started([name], place.own(), place.upstream) as subjects:
        for subject in subjects:
            if dialect in subject.dialects:
                with clients(place.folder, subject, dialect, Crowd(WARM_SESSIONS)) as few:
                    few.open()
                    few.echo(place.effort.seconds)
                time.sleep(place.effort.settle_seconds)
                before = resident_bytes(*subject.pids)
                with clients(place.folder, subject, dialect, Crowd(count)) as many:
                    opened = many.open()
                    time.sleep(place.effort.settle_seconds)
                    return (resident_bytes(*subject.pids) - before) / 1024 / max(1, opened.count), opened.wrong
    return None
