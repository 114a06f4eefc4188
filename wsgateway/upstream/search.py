"""One client's search for a server: it takes an address, and another one if that fails, until one serves the client.

After a server has accepted the connection, the search waits for it as long as the client has time. Only connecting is
limited to a share of that time: an address that does not accept leaves some of it for another.
"""

import math
import socket
from collections.abc import Iterator
from itertools import chain

import trio

from wsgateway.errors import ExhaustedError, HttpRefusal, Reason, UpstreamError
from wsgateway.net.failure import in_words
from wsgateway.settings.basics import Address
from wsgateway.upstream.connect import begin_to_connect, check_connected, connect_to, prepare, too_slow, unreachable
from wsgateway.upstream.pool import Lease, Pool, Waiter
from wsgateway.upstream.target import TargetAddress

_FULL = "too many connections"


class Dial:
    """A connection to one address that is being made."""

    __slots__ = ("_name", "connected", "seconds", "sock")

    def __init__(self, sock: socket.socket, name: str, connected: bool, seconds: float) -> None:
        self.sock = sock
        """non-blocking; it belongs to the caller"""
        self.connected = connected
        """whether there is nothing to wait for"""
        self.seconds = seconds
        """how long the address may take to accept"""
        self._name = name

    def check(self) -> None:
        """Take note that the socket is writable. Raise UpstreamError if the address has refused."""
        try:
            check_connected(self.sock)
        except OSError as error:
            raise unreachable(self._name, [in_words(error)]) from None
        self.connected = True

    def late(self) -> UpstreamError:
        """Return the error for an address that does not accept in time."""
        return too_slow(self._name, self.seconds)


