"""Names and their addresses, as the system's resolver says. It blocks, so each look-up has a thread of its own.

A thread that waits for a name server that is silent cannot be stopped. So there is one for a name at a time, whoever
asks for it and however often; and names whose last look-up hung share a few threads, and take none from the others.
"""

import socket
from collections.abc import Callable

import outcome
import trio

# More names than these are looked up in turns.
MOST_THREADS = 256
# As many of those that hung last time.
HUNG_THREADS = 8
# The system's resolver asks the next name server after this long (resolv.conf(5)): the first one was silent.
HUNG_SECONDS = 5.0
# So many names are known to have hung. The one that did so first is forgotten for one more.
MOST_HUNG = 4096

Ask = Callable[[str], list[str]]
"""Takes a name and returns its addresses, the best first. It blocks, and raises OSError."""


def ask_system(host: str) -> list[str]:
    """Return all addresses of a host, in the order of RFC 6724. Block meanwhile. Raise OSError if there are none."""
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a record may name anything
        raise OSError(f"{host!r} is no name: {error}") from None
    return list(dict.fromkeys(name[0] for *_, name in answers if isinstance(name[0], str)))


class _LookUp:
    """A look-up that is under way."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.found: outcome.Value[list[str]] | outcome.Error = outcome.Error(OSError("the look-up was given up"))


class Names:
    """Looks up names for all who need them in a process."""

    def __init__(self, ask: Ask = ask_system) -> None:
        self._ask = ask
        self._under_way: dict[str, _LookUp] = {}
        self._hung: dict[str, None] = {}
        self._threads = trio.CapacityLimiter(MOST_THREADS)
        self._hung_threads = trio.CapacityLimiter(HUNG_THREADS)

    async def addresses(self, host: str) -> list[str]:
        """Return all addresses of a host, the best first. Raise OSError if there are none, or the resolver fails.

        Who asks for a name that is being looked up gets that answer. To give up does not end a look-up: its answer is
        for whoever asks while it goes on.
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
                # Whose bound is that of the block: it would be kept by a thread that outlives the loop.
                unbounded = trio.CapacityLimiter(1)
                look_up.found = await trio.to_thread.run_sync(
                    outcome.capture, self._ask, host, abandon_on_cancel=True, limiter=unbounded
                )
                self._remember(host, trio.current_time() - begun >= HUNG_SECONDS)
        finally:
            del self._under_way[host]
            look_up.done.set()

    def _remember(self, host: str, hung: bool) -> None:
        self._hung.pop(host, None)
        if hung:
            self._hung[host] = None
        if len(self._hung) > MOST_HUNG:
            del self._hung[next(iter(self._hung))]
