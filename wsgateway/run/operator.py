"""What the supervisor itself does for operators: it closes sessions, drains targets, and sets the level of the log."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Protocol

import trio

from wsgateway.observe.log import Log, Logger
from wsgateway.run.adjustments import Adjustments
from wsgateway.run.commander import Commander, Worker, ask_workers
from wsgateway.run.questions import Functions
from wsgateway.run.request_kinds import (
    REQUEST_KINDS,
    CloseFields,
    LogLevelFields,
    Nothing,
    SessionsFields,
    TargetFields,
)
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, Item, Send, refused
from wsgateway.settings.findings import guess
from wsgateway.settings.process import Level
from wsgateway.settings.whole import Settings

# Each of them is looked at for every line about a client.
MOST_NETWORKS = 16

Change = Callable[[], Awaitable[ControlAnswer]]


class Workers(Protocol):
    """All workers of a gateway."""

    adjustments: Adjustments

    def serving(self) -> Sequence[Worker]:
        """Return those that serve, also those that drain."""

    def refusals(self) -> list[Item]:
        """Return the last clients that got no session."""

    async def adjust(self, change: Callable[[Adjustments], Adjustments]) -> Adjustments:
        """Change what operators have changed, and tell them. Return what was before."""


class Closer:
    """The function that closes sessions, with or without a supervisor."""

    def __init__(self, workers: Callable[[], Iterable[Worker]]) -> None:
        """Take what returns the workers that serve, also those that drain."""
        self._workers = workers

    @property
    def functions(self) -> Functions:
        """The functions that answer requests, by their names."""
        return {"close": self.close}

    async def close(self, fields: CloseFields, send: Send) -> ControlAnswer:
        """Close the sessions that match. If these are all of several, that must be meant (`all`)."""
        given = {name: value for name, value in asdict(fields).items() if value not in (None, False)}
        if fields.id is not None:
            if len(given) > 1:
                return refused("give the id of a session or a filter, not both")
        elif not fields.all:
            there = await self.count(given)
            if not there.ok:
                return there
            matching, every = there.facts["matching"], there.facts["open"]
            if matching == every and every not in (0, 1):
                what = "this matches all" if given else "without an id or a filter all are meant:"
                return refused(f"{what} {every} sessions; if that is meant, give --all")
        answer = await self._ask("close", given)
        if fields.id is not None and answer.ok and not answer.facts["closed"]:
            every = (await self.count({})).facts.get("open", 0)
            return refused(f"there is no session {fields.id!r}; none of the {every} that are open has this id")
        return answer

    async def count(self, given: dict[str, Fact]) -> ControlAnswer:
        """Answer how many sessions match, and how many there are."""
        names = SessionsFields.__dataclass_fields__
        known = {name: value for name, value in given.items() if name in names}
        return await self._ask("sessions", {**known, "limit": 0})

    async def _ask(self, command: str, arguments: dict[str, Fact]) -> ControlAnswer:
        return await ask_workers(self._workers(), ControlRequest(command, arguments), _no_items)


class Operator:
    """The functions for operators."""

    def __init__(
        self,
        workers: Workers,
        settings: Callable[[], Settings],
        change: Callable[[Change], Awaitable[ControlAnswer]],
        nursery: trio.Nursery,
        log: Logger,
    ) -> None:
        """Take what returns the settings that serve, and what makes a change after those that wait already."""
        self._workers = workers
        self._closer = Closer(workers.serving)
        self._settings = settings
        self._change = change
        self._nursery = nursery
        self._log = log
        self._ends: dict[str, trio.CancelScope] = {}  # of levels that are for some time, by network

    @property
    def functions(self) -> Functions:
        """The functions that answer requests, by their names."""
        own: Functions = {"target": self.target, "log-level": self.log_level, "refusals": self.refusals}
        return {**self._closer.functions, **own}

    async def refusals(self, fields: Nothing, send: Send) -> ControlAnswer:
        """Send the last clients that got no session, the oldest first."""
        await send(self._workers.refusals())
        return ControlAnswer(ok=True)

    # -- targets ---------------------------------------------------------------------------------------------------

    async def target(self, fields: TargetFields, send: Send) -> ControlAnswer:
        """Give a target no new sessions, or new ones again. Answer how many it has."""
        return await self._change(lambda: self._set_target(fields))

    async def _set_target(self, fields: TargetFields) -> ControlAnswer:
        upstreams = self._settings().upstreams
        upstream = upstreams.get(fields.upstream)
        if upstream is None:
            return refused(f"there is no upstream {fields.upstream!r}; {guess(fields.upstream, upstreams)}")
        urls = [target.url.text for target in upstream.targets]
        if fields.target not in urls:
            return refused(f"{fields.upstream} has no target {fields.target!r}; {guess(fields.target, urls)}")
        target, drain = (fields.upstream, fields.target), fields.action == "drain"
        before = await self._workers.adjust(lambda now: now.with_target(target, drain))
        drained = self._workers.adjustments.drained
        there = await self._closer.count({"target": fields.target})  # when workers answer this, they have taken it
        left = [url for url in urls if (fields.upstream, url) not in drained]
        findings = [] if left else [f"no target of {fields.upstream} is left: its clients get 503 until one is enabled"]
        facts: dict[str, Fact] = {"changed": drained != before.drained, "open": there.facts.get("matching", 0)}
        return ControlAnswer(ok=True, findings=findings, facts=facts)

    # -- the log ---------------------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Use the levels that there are already, from the supervisor before this one."""
        self._log.use(self._workers.adjustments.levels)
        for network, end in self._workers.adjustments.ends.items():
            self._end_at(network, end)

    async def log_level(self, fields: LogLevelFields, send: Send) -> ControlAnswer:
        """Set the level of the log in all processes: for all lines, or for those about clients of a network."""
        return await self._change(lambda: self._change_level(fields))

    async def _change_level(self, fields: LogLevelFields) -> ControlAnswer:
        network, before = fields.client or "", self._workers.adjustments.levels
        if network and network not in before and len([name for name in before if name]) >= MOST_NETWORKS:
            return refused(f"{MOST_NETWORKS} networks have a level of their own already; set one of them to default")
        if network in self._ends:
            self._ends.pop(network).cancel()
        level = None if fields.level == "default" else fields.level
        end = None if fields.seconds is None or level is None else trio.current_time() + fields.seconds
        await self._set_level(network, level, end)
        await self._closer.count({})  # when workers answer this, they have taken it
        if end is not None:
            self._end_at(network, end)
        return ControlAnswer(ok=True, facts={"level": level or self._settings().logging.level})

    def _end_at(self, network: str, end: float) -> None:
        scope = self._ends[network] = trio.CancelScope()
        self._nursery.start_soon(self._end_later, network, end, scope)

    async def _end_later(self, network: str, end: float, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep_until(end)
            if self._ends.get(network) is not scope:  # it was cancelled in this moment
                return
            del self._ends[network]
            await self._set_level(network, None)
            self._log.info("log level is over", **{"network": network} if network else {})

    async def _set_level(self, network: str, level: Level | None, end: float | None = None) -> None:
        await self._workers.adjust(lambda now: now.with_level(network, level, end))
        self._log.use(self._workers.adjustments.levels)


class _OwnProcess:
    """The one process of a gateway without a supervisor, as one that can be asked."""

    gone = False

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def serving(self) -> Sequence["_OwnProcess"]:
        return [self]

    async def changed(self) -> None:
        await trio.sleep_forever()

    async def ask(self, command: str, arguments: dict[str, Fact], send: Send, patient: bool = False) -> ControlAnswer:
        return await self._functions[command](REQUEST_KINDS[command].read(arguments), send)


class _Service(Protocol):
    functions: Functions


def commander_of(service: _Service, log: Log) -> Commander:
    """Return the commander of a gateway in one process. What only a supervisor can do is no request there."""
    own = _OwnProcess(service.functions)
    functions = {**Closer(own.serving).functions, "refusals": service.functions["refusals"]}
    return Commander(functions, own, log)


async def _no_items(items: list[Item]) -> None:
    """Take no items: there are none."""