class Search:
    """The addresses that were tried for one client, and their failures."""

    __slots__ = ("_begun", "_client", "_key", "_pool", "_tried", "failures", "until")

    def __init__(self, pool: Pool, key: str | None, until: float = math.inf, client: str = "") -> None:
        """Take the pool, and the key for its balance by hash.

        `until` is the deadline for the client, by Trio's clock; `client` is the text by which the client is counted.
        """
        self._pool = pool
        self._client = client
        self._key = key
        self.until = until
        self._tried: list[TargetAddress] = []
        self._begun = 0
        self.failures: list[str] = []
        """the failures so far, for the log"""

    @property
    def remaining_attempts(self) -> int:
        """How many more addresses may be tried."""
        begun = self._pool.upstream.retry.attempts - self._begun
        return min(begun, self._pool.untried(self._tried)) if begun > 0 else 0

    def settle(self) -> None:
        """Try no other address: this one may have the client's request already."""
        self._begun = self._pool.upstream.retry.attempts

    @property
    def remaining_seconds(self) -> float:
        """The time that the client has left, in seconds."""
        return max(0.0, self.until - trio.current_time())

    def take(self) -> Lease | None:
        """Return a lease of the next address; None if there is no room: then `wait`."""
        return self._taken(self._pool.take(self._key, self._tried))

    async def wait(self) -> Lease:
        """Return a lease of the next address, as soon as one has room. A cancelled client loses its place in the queue.

        Raise HttpRefusal (503) if too many clients wait already, or if there is no room in time, or if all targets are
        drained; raise UpstreamError if there is no address.
        """
        pool, queue = self._pool, self._pool.upstream.queue
        await pool.settled(self.remaining_seconds)
        lease = self.take()
        if lease is not None:
            return lease
        if len(pool.waiting) >= queue.size:
            raise HttpRefusal(Reason.UPSTREAM_FULL, _FULL)
        waiter, begun = Waiter(self._key, self._tried), trio.current_time()
        pool.waiting.append(waiter)
        seconds = min(self.remaining_seconds, queue.timeout_seconds)
        try:
            with trio.move_on_after(seconds):
                await waiter.granted.wait()
        except BaseException:
            if waiter.lease is not None:
                waiter.lease.release()
            raise
        finally:
            if waiter in pool.waiting:
                pool.waiting.remove(waiter)
            pool.totals.queued.observe(trio.current_time() - begun)
        if waiter.lease is None:
            raise HttpRefusal(Reason.UPSTREAM_FULL, f"{_FULL}, and no end of one within {seconds:.3g} s")
        taken = self._taken(waiter.lease)
        assert taken is not None, "it was one"
        return taken

    def _taken(self, lease: Lease | None) -> Lease | None:
        if lease is not None:
            self._begun += 1
            self._tried.append(lease.target_address)
        return lease

    def shook_hands(self, seconds: float) -> None:
        """Note how long an address took to accept a connection and to answer a handshake."""
        self._pool.totals.handshakes.observe(seconds)

    async def reach(self, lease: Lease, seconds: float, preface: bytes) -> socket.socket:
        """Return a connection to the address of the lease, after the preface and with TLS if the target uses that.

        The caller closes it. Accepting may take `seconds`, and so may TLS; but accepting may take no more than a share
        of the client's time if other addresses may be tried. If the address is slow or refuses, the other addresses of
        the same name are tried, too, and the lease may move to one of them. Raise UpstreamError, and ExhaustedError if
        the gateway itself cannot connect.
        """
        target_address = lease.target_address
        addresses: list[TargetAddress] = []  # as far as it was their turn
        refused: dict[int, str] = {}
        url = target_address.target.url
        has_siblings = next(self._pool.siblings(target_address, self._tried), None) is not None
        name = f"{url.host}:{url.port}" if has_siblings else target_address.name

        def where() -> Iterator[Address]:
            for each in chain((target_address,), self._pool.siblings(target_address, self._tried)):
                addresses.append(each)
                yield each.address

        try:
            at, sock = await connect_to(where(), name, self._share(seconds), refused)
            self._pool.exhausted = False
        except ExhaustedError as error:
            self._pool.cannot_connect(error)
            raise
        finally:
            for number, why in refused.items():
                if number:  # the failure of the leased address is reported by the caller
                    self._note(addresses[number], Reason.TARGET_UNREACHABLE, why)
        if at:
            if 0 in refused:
                self._note(target_address, Reason.TARGET_UNREACHABLE, refused[0])
            else:
                self._note(target_address, Reason.TARGET_SLOWER, "slower to accept than another address of its name")
            lease.move(addresses[at])
            self._tried.append(lease.target_address)
        return await prepare(
            sock, target_address.target, min(seconds, self.remaining_seconds), preface, self._pool.contexts
        )

    def _share(self, seconds: float) -> float:
        """Return how many seconds an address may take to accept, of which `seconds` are the limit."""
        return min(seconds, self.remaining_seconds / (1 + self.remaining_attempts))

    def dial(self, lease: Lease, seconds: float) -> "Dial | None":
        """Begin to connect to the address of the lease, where TCP to this address is all that `reach` would do.

        Otherwise return None. Raise what `reach` raises.
        """
        target_address = lease.target_address
        if target_address.named or target_address.target.url.secure:
            return None
        try:
            sock, connected = begin_to_connect(target_address.address)
        except ExhaustedError as error:
            self._pool.cannot_connect(error)
            raise
        except OSError as error:
            raise unreachable(target_address.name, [in_words(error)]) from None
        self._pool.exhausted = False
        return Dial(sock, target_address.name, connected, 0.0 if connected else self._share(seconds))

    def _note(self, target_address: TargetAddress, reason: Reason, why: str) -> None:
        if target_address not in self._tried:
            self._tried.append(target_address)
        self._pool.failed(target_address, UpstreamError(reason, why), self._client)

    def served(self, lease: Lease, status: int) -> None:
        """Note that the address of the lease has answered the client with a status."""
        if status in self._pool.upstream.health.passive.statuses:
            error = UpstreamError(Reason.TARGET_UNAVAILABLE, f"answered {status}", status)
            self._pool.failed(lease.target_address, error, self._client)
        else:
            self._pool.served(lease.target_address)

    def failed(self, lease: Lease, error: UpstreamError) -> None:
        """Note that the address of the lease has failed."""
        target_address = lease.target_address
        self.failures.append(f"{target_address.facts.get('address', target_address.target.url.text)}: {error}")
        self._pool.failed(target_address, error, self._client)
