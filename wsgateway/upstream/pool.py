"""The pool of an upstream: the addresses of its targets, their leases, and the clients that wait for one.

Addresses change: by look-ups, by health checks, and by sessions that fail. A session keeps its address: one that the
resolver no longer returns stays until its last session is over.

If no address is up, all are used: a health check that is wrong, or that has not yet seen the end of an outage, must not
refuse clients whom the servers would accept.
"""

import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import trio

from wsgateway.errors import ExhaustedError, Reason, UpstreamError
from wsgateway.observe.log import Log
from wsgateway.observe.status import PoolStatus
from wsgateway.settings.health import ActiveCheck
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.balance import choose
from wsgateway.upstream.checks import check
from wsgateway.upstream.health import State
from wsgateway.upstream.resolve import LookUp, ResolvedAddress
from wsgateway.upstream.target import TargetAddress
from wsgateway.upstream.tls import Contexts
from wsgateway.upstream.totals import TargetTotals

# A resolver that has not answered by then counts as failed. The name is looked up again after a second, then after two,
# and so on up to the interval of the upstream.
_LOOK_UP_SECONDS = 10.0
_ASK_AGAIN_SECONDS = 1.0
# Gateways that start at the same time should not keep checking at the same time.
_JITTER = 0.1


class Lease:
    """The use of an address by one session, until it is released."""

    __slots__ = ("_pool", "target_address")

    def __init__(self, pool: "Pool", target_address: TargetAddress) -> None:
        self._pool = pool
        self.target_address = target_address
        target_address.open += 1
        pool.open += 1

    def move(self, target_address: TargetAddress) -> None:
        """Move the lease to another address."""
        before, self.target_address = self.target_address, target_address
        target_address.open += 1
        before.open -= 1
        self._pool.released(before)

    def release(self) -> None:
        """End the lease. The client that has waited longest is next."""
        self.target_address.open -= 1
        self._pool.open -= 1
        self._pool.released(self.target_address)


class Waiter:
    """A client that waits for an address."""

    __slots__ = ("granted", "key", "lease", "tried")

    def __init__(self, key: str | None, tried: list[TargetAddress]) -> None:
        self.key = key
        self.tried = tried
        self.granted = trio.Event()
        self.lease: Lease | None = None


