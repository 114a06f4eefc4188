"""A resolver that blocks, as the system's does, and a clock that stands still."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.support import PATIENCE_SECONDS


class Blocking:
    """A resolver whose answers the test holds back for names that begin with `slow`, until it releases them."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.news = threading.Condition()
        self._let_go: set[str] = set()
        self._all = False

    def __call__(self, host: str) -> list[str]:
        with self.news:
            self.asked[host] += 1
            self.news.notify_all()
            self.news.wait_for(lambda: self._all or host in self._let_go or not host.startswith("slow"))
            if host.endswith("-bad"):
                raise OSError(-2, "Name or service not known")
            if host.endswith("-bug"):
                raise ZeroDivisionError
            return [f"192.0.2.{self.asked[host]}"]

    def let_go(self, *hosts: str) -> None:
        with self.news:
            self._let_go |= set(hosts)
            self._all = self._all or not hosts
            self.news.notify_all()

    def hold_back(self) -> None:
        """Hold all answers back again, and forget the recorded look-ups."""
        with self.news:
            self._let_go.clear()
            self._all = False
            self.asked.clear()

    async def enough(self, count: int) -> None:
        """Wait until so many names have been looked up."""

        def wait() -> bool:
            with self.news:
                return self.news.wait_for(lambda: len(self.asked) >= count, PATIENCE_SECONDS)

        assert await trio.to_thread.run_sync(wait), f"{len(self.asked)} names were asked for"


@contextmanager
def blocking() -> Iterator[Blocking]:
    resolver = Blocking()
    try:
        yield resolver
    finally:
        resolver.let_go()


@pytest.fixture
def clock() -> MockClock:
    return MockClock()
