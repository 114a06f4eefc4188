"""One client's way to a server: it takes a place, and another one if that fails, until one serves it.

A server that has accepted the connection is waited for as long as the client has time. Only what shares that time is
the way to it: an address that does not accept leaves some for another.
"""

import math
import socket

import trio

from wsgateway.errors import ExhaustedError, HttpRefusal, Reason, UpstreamError
from wsgateway.upstream.connect import connect_to, introduce
from wsgateway.upstream.pool import Lease, Pool, Waiter
from wsgateway.upstream.target import TargetAddress

_FULL = "too many connections"


class Search:
    """The places that were tried for one client, and what became of each."""

    __slots__ = ("_begun", "_client", "_key", "_pool", "_tried", "failures", "until")

    def __init__(self, pool: Pool, key: str | None, until: float = math.inf, client: str = "") -> None:
        """Takes what the pool's balance hashes, if it does, until when the client is to be served, by Trio's clock, and
        what stands for the client where clients are counted."""
        self._pool = pool
        self._client = client
        self._key = key
        self.until = until
        self._tried: list[TargetAddress] = []
        self._begun = 0
        self.failures: list[str] = []
        """what failed so far, for the log"""

    @property
    def left(self) -> int:
        """How many more may be tried."""
        begun = self._pool.upstream.retry.attempts - self._begun
        return min(begun, self._pool.untried(self._tried)) if begun > 0 else 0

    @property
    def remaining(self) -> float:
        """How many seconds the client still has."""
        return max(0.0, self.until - trio.current_time())

    def take(self) -> Lease | None:
        """The next place. None: `wait` for it."""
        return self._taken(self._pool.take(self._key, self._tried))

    async def wait(self) -> Lease:
        """The next place, as soon as there is room in one. Who is cancelled while it waits loses its turn.

        Raises HttpRefusal (503) if there are too many that wait already, or no room in time, and UpstreamError if
        there is no place.
        """
        pool, queue = self._pool, self._pool.upstream.queue
        await pool.settled(self.remaining)
        lease = self.take()
        if lease is not None:
            return lease
        if len(pool.waiting) >= queue.size:
            raise HttpRefusal(Reason.UPSTREAM_FULL, _FULL)
        waiter = Waiter(self._key, self._tried)
        pool.waiting.append(waiter)
        relay_timeouts = min(self.remaining, queue.timeout_seconds)
        try:
            with trio.move_on_after(relay_timeouts):
                await waiter.served.wait()
        except BaseException:
            if waiter.lease is not None:
                waiter.lease.release()
            raise
        finally:
            if waiter in pool.waiting:
                pool.waiting.remove(waiter)
        if waiter.lease is None:
            raise HttpRefusal(Reason.UPSTREAM_FULL, f"{_FULL}, and no end of one within {relay_timeouts:.3g} s")
        taken = self._taken(waiter.lease)
        assert taken is not None, "it was one"
        return taken

    def _taken(self, lease: Lease | None) -> Lease | None:
        if lease is not None:
            self._begun += 1
            self._tried.append(lease.target_address)
        return lease

    async def reach(self, lease: Lease, seconds: float, preface: bytes) -> socket.socket:
        """A connection to the place of the lease, which is the caller's to close: with TLS, if the target wants that,
        behind a preface in clear. It may take so many seconds to accept, and as many for TLS; but to accept no longer
        than its share, if others may be tried after it.

        If that is slow or refuses, the other addresses of the same name are tried beside it, and the lease may move to
        one of them. Raises UpstreamError, and ExhaustedError where it is not the place's fault.
        """
        target_address = lease.target_address
        share = self.remaining / (1 + self.left)
        addresses = [target_address, *self._pool.siblings(target_address, self._tried)]
        refused: dict[int, str] = {}
        url = target_address.target.url
        name = f"{url.host}:{url.port}" if len(addresses) > 1 else target_address.name
        try:
            at, sock = await connect_to([each.address for each in addresses], name, min(seconds, share), refused)
            self._pool.exhausted = False
        except ExhaustedError as error:
            self._pool.cannot_connect(error)
            raise
        finally:
            for number, why in refused.items():
                if number:  # that of the lease is its holder's to tell
                    self._note(addresses[number], Reason.TARGET_UNREACHABLE, why)
        if at:
            if 0 in refused:
                self._note(target_address, Reason.TARGET_UNREACHABLE, refused[0])
            else:
                self._note(target_address, Reason.TARGET_SLOWER, "slower to accept than another address of its name")
            lease.move(addresses[at])
            self._tried.append(lease.target_address)
        return await introduce(sock, target_address.target, min(seconds, self.remaining), preface, self._pool.contexts)

    def _note(self, target_address: TargetAddress, reason: Reason, why: str) -> None:
        if target_address not in self._tried:
            self._tried.append(target_address)
        self._pool.failed(target_address, UpstreamError(reason, why), self._client)

    def served(self, lease: Lease, status: int) -> None:
        """Note that the place of the lease has answered the client, and with which status."""
        if status in self._pool.upstream.health.passive.statuses:
            error = UpstreamError(Reason.TARGET_UNAVAILABLE, f"answered {status}", status)
            self._pool.failed(lease.target_address, error, self._client)
        else:
            self._pool.served(lease.target_address)

    def failed(self, lease: Lease, error: UpstreamError) -> None:
        """It has not."""
        target_address = lease.target_address
        self.failures.append(f"{target_address.facts.get('address', target_address.target.url.text)}: {error}")
        self._pool.failed(target_address, error, self._client)
