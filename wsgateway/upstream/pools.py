"""The pools of all upstreams, which a reload exchanges."""

from collections.abc import Collection, Iterable
from functools import partial

import trio

from wsgateway.observe.log import Log
from wsgateway.observe.status import PoolStatus
from wsgateway.settings.upstreams import Upstream
from wsgateway.upstream.names import Names
from wsgateway.upstream.pool import Pool
from wsgateway.upstream.resolve import LookUp, look_up
from wsgateway.upstream.tls import Contexts


class Pools:
    """The pools of all upstreams, by name; none until the first `update`."""

    def __init__(self, log: Log, resolver: LookUp | None = None) -> None:
        """Take a function that looks up targets; None: the system's resolver."""
        self.log = log
        self._look_up = resolver or partial(look_up, Names())
        self._tasks: trio.Nursery | None = None
        self._pools: dict[str, Pool] = {}

    def __getitem__(self, name: str) -> Pool:
        return self._pools[name]

    def update(self, upstreams: Iterable[Upstream], contexts: Contexts) -> None:
        """Set the upstreams. A pool whose upstream has not changed stays as it is, with its sessions and its state.

        The tasks of the other pools end; their sessions keep their addresses. `contexts` are for all targets with TLS.
        A route finds its pool by name, so the caller must replace the routes in the same step, without a checkpoint.
        """
        before, self._pools = self._pools, {}
        for upstream in upstreams:
            old = before.get(upstream.name)
            if old is None or old.upstream != upstream:
                pool = Pool(upstream, self.log, self._look_up, old)
                self._start(pool)
            else:
                pool = before.pop(upstream.name)
            pool.contexts = contexts
            self._pools[upstream.name] = pool
        for pool in before.values():
            pool.close()

    def drain_targets(self, drained: Collection[tuple[str, str]]) -> None:
        """Set the targets that get no new sessions: by their upstream and their URL."""
        for name, pool in self._pools.items():
            pool.drain_targets({url for upstream, url in drained if upstream == name})

    async def run(self) -> None:
        """Run the tasks of all pools until it is cancelled."""
        async with trio.open_nursery() as nursery:
            self._tasks = nursery
            for pool in self._pools.values():
                self._start(pool)
            await trio.sleep_forever()

    def _start(self, pool: Pool) -> None:
        if self._tasks is not None and pool.has_tasks:
            self._tasks.start_soon(pool.run)

    def status(self) -> dict[str, PoolStatus]:
        """Return the status of each upstream by its name, as plain data."""
        return {name: pool.status() for name, pool in self._pools.items()}
