"""The pool of an upstream: the addresses of its targets, their leases, and the clients that wait for one.

Addresses change: by look-ups, by health checks, and by sessions that fail. A session keeps its address: one that the
resolver no longer returns stays until its last session is over.

The addresses and their states are kept as they are, and change by events: no session costs a look at all of them.
"""

import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from functools import partial

import trio

from wsgateway.errors import ExhaustedError, HttpRefusal, Reason, UpstreamError
from wsgateway.observe.log import Log
from wsgateway.observe.status import PoolStatus
from wsgateway.settings.health import ActiveCheck
from wsgateway.settings.upstreams import Upstream
from wsgateway.upstream.balance import Balancer, balancer
from wsgateway.upstream.candidates import Candidates
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
        pool.open += 1
        pool.count(target_address, 1)

    def move(self, target_address: TargetAddress) -> None:
        """Move the lease to another address."""
        before, self.target_address = self.target_address, target_address
        self._pool.count(target_address, 1)
        self._pool.released(before)

    def release(self) -> None:
        """End the lease. The client that has waited longest is next."""
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
        self.totals.set_targets(target.url.text for target in upstream.targets)
        self.drained: Collection[str] = () if before is None else before.drained
        """the urls of the targets that get no new sessions"""
        self.open: int = 0
        self.waiting: deque[Waiter] = deque()
        self.contexts: Contexts = {}
        """the TLS contexts, with the files as they were last read"""
        self.exhausted = False
        """whether the log already has a line that the gateway cannot connect"""
        self.log = log
        self._look_up = look_up
        self._of_targets: list[list[TargetAddress]] = [[] for _ in upstream.targets]
        self._removed: dict[TargetAddress, None] = {}  # those that have sessions
        self._candidates = Candidates[TargetAddress](self._balancer)
        self._ejected: dict[TargetAddress, float] = {}  # with the time when the ejection is over
        self._next_end = math.inf  # the first of these times, or one before it
        self._named = [at for at, target in enumerate(upstream.targets) if target.url.address is None]
        self._unanswered = set(self._named)
        self._nowhere: dict[str, str] = {}
        """names that have had no address so far, with the reason"""
        self._settled = trio.Event()
        """set when there is an address, or when each name has had an answer, also a bad one"""
        self._scope = trio.CancelScope()
        self._tasks: trio.Nursery | None = None
        for at, target in enumerate(upstream.targets):
            if target.url.address is not None:
                self._put(at, [ResolvedAddress(target.url.address, target.weight)])

    def _balancer(self) -> Balancer[TargetAddress]:
        return balancer(self.upstream.balance.method, random.random)

    @property
    def addresses(self) -> list[TargetAddress]:
        """All addresses, in the order of the targets, and of the resolver."""
        return [target_address for several in self._of_targets for target_address in several]

    # -- what sessions use --------------------------------------------------------------------------------------

    def take(self, key: str | None, tried: list[TargetAddress]) -> Lease | None:
        """Return a lease of the next address that has not been tried; None if there is no room."""
        upstream = self.upstream
        if upstream.max_connections is not None and self.open >= upstream.max_connections:
            return None
        if self._ejected:
            self._end_ejections(trio.current_time())
        target_address = self._candidates.choose(key, tried)
        return None if target_address is None else Lease(self, target_address)

    def count(self, target_address: TargetAddress, change: int) -> None:
        """Count sessions of an address that begin, or end if the number is negative."""
        target_address.open += change
        self._offer(target_address)
        if not target_address.open:
            self._removed.pop(target_address, None)
        elif target_address.removed:  # one to which a client was connecting may get its first session after that
            self._removed[target_address] = None

    def _offer(self, target_address: TargetAddress) -> None:
        """Note what has changed of an address, unless it must not be chosen any more."""
        if not (target_address.removed or target_address.drained):
            self._candidates.put(target_address)

    def drain_targets(self, urls: Collection[str]) -> None:
        """Set the targets that get no new sessions, by their URLs. Sessions that they have stay."""
        self.drained = urls
        for target_address in self.addresses:
            self._set_drained(target_address)
        self.serve_waiting()

    def _set_drained(self, target_address: TargetAddress) -> None:
        target_address.drained = target_address.target.url.text in self.drained
        (self._candidates.remove if target_address.drained else self._offer)(target_address)

    def _end_ejections(self, now: float) -> None:
        """Note the ejections whose time is over."""
        if now < self._next_end:
            return
        for target_address in [each for each, until in self._ejected.items() if until <= now]:
            del self._ejected[target_address]
            self._state(target_address, now)
        self._next_end = min(self._ejected.values(), default=math.inf)

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
            self._offer(target_address)
        return state

    def siblings(self, target_address: TargetAddress, tried: list[TargetAddress]) -> Iterator[TargetAddress]:
        """Yield the other addresses of the same name that may be used, too."""
        if not target_address.named:
            return
        for each in self._of_targets[target_address.place[0]]:
            usable = each.state == "up" and each.rank == target_address.rank and each.has_room and not each.drained
            if usable and each is not target_address and each not in tried:
                yield each

    def untried(self, tried: list[TargetAddress]) -> int:
        """Return how many addresses have not been tried."""
        return len(self._candidates) - sum(target_address in self._candidates for target_address in tried)

    async def settled(self, seconds: float) -> None:
        """Wait for a first address, until each name has been looked up. Raise UpstreamError if there is none then.

        Raise HttpRefusal (503) if an operator has drained all targets.
        """
        if all(target.url.text in self.drained for target in self.upstream.targets):
            raise HttpRefusal(Reason.UPSTREAM_DRAINED, f"all targets of {self.upstream.name} are drained")
        with trio.move_on_after(seconds):
            if not self._candidates:
                await self._settled.wait()
        if not self._candidates:
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
        self._end_ejections(now)
        target_address.failures += 1
        target_address.last_failure = error
        self.totals.failed(target_address.target.url.text, error.reason)
        if error.answered and error.status not in self.upstream.health.passive.statuses:
            target_address.health.served(now)  # it has answered
        else:
            target_address.health.failed(now, None if error.by_no_client else client)
        if target_address.health.due(now) and self._can_do_without(target_address):
            seconds = target_address.health.eject(now)
            self._ejected[target_address] = now + seconds
            self._next_end = min(self._next_end, now + seconds)
            self._state(target_address, now, f"{error}; for {seconds:g} s", error.reason)

    def _can_do_without(self, target_address: TargetAddress) -> bool:
        """Return whether an address may be ejected: another one is up, too, and at most half of all are ejected then.

        Half of an odd number is rounded up.
        """
        if target_address.state != "up" or target_address not in self._candidates or self._candidates.up == 1:
            return False
        return len(self._ejected) + 1 <= math.ceil(len(self._candidates) / 2)

    def cannot_connect(self, error: ExhaustedError) -> None:
        """Note that the gateway itself could not connect, which says nothing about any address."""
        if not self.exhausted:  # once, not for each client
            self.log.error("cannot connect", upstream=self.upstream.name, **error.reason.facts, why=error.why)
        self.exhausted = True

    def released(self, target_address: TargetAddress) -> None:
        """Note the end of a session."""
        self.count(target_address, -1)
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
                for at in self._named:
                    nursery.start_soon(self._again_and_again, partial(self._follow, at))

    def close(self) -> None:
        """End `run`. Leases stay valid."""
        self._scope.cancel()
        self._settled.set()

    async def _follow(self, at: int) -> None:
        """Look up the name of a target regularly. While look-ups fail, the last addresses stay."""
        target = self.upstream.targets[at]
        interval = self.upstream.resolve.interval_seconds
        pause: float | None = None  # until the next look-up, while look-ups fail
        while True:
            try:
                with trio.fail_after(_LOOK_UP_SECONDS):
                    found = await self._look_up(target)
            except (OSError, trio.TooSlowError) as error:
                why = (error.strerror or str(error)) if isinstance(error, OSError) else "the resolver is silent"
                if pause is None:
                    facts = {"upstream": self.upstream.name, "target": target.url.text}
                    self.log.warning("name not resolved", **facts, **Reason.TARGET_UNRESOLVED.facts, why=why)
                    pause = _ASK_AGAIN_SECONDS
                if not self._of_targets[at]:
                    self._nowhere[target.url.text] = f"no address of {target.url.text}: {why}"
            else:
                if pause is not None:
                    self.log.info("name resolved", upstream=self.upstream.name, target=target.url.text)
                    pause = None
                self._nowhere.pop(target.url.text, None)
                self._put(at, found)
            self._unanswered.discard(at)
            if self._candidates or not self._unanswered:
                self._settled.set()
            if pause is None:
                await trio.sleep(interval)
            else:
                await trio.sleep(min(pause, interval))
                pause *= 2

    def _put(self, at: int, found: Iterable[ResolvedAddress]) -> None:
        """Set the addresses of the target with this number; no two are the same."""
        target, before = self.upstream.targets[at], self._of_targets[at]
        known = {target_address.address: target_address for target_address in before}
        current: list[TargetAddress] = []
        for number, each in enumerate(found):
            target_address = known.pop(each.address, None)
            if target_address is None:
                target_address = TargetAddress(self.upstream, target, each, (at, number))
                self._begin_checking(target_address)
            else:
                self._candidates.remove(target_address)
                target_address.update(each, (at, number))
            self._set_drained(target_address)
            current.append(target_address)
        for target_address in known.values():
            self._remove(target_address)
        if before and set(before) != set(current):
            names = " ".join(target_address.name for target_address in current)
            self.log.info("addresses changed", upstream=self.upstream.name, target=target.url.text, addresses=names)
        self._of_targets[at] = current
        self.serve_waiting()

    def _remove(self, target_address: TargetAddress) -> None:
        target_address.removed = True
        target_address.checking.cancel()
        self._candidates.remove(target_address)
        self._ejected.pop(target_address, None)
        self.count(target_address, 0)

    def _begin_checking(self, target_address: TargetAddress) -> None:
        active = self.upstream.health.active
        if active is not None and self._tasks is not None:
            self._tasks.start_soon(self._keep_checking, target_address, active)

    async def _again_and_again(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task to its end, and again after a bug, so that a bug of ours costs no session."""
        while True:
            try:
                return await task()
            except Exception:
                self.log.exception("bug", upstream=self.upstream.name, reason=Reason.BUG.value)
            await trio.sleep(_ASK_AGAIN_SECONDS)

    async def _keep_checking(self, target_address: TargetAddress, active: ActiveCheck) -> None:
        """Make health checks of an address regularly, as long as it exists."""
        with target_address.checking:
            await self._again_and_again(partial(self._check, target_address, active))

    async def _check(self, target_address: TargetAddress, active: ActiveCheck) -> None:
        while True:
            await self._check_once(target_address, active)
            await trio.sleep(active.interval_seconds * random.uniform(1 - _JITTER, 1 + _JITTER))

    async def _check_once(self, target_address: TargetAddress, active: ActiveCheck) -> None:
        try:
            await check(self.upstream, target_address.target, target_address.address, active, self.contexts)
        except ExhaustedError as error:
            self.cannot_connect(error)
        except UpstreamError as error:
            self.checked(target_address, error)
        else:
            self.checked(target_address, None)

    def checked(self, target_address: TargetAddress, failure: UpstreamError | None) -> None:
        """Note the result of a health check of an address."""
        if target_address.health.answered(failure is None):
            why, reason = "it answers health checks again", None
            if failure is not None:
                why, reason = str(failure), failure.reason
            self._state(target_address, trio.current_time(), why, reason)
            self.serve_waiting()

    def status(self) -> PoolStatus:
        """Return the status as plain data."""
        now = trio.current_time()
        self._end_ejections(now)
        self.totals.forget(now)
        return {
            "balance": str(self.upstream.balance),
            "open": self.open,
            "waiting": len(self.waiting),
            "queued": self.totals.queued.status(),
            "handshakes": self.totals.handshakes.status(),
            "served": dict(self.totals.served),
            "failures": {url: dict(by_reason) for url, by_reason in self.totals.failures.items()},
            "targets": [target_address.status() for target_address in (*self.addresses, *self._removed)],
        }
