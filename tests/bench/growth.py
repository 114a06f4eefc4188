"""How the cost of an echo and of a new session grows, with what there can be much of."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from .clients import Crowd, clients
from .measure import Place, Point, Table, measure
from .subjects import Subject, nginx, started, wsgateway

SESSIONS = (10, 100, 1000, 8000)
SIZES = (16, 125, 1024, 16 * 1024, 128 * 1024, 1024 * 1024)
FRAGMENTS = (1, 16, 256)
FRAGMENTED_BYTES = 4096
ROUTES = (0, 100, 1000, 5000)
WORKERS = (1, 2)
# In the storm: sessions that nothing happens to, each of which says something so often.
UNTOUCHED = Crowd(100, pause_ms=100)
# They are looked at so long at a time.
WINDOW_SECONDS = 0.5


def growth(place: Place) -> list[Table]:
    """Return all tables."""
    return [*_of_messages(place), _of_routes(place), _of_workers(place), storm(place)]


def _of_messages(place: Place) -> list[Table]:
    most = place.effort.most_sessions
    several = [
        ("sessions", {f"{count}": Crowd(count) for count in SESSIONS if count <= most}),
        ("bytes of a message", {f"{size}": Crowd(16, size=size) for size in SIZES}),
        (
            f"fragments of a message of {FRAGMENTED_BYTES} bytes",
            {f"{count}": Crowd(16, size=FRAGMENTED_BYTES, fragments=count) for count in FRAGMENTS},
        ),
    ]
    with started(["wsgateway", "nginx"], place.own(), place.upstream) as subjects:
        return [_echoes(place, subjects, what, crowds) for what, crowds in several]


def _echoes(place: Place, subjects: list[Subject], what: str, crowds: dict[str, Crowd]) -> Table:
    """Return the CPU of an echo for each crowd, and for hixie-76 where its frames can be that."""
    kinds = [(subject, dialect) for subject in subjects for dialect in subject.dialects]
    if any(crowd.fragments > 1 for crowd in crowds.values()):
        kinds = [kind for kind in kinds if kind[1] == "rfc6455"]
    points = [Point(subject, crowd, dialect) for crowd in crowds.values() for subject, dialect in kinds]
    found = iter(measure(place, points))
    table = Table(f"an echo, by {what}: CPU us", ("", *(f"{subject.name}, {dialect}" for subject, dialect in kinds)))
    for label in crowds:
        table.rows.append((label, *(f"{next(found).cpu_us:.2f}" for _ in kinds)))
    return table


def _of_routes(place: Place) -> Table:
    """Return the CPU of a new session behind so many routes that do not match."""
    counts = [count for count in ROUTES if count <= place.effort.most_routes]
    with ExitStack() as stack:
        crowd = Crowd(50, at_once=50)
        gateways = [stack.enter_context(wsgateway(place.own(), place.upstream, others=count)) for count in counts]
        found = measure(place, [Point(gateway, crowd, connects=True) for gateway in gateways])
    rows = [(str(count), f"{each.cpu_us:.0f}") for count, each in zip(counts, found, strict=True)]
    return Table("a session opened and closed, by routes that do not match: CPU us", ("", "wsgateway"), rows)


def _of_workers(place: Place) -> Table:
    cases = {"an echo, 100 sessions": Crowd(100), "a session opened and closed": Crowd(50, at_once=50)}
    with ExitStack() as stack:
        subjects = []
        with started(["nginx"], place.own(), place.upstream) as installed:
            starts = [wsgateway, nginx] if installed else [wsgateway]
        for start in starts:
            for count in WORKERS:
                subject = stack.enter_context(start(place.own(), place.upstream, count))
                subjects.append(replace(subject, name=f"{subject.name}, {count}"))
        points = [
            Point(subject, crowd, connects="opened" in case) for case, crowd in cases.items() for subject in subjects
        ]
        found = iter(measure(place, points))
    table = Table("by workers: CPU us", ("", *(subject.name for subject in subjects)))
    for case in cases:
        table.rows.append((case, *(f"{next(found).cpu_us:.2f}" for _ in subjects)))
    return table


def storm(place: Place) -> Table:
    """Cut all sessions at once, which all come back at once, and measure what that means for others."""
    count = place.effort.most_sessions
    table = Table(
        f"{count} sessions are cut at once and come back at once; {UNTOUCHED.sessions} others go on",
        ("", "all are back after s", "wrong", "p99 of the others ms", "p99 before ms", "longest ms"),
    )
    with started(["wsgateway", "nginx"], place.own(), place.upstream) as subjects:
        for subject in subjects:
            table.rows.append((subject.name, *_storm_over(place, subject, count)))
    return table


def _storm_over(place: Place, subject: Subject, count: int) -> tuple[str, ...]:
    with (
        clients(place.folder, subject, "rfc6455", UNTOUCHED) as others,
        clients(place.folder, subject, "rfc6455", Crowd(count)) as first,
        clients(place.folder, subject, "rfc6455", Crowd(count, at_once=count)) as again,
        ThreadPoolExecutor(1) as beside,
    ):
        others.open()
        first.open()
        before = others.echo(2 * WINDOW_SECONDS)
        begun = time.monotonic()
        first.cut()
        coming = beside.submit(lambda: (again.open(), time.monotonic() - begun))
        meanwhile = [others.echo(WINDOW_SECONDS)]
        while not coming.done():
            meanwhile.append(others.echo(WINDOW_SECONDS))
        opened, seconds = coming.result()
    wrong = opened.wrong + sum(each.wrong for each in meanwhile)
    slowest, longest = max(each.p99_us for each in meanwhile), max(each.most_us for each in meanwhile)
    return f"{seconds:.1f}", str(wrong), *(f"{us / 1000:.1f}" for us in (slowest, before.p99_us, longest))
