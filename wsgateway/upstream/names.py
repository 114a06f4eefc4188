"""Look-ups of host names by the system's resolver, which blocks, so each look-up has a thread of its own.

A thread that waits for a silent name server cannot be stopped. So there is one thread for a name at a time, however
many tasks need the name. Names whose last look-up hung share a few threads, and take none from the others.
"""

import socket
from collections.abc import Callable

import outcome
import trio

# The number of look-ups at the same time; others wait.
MOST_THREADS = 256
# The same for names whose last look-up hung.
HUNG_THREADS = 8
# The system's resolver tries the next name server after this time (resolv.conf(5)), so the first one was silent.
HUNG_LOOK_UP_SECONDS = 5.0
# How many hung names are remembered. One more makes the oldest forgotten.
MOST_HUNG = 4096

LookUpHost = Callable[[str], list[str]]
"""takes a name and returns its addresses, the best first; it blocks, and raises OSError"""


def resolve_by_system(host: str) -> list[str]:
    """Return all addresses of a host, in the order of RFC 6724. It blocks. Raise OSError if there are none."""
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a record may contain any name
        raise OSError(f"{host!r} is no name: {error}") from None
    return list(dict.fromkeys(name[0] for *_, name in answers if isinstance(name[0], str)))


class _LookUp:
    """A running look-up."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.found: outcome.Value[list[str]] | outcome.Error = outcome.Error(OSError("the look-up was cancelled"))


class Names:
    """The look-ups of all tasks of a process."""

    def __init__(self, resolve: LookUpHost = resolve_by_system) -> None:
        self._resolve = resolve
        self._under_way: dict[str, _LookUp] = {}
        self._hung: dict[str, None] = {}
        self._threads = trio.CapacityLimiter(MOST_THREADS)
        self._hung_threads = trio.CapacityLimiter(HUNG_THREADS)

    async def addresses(self, host: str) -> list[str]:
        """Return all addresses of a host, the best first. Raise OSError if there are none, or the resolver fails.

        A task that needs a name that is being looked up waits for that look-up. Cancelling the task does not end the
        look-up: its result is for other tasks that need the name while it runs.
        """
        look_up = self._under_way.get(host)
        if look_up is None:
            look_up = self._under_way[host] = _LookUp()
            trio.lowlevel.spawn_system_task(self._run, host, look_up)
        await look_up.done.wait()
        if isinstance(look_up.found, outcome.Error):
            raise look_up.found.error
        return look_up.found.value

    async def _run(self, host: str, look_up: _LookUp) -> None:
        try:
            async with self._hung_threads if host in self._hung else self._threads:
                begun = trio.current_time()
                # The limit is that of the block. A thread may outlive the loop, and would keep a limiter's token then.
                unbounded = trio.CapacityLimiter(1)
                look_up.found = await trio.to_thread.run_sync(
                    outcome.capture, self._resolve, host, abandon_on_cancel=True, limiter=unbounded
                )
                self._remember(host, trio.current_time() - begun >= HUNG_LOOK_UP_SECONDS)
        finally:
            del self._under_way[host]
            look_up.done.set()

    def _remember(self, host: str, hung: bool) -> None:
        self._hung.pop(host, None)
        if hung:
            self._hung[host] = None
        if len(self._hung) > MOST_HUNG:
            del self._hung[next(iter(self._hung))]