class Pool:
    """The addresses of one upstream."""

    def __init__(self, upstream: Upstream, log: Log, look_up: LookUp, before: "Pool | None" = None) -> None:
        """Take the upstream; `before` is the pool that this one replaces."""
        self.upstream = upstream
        self.totals: TargetTotals = TargetTotals() if before is None else before.totals
        self.totals.take(target.url.text for target in upstream.targets)
        self.open: int = 0
        self.addresses: list[TargetAddress] = []
        """in the order of the targets, and of the resolver"""
        self.waiting: deque[Waiter] = deque()
        self.contexts: Contexts = {}
        """the TLS contexts, with the files as they were last read"""
        self.exhausted = False
        """whether the log already has a line that the gateway cannot connect"""
        self.log = log
        self._look_up = look_up
        self._removed: list[TargetAddress] = []
        self._named = [target for target in upstream.targets if target.url.address is None]
        self._unanswered = {target.url.text for target in self._named}
        self._nowhere: dict[str, str] = {}
        """names that have had no address so far, with the reason"""
        self._settled = trio.Event()
        """set when there is an address, or when each name has had an answer, also a bad one"""
        self._scope = trio.CancelScope()
        self._tasks: trio.Nursery | None = None
        for target in upstream.targets:
            if target.url.address is not None:
                self._put(target, [ResolvedAddress(target.url.address, target.weight)])

    # -- what sessions use --------------------------------------------------------------------------------------

    def take(self, key: str | None, tried: list[TargetAddress]) -> Lease | None:
        """Return a lease of the next address that has not been tried; None if there is no room."""
        upstream = self.upstream
        if upstream.max_connections is not None and self.open >= upstream.max_connections:
            return None
        free = [target_address for target_address in self._candidates(tried) if target_address.has_room]
        if not free:
            return None
        return Lease(self, choose(upstream.balance.method, free, key, random.random))

    def _candidates(self, tried: list[TargetAddress]) -> list[TargetAddress]:
        """Return the addresses to choose from, with or without room: those of the best rank that are up."""
        untried = (
            [target_address for target_address in self.addresses if target_address not in tried]
            if tried
            else self.addresses
        )
        now = trio.current_time()
        up = [target_address for target_address in untried if self._state(target_address, now) == "up"]
        if not up:
            return untried
        best = min(target_address.rank for target_address in up)
        return [target_address for target_address in up if target_address.rank == best]

    def _state(
        self, target_address: TargetAddress, now: float, why: str = "its time is over", reason: Reason | None = None
    ) -> State:
        """Return the state of an address. Log it if it is new."""
        state = target_address.health.state(now)
        if state != target_address.state:
            target_address.state = state
            write = self.log.info if state == "up" else self.log.warning
            facts = target_address.facts | ({} if reason is None else reason.facts)
            write(f"target {state}", upstream=self.upstream.name, **facts, why=why)
        return state

    def siblings(self, target_address: TargetAddress, tried: list[TargetAddress]) -> list[TargetAddress]:
        """Return the other addresses of the same name that may be used, too."""
        if not target_address.named:
            return []
        others = (each for each in self.addresses if each.target is target_address.target and each not in tried)
        return [each for each in others if each.state == "up" and each.rank == target_address.rank and each.has_room]

    def untried(self, tried: list[TargetAddress]) -> int:
        """Return how many addresses have not been tried."""
        return sum(target_address not in tried for target_address in self.addresses)

    async def settled(self, seconds: float) -> None:
        """Wait for a first address, until each name has been looked up. Raise UpstreamError if there is none then."""
        with trio.move_on_after(seconds):
            if not self.addresses:
                await self._settled.wait()
        if not self.addresses:
            why = "; ".join(self._nowhere.values())
            if why:
                raise UpstreamError(Reason.TARGET_UNRESOLVED, why)
            raise UpstreamError(Reason.TARGET_UNRESOLVED, f"no name resolved within {seconds:g} s", 504)

    def served(self, target_address: TargetAddress) -> None:
        """Note that an address has served a client."""
        target_address.health.served(trio.current_time())
        target_address.served += 1
        self.totals.served[target_address.target.url.text] += 1

    def failed(self, target_address: TargetAddress, error: UpstreamError, client: str) -> None:
        """Note that an address has failed a client, and eject it if it does so often."""
        now = trio.current_time()
        target_address.failures += 1
        target_address.last_failure = error
        self.totals.failed(target_address.target.url.text, error.reason)
        if error.answered and error.status not in self.upstream.health.passive.statuses:
            target_address.health.served(now)  # it has answered
        else:
            target_address.health.failed(now, None if error.by_no_client else client)
        if (
            target_address.health.due(now)
            and self._state(target_address, now) == "up"
            and self._can_do_without(target_address, now)
        ):
            self._state(target_address, now, f"{error}; for {target_address.health.eject(now):g} s", error.reason)

    def _can_do_without(self, target_address: TargetAddress, now: float) -> bool:
        """Return whether an address may be ejected: another one is up, and at most half of all are then ejected.

        Half of an odd number is rounded up.
        """
        others = [each for each in self.addresses if each is not target_address]
        ejected = sum(each.health.ejected(now) for each in others)
        return ejected + 1 <= math.ceil(len(self.addresses) / 2) and any(
            self._state(each, now) == "up" for each in others
        )

    def cannot_connect(self, error: ExhaustedError) -> None:
        """Note that the gateway itself could not connect, which says nothing about any address."""
        if not self.exhausted:  # once, not for each client
            self.log.error("cannot connect", upstream=self.upstream.name, **error.reason.facts, why=error.why)
        self.exhausted = True

    def released(self, target_address: TargetAddress) -> None:
        """Note the end of a session."""
        if target_address.removed and not target_address.open:
            self._removed.remove(target_address)
        if self.waiting:
            self.serve_waiting()

    def serve_waiting(self) -> None:
        """Give addresses with room to waiting clients, the longest waiting first."""
        for waiter in list(self.waiting):
            waiter.lease = self.take(waiter.key, waiter.tried)
            if waiter.lease is not None:
                self.waiting.remove(waiter)
                waiter.granted.set()
            elif not waiter.tried:
                return

    # -- tasks --------------------------------------------------------------------------------------------------

    @property
    def has_tasks(self) -> bool:
        """Whether there is anything for `run` to do."""
        return bool(self._named) or self.upstream.health.active is not None

    async def run(self) -> None:
        """Look up names and make health checks until it is cancelled or closed."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._tasks = nursery
                for target_address in self.addresses:
                    self._begin_checking(target_address)
                for target in self._named:
                    nursery.start_soon(self._again_and_again, partial(self._follow, target))

    def close(self) -> None:
        """End `run`. Leases stay valid."""
        self._scope.cancel()
        self._settled.set()

    async def _follow(self, target: Target) -> None:
        """Look up a name regularly. While look-ups fail, the last addresses stay."""
        interval = self.upstream.resolve.interval_seconds
        pause: float | None = None  # until the next look-up, while look-ups fail
        while True:
            try:
                with trio.fail_after(_LOOK_UP_SECONDS):
                    found = await self._look_up(target)
            except (OSError, trio.TooSlowError) as error:
                why = (error.strerror or str(error)) if isinstance(error, OSError) else "the resolver is silent"
                if pause is None:
                    facts = {
                        "upstream": self.upstream.name,
                        "target": target.url.text,
                        **Reason.TARGET_UNRESOLVED.facts,
                    }
                    self.log.warning("name not resolved", **facts, why=why)
                    pause = _ASK_AGAIN_SECONDS
                if not any(target_address.target is target for target_address in self.addresses):
                    self._nowhere[target.url.text] = f"no address of {target.url.text}: {why}"
            else:
                if pause is not None:
                    self.log.info("name resolved", upstream=self.upstream.name, target=target.url.text)
                    pause = None
                self._nowhere.pop(target.url.text, None)
                self._put(target, found)
            self._unanswered.discard(target.url.text)
            if self.addresses or not self._unanswered:
                self._settled.set()
            if pause is None:
                await trio.sleep(interval)
            else:
                await trio.sleep(min(pause, interval))
                pause *= 2

    def _put(self, target: Target, found: Iterable[ResolvedAddress]) -> None:
        """Set the addresses of a target."""
        before = [target_address for target_address in self.addresses if target_address.target is target]
        known = {target_address.address: target_address for target_address in before}
        current: list[TargetAddress] = []
        for each in found:
            target_address = known.pop(each.address, None)
            if target_address is None:
                target_address = TargetAddress(self.upstream, target, each)
                self._begin_checking(target_address)
            target_address.update(each)
            current.append(target_address)
        for target_address in known.values():
            target_address.removed = True
            target_address.checking.cancel()
            if target_address.open:
                self._removed.append(target_address)
        if before and set(before) != set(current):
            names = " ".join(target_address.name for target_address in current)
            self.log.info("addresses changed", upstream=self.upstream.name, target=target.url.text, addresses=names)
        of_target = {
            each: [target_address for target_address in self.addresses if target_address.target is each]
            for each in self.upstream.targets
        }
        of_target[target] = current
        self.addresses = [target_address for addresses in of_target.values() for target_address in addresses]
        self.serve_waiting()

    def _begin_checking(self, target_address: TargetAddress) -> None:
        active = self.upstream.health.active
        if active is not None and self._tasks is not None:
            self._tasks.start_soon(self._again_and_again, partial(self._check, target_address, active))

    async def _again_and_again(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task to its end, and again after a bug, so that a bug of ours costs no session."""
        while True:
            try:
                return await task()
            except Exception:
                self.log.exception("bug", upstream=self.upstream.name, reason=Reason.BUG.value)
            await trio.sleep(_ASK_AGAIN_SECONDS)

    async def _check(self, target_address: TargetAddress, active: ActiveCheck) -> None:
        """Make health checks of an address regularly, as long as it exists."""
        with target_address.checking:
            while True:
                await self._check_once(target_address, active)
                await trio.sleep(active.interval_seconds * random.uniform(1 - _JITTER, 1 + _JITTER))

    async def _check_once(self, target_address: TargetAddress, active: ActiveCheck) -> None:
        why, reason = "it answers health checks again", None
        try:
            await check(self.upstream, target_address.target, target_address.address, active, self.contexts)
        except ExhaustedError as error:
            self.cannot_connect(error)
            return
        except UpstreamError as error:
            why, reason = str(error), error.reason
        if target_address.health.answered(reason is None):
            self._state(target_address, trio.current_time(), why, reason)
            self.serve_waiting()

    def status(self) -> PoolStatus:
        """Return the status as plain data."""
        now = trio.current_time()
        for target_address in self.addresses:
            self._state(target_address, now)
        self.totals.forget(now)
        return {
            "balance": str(self.upstream.balance),
            "open": self.open,
            "waiting": len(self.waiting),
            "served": dict(self.totals.served),
            "failures": {url: dict(by_reason) for url, by_reason in self.totals.failures.items()},
            "targets": [target_address.status() for target_address in (*self.addresses, *self._removed)],
        }
