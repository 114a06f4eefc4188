"""What sessions notice of what happens to others: a storm of clients that come back, and streams of large messages."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

from tests.load.process import cpu_seconds

from .clients import Clients, Crowd, Figures, clients
from .measure import Place, Table
from .subjects import Subject, started

T = TypeVar("T")

# Those that are looked at: each says something so often.
CHATTY = Crowd(100, pause_ms=100)
# They are looked at so long at a time.
WINDOW_SECONDS = 0.5
# Those that send as much as they can.
STREAMS = Crowd(16, size=64 * 1024, ahead=4)


def beside(place: Place) -> list[Table]:
    """Return all tables."""
    with started(["wsgateway", "nginx"], place.own(), place.upstream) as subjects:
        return [_streams(place, subjects), _storms(place, subjects)]


def _streams(place: Place, subjects: list[Subject]) -> Table:
    """Measure sessions beside others that send large messages without a pause."""
    table = Table(
        f"{CHATTY.sessions} sessions say something every {CHATTY.pause_ms} ms; {STREAMS.sessions} others stream"
        f" messages of {STREAMS.size // 1024} KiB",
        ("", "messages of the others in 1 s", "wrong", "p99 ms", "p99 without the others ms", "longest ms"),
    )
    for subject in subjects:
        with (
            clients(place.folder, subject, "rfc6455", CHATTY) as chatty,
            clients(place.folder, subject, "rfc6455", STREAMS) as streams,
        ):
            chatty.open()
            streams.open()
            seconds = 4 * place.effort.seconds
            before = chatty.echo(seconds)
            streamed, meanwhile = _both(lambda: streams.echo(seconds), chatty)  # noqa: B023  called within the pass
            wrong = streamed.wrong + sum(each.wrong for each in meanwhile)
            table.rows.append(
                (subject.name, f"{streamed.count / seconds:.0f}", str(wrong), *_milliseconds(before, meanwhile))
            )
    return table


def _storms(place: Place, subjects: list[Subject]) -> Table:
    """Cut all sessions at once, which all come back at once; those of the gateway speak several dialects."""
    count = place.effort.most_sessions
    table = Table(
        f"{count} sessions are cut at once and come back at once; {CHATTY.sessions} others go on",
        ("", "all are back after s", "CPU s", "wrong", "p99 of the others ms", "p99 before ms", "longest ms"),
    )
    for subject in subjects:
        table.rows.append((subject.name, *_storm(place, subject, count)))
    return table


def _storm(place: Place, subject: Subject, count: int) -> tuple[str, ...]:
    part = count // len(subject.dialects)

    def crowds(at_once: int) -> list[Clients]:
        crowd = Crowd(part, at_once=at_once)
        return [stack.enter_context(clients(place.folder, subject, each, crowd)) for each in subject.dialects]

    with ExitStack() as stack:
        chatty = stack.enter_context(clients(place.folder, subject, "rfc6455", CHATTY))
        first, again = crowds(100), crowds(part)
        chatty.open()
        for each in first:
            each.open()
        before = chatty.echo(2 * WINDOW_SECONDS)
        begun, used = time.monotonic(), cpu_seconds(*subject.pids)
        for each in first:
            each.cut()

        def come_back() -> tuple[int, float]:
            with ThreadPoolExecutor(len(again)) as openers:
                wrong = sum(opened.wrong for opened in openers.map(Clients.open, again))
            return wrong, time.monotonic() - begun

        (wrong, seconds), meanwhile = _both(come_back, chatty)
        used = cpu_seconds(*subject.pids) - used
    wrong += sum(each.wrong for each in meanwhile)
    return f"{seconds:.1f}", f"{used:.1f}", str(wrong), *_milliseconds(before, meanwhile)


def _both(work: Callable[[], T], chatty: Clients) -> tuple[T, list[Figures]]:
    """Do something while clients go on. Return its result, and their figures in each window of that time."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(work)
        meanwhile = [chatty.echo(WINDOW_SECONDS)]
        while not coming.done():
            meanwhile.append(chatty.echo(WINDOW_SECONDS))
    return coming.result(), meanwhile


def _milliseconds(before: Figures, meanwhile: list[Figures]) -> tuple[str, str, str]:
    """Return the p99 in the worst window, that before, and the longest time of all."""
    slowest, longest = max(each.p99_us for each in meanwhile), max(each.most_us for each in meanwhile)
    return f"{slowest / 1000:.1f}", f"{before.p99_us / 1000:.1f}", f"{longest / 1000:.1f}"
