"""A turn of the engine: the bytes of sessions first, then a few beginnings and a few ends, however many there are."""

import os
import resource
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import outcome
import pytest
import trio
import trio.testing

from tests.dialects.feeding import frame
from wsgateway.native import MOST_READY
from wsgateway.relay import engine as relay_engine
from wsgateway.relay.engine import Ended, Engine
from wsgateway.relay.watches import SocketWatches
from wsgateway.trace.tap import tap

from .sessions import PATIENCE_SECONDS, Session, session
from .stage import MASKED_HELLO, say_at_once

# Of a turn of the loop.
MOST_ENDS, MOST_WATCHED, MOST_CLOSINGS = 32, 16, 128


class Crowd:
    """Sessions of an engine that does not run yet, and what happens to them when it does."""

    def __init__(self, resources: ExitStack) -> None:
        self.engine = Engine()
        self.resources = resources
        self.sessions: list[Session] = []
        self.told: list[int] = []
        """whose ends have been told"""
        self.everything = trio.CancelScope()

    def add(self, count: int) -> list[Session]:
        """Begin so many sessions."""
        made = [self.resources.enter_context(session()) for _ in range(count)]
        for each in made:
            number = len(self.sessions)
            self.sessions.append(each)
            self.engine.start(each.client, each.upstream, lambda ended, number=number: self._end(number, ended))
        return made

    def _end(self, number: int, ended: outcome.Outcome[Ended]) -> None:
        assert ended.unwrap().source is self.sessions[number].client
        self.happened()
        self.told.append(number)

    def happened(self) -> None:
        """Take note of an end that is being told; a test may do more."""

    def beginnings(self, count: int, watches: SocketWatches | None = None) -> list[int]:
        """Have so many sockets ready that no relay uses. Return a list that gets their numbers as they are served."""
        watches = self.engine.watches if watches is None else watches
        served: list[int] = []
        for number in range(count):
            near, far = socket.socketpair()
            self.resources.callback(near.close)
            self.resources.callback(far.close)

            def serve(events: int, number: int = number) -> None:
                self.happened()
                served.append(number)

            watches.watch(near, serve)
        return served

    async def run(self) -> None:
        """Run the engine until `everything` is cancelled."""
        with trio.fail_after(PATIENCE_SECONDS), self.everything:
            await self.engine.run()


@contextmanager
def gathered() -> Iterator[Crowd]:
    """Yield a crowd; its sockets are closed at the end."""
    with ExitStack() as resources:
        yield Crowd(resources)


def has_come(session: Session) -> bool:
    """Return whether the upstream of a session has got a message, which is read here."""
    try:
        return session.at_upstream.stream.socket._sock.recv(100) != b""
    except BlockingIOError:
        return False


def hang_up(sessions: list[Session]) -> None:
    for each in sessions:
        each.at_client.stream.socket.close()


async def test_bytes_of_a_session_pass_before_any_of_the_openings_that_were_ready_first() -> None:
    with gathered() as crowd:
        served = crowd.beginnings(3 * MOST_WATCHED)
        [talker] = crowd.add(1)
        found: list[bool] = []

        def look() -> None:
            found.append(has_come(talker))
            crowd.everything.cancel()

        crowd.happened = look
        say_at_once(talker.at_client, MASKED_HELLO)
        await crowd.run()
        assert (found[0], served[:2]) == (True, [0, 1])


async def test_bytes_that_come_while_openings_are_served_wait_for_no_more_than_a_few() -> None:
    with gathered() as crowd:
        served = crowd.beginnings(4 * MOST_WATCHED)
        [talker] = crowd.add(1)
        waited: list[int] = []

        def say_and_look() -> None:
            if not served:
                say_at_once(talker.at_client, MASKED_HELLO)
            elif has_come(talker):
                waited.append(len(served))
            if len(served) == 4 * MOST_WATCHED - 1:
                crowd.everything.cancel()

        crowd.happened = say_and_look
        await crowd.run()
        assert waited == [MOST_WATCHED]
        assert served == list(range(4 * MOST_WATCHED))


async def test_bytes_that_come_while_ends_are_told_wait_for_no_more_than_a_few() -> None:
    with gathered() as crowd:
        [talker] = crowd.add(1)
        hang_up(crowd.add(4 * MOST_ENDS))
        waited: list[int] = []

        def say_and_look() -> None:
            if not crowd.told:
                assert len(crowd.engine) == 1, "the engine uses none of the others any more"
                say_at_once(talker.at_client, MASKED_HELLO)
            elif has_come(talker):
                waited.append(len(crowd.told))
            if len(crowd.told) == 4 * MOST_ENDS - 1:
                crowd.everything.cancel()

        crowd.happened = say_and_look
        await crowd.run()
        assert waited == [MOST_ENDS]
        assert crowd.told == list(range(1, 4 * MOST_ENDS + 1))


async def test_openings_and_ends_take_turns() -> None:
    with gathered() as crowd:
        served = crowd.beginnings(2 * MOST_WATCHED)
        hang_up(crowd.add(2 * MOST_ENDS))
        order: list[str] = []

        def note() -> None:
            order.append(f"{len(served)} {len(crowd.told)}")
            if len(order) == 2 * MOST_WATCHED + 2 * MOST_ENDS:
                crowd.everything.cancel()

        crowd.happened = note
        await crowd.run()
        assert order == [
            *(f"{number} 0" for number in range(MOST_WATCHED)),
            *(f"{MOST_WATCHED} {number}" for number in range(MOST_ENDS)),
            *(f"{number} {MOST_ENDS}" for number in range(MOST_WATCHED, 2 * MOST_WATCHED)),
            *(f"{2 * MOST_WATCHED} {number}" for number in range(MOST_ENDS, 2 * MOST_ENDS)),
        ]


