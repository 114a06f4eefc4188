"""How the cost of an echo and of a new session grows, with what there can be much of."""

from contextlib import ExitStack
from dataclasses import replace

from .clients import Crowd
from .measure import Place, Point, Table, measure
from .subjects import Subject, nginx, started, wsgateway

SESSIONS = (10, 100, 1000, 8000)
SIZES = (16, 125, 1024, 16 * 1024, 128 * 1024, 1024 * 1024)
FRAGMENTS = (1, 16, 256)
FRAGMENTED_BYTES = 4096
ROUTES = (0, 100, 1000, 5000)
WORKERS = (1, 2)


def growth(place: Place) -> list[Table]:
    """Return all tables."""
    return [*_of_messages(place), _of_routes(place), _of_workers(place)]


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