async def test_many_closings_are_served_before_a_few_openings() -> None:
    with gathered() as crowd:
        opening = crowd.beginnings(2 * MOST_WATCHED)
        closing = crowd.beginnings(MOST_CLOSINGS + 1, crowd.engine.closings)
        order: list[tuple[int, int]] = []

        def note() -> None:
            order.append((len(opening), len(closing)))
            if len(order) == MOST_CLOSINGS + 1 + 2 * MOST_WATCHED:
                crowd.everything.cancel()

        crowd.happened = note
        await crowd.run()
        assert order == [
            *((0, number) for number in range(MOST_CLOSINGS)),
            *((number, MOST_CLOSINGS) for number in range(MOST_WATCHED)),
            (MOST_WATCHED, MOST_CLOSINGS),
            *((number, MOST_CLOSINGS + 1) for number in range(MOST_WATCHED, 2 * MOST_WATCHED)),
        ]


@pytest.mark.parametrize("takes", [1, 2])
async def test_openings_wait_until_no_session_is_ready_but_not_for_ever(
    takes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_engine, "MOST_TAKES", takes)
    with gathered() as crowd:
        crowd.beginnings(1)
        talkers = crowd.add(MOST_READY + 10)
        found: list[int] = []

        def count() -> None:
            found.append(sum(map(has_come, talkers)))
            crowd.everything.cancel()

        crowd.happened = count
        for each in talkers:
            say_at_once(each.at_client, MASKED_HELLO)
        await crowd.run()
        # The first list of ready sockets is full: it has the opening, which was ready first, and 63 sessions.
        assert found == [MOST_READY - 1 if takes == 1 else MOST_READY + 10]


async def test_large_data_is_sent_at_once_and_small_data_together_at_the_end_of_the_turn() -> None:
    with gathered() as crowd:
        sent: list[tuple[int, int]] = []
        for number, size in enumerate([4092, 4093, 0, 60000]):  # without heads
            each = crowd.resources.enter_context(session())
            tap(each.client.sock, lambda data: None, lambda data, number=number: sent.append((number, len(data))))
            crowd.engine.start(each.client, each.upstream, lambda ended: None)
            say_at_once(each.at_upstream, frame(0x82, bytes(size)))
        crowd.beginnings(1)  # which is served after the bytes of the turn
        crowd.happened = crowd.everything.cancel
        await crowd.run()
        assert sent == [(1, 4097), (3, 60004), (0, 4096), (2, 2)]


async def test_an_end_that_comes_outside_of_a_turn_wakes_the_loop() -> None:
    with gathered() as crowd:
        [one] = crowd.add(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.run)
            await trio.testing.wait_all_tasks_blocked()
            crowd._end = lambda number, ended: crowd.everything.cancel()
            crowd.engine._leave(one.client, outcome.Value(Ended(one.client, OSError())))
            assert not crowd.everything.cancel_called


async def test_an_end_that_is_forgotten_is_not_told() -> None:
    with gathered() as crowd:
        hang_up(crowd.add(MOST_ENDS + 4))

        def forget() -> None:
            if not crowd.told:
                crowd.engine.forget(crowd.sessions[1].upstream)
                crowd.engine.forget(crowd.sessions[MOST_ENDS + 2].client)
            if len(crowd.told) == MOST_ENDS + 1:
                crowd.everything.cancel()

        crowd.happened = forget
        await crowd.run()
        assert crowd.told == [0, *range(2, MOST_ENDS + 2), MOST_ENDS + 3]


def test_a_new_socket_does_not_get_the_events_of_a_closed_one_with_its_number() -> None:
    with ExitStack() as resources:
        watches = SocketWatches()
        pairs = [socket.socketpair() for _ in range(3)]
        for sock in (sock for pair in pairs for sock in pair):
            resources.callback(sock.close)
        first, second = pairs[0][0], pairs[1][0]
        events: list[tuple[str, int]] = []

        def serve_first(ready: int) -> None:
            events.append(("first", ready))
            fd = second.fileno()
            watches.unwatch(fd)
            second.close()
            os.dup2(pairs[2][0].fileno(), fd)
            new = resources.enter_context(socket.socket(fileno=fd))
            watches.watch(new, lambda ready: events.append(("new", ready)))

        watches.watch(first, serve_first)
        watches.watch(second, lambda ready: events.append(("second", ready)))
        pairs[0][1].send(b"x")
        pairs[1][1].send(b"x")
        watches.serve()
        assert events == [("first", select.EPOLLIN | select.EPOLLOUT)]
        watches.serve()
        assert events[1:] == [("new", select.EPOLLOUT)]


def test_a_socket_that_is_watched_no_longer_makes_nothing_ready() -> None:
    with ExitStack() as resources:
        watches = SocketWatches()
        near, far = (resources.enter_context(sock) for sock in socket.socketpair())
        for _ in range(2):  # it may be watched again
            watches.watch(near, lambda ready: None)
            watches.serve()
            watches.unwatch(near.fileno())
            far.send(b"x")
            assert select.select([watches.fileno()], [], [], 0)[0] == []


def test_nothing_is_waited_for_if_no_socket_is_ready_any_more() -> None:
    watches = SocketWatches()
    # Whoever waits gives the processor up of his own accord (getrusage(2)); a lock of Python may cause that, too.
    waited = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        watches.serve()
        waited.append(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before)
    assert 0 in waited
