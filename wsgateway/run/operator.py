"""What the supervisor itself answers to operators."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Protocol

from wsgateway.observe.log import Log
from wsgateway.run.commander import Commander, Worker, ask_workers
from wsgateway.run.questions import Functions
from wsgateway.run.request_kinds import REQUEST_KINDS, CloseFields, SessionsFields
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, Item, Send, refused


class Operator:
    """The functions for operators."""

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
            there = await self._count(given)
            if not there.ok:
                return there
            matching, every = there.facts["matching"], there.facts["open"]
            if matching == every and every not in (0, 1):
                what = "this matches all" if given else "without an id or a filter all are meant:"
                return refused(f"{what} {every} sessions; if that is meant, give --all")
        answer = await self._ask("close", given)
        if fields.id is not None and answer.ok and not answer.facts["closed"]:
            there = await self._count({})
            return refused(
                f"there is no session {fields.id!r}; of {there.facts.get('open', 0)} open sessions none has this id"
            )
        return answer

    async def _count(self, given: dict[str, Fact]) -> ControlAnswer:
        """Answer how many sessions match, and how many there are."""
        names = SessionsFields.__dataclass_fields__
        return await self._ask(
            "sessions", {name: value for name, value in given.items() if name in names} | {"limit": 0}
        )

    async def _ask(self, command: str, arguments: dict[str, Fact]) -> ControlAnswer:
        return await ask_workers(self._workers(), ControlRequest(command, arguments), _no_items)


class _OwnProcess:
    """The one process of a gateway without a supervisor, as one that can be asked."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    async def ask(self, command: str, arguments: dict[str, Fact], send: Send, patient: bool = False) -> ControlAnswer:
        return await self._functions[command](REQUEST_KINDS[command].read(arguments), send)


class _Service(Protocol):
    functions: Functions


def commander_of(service: _Service, log: Log) -> Commander:
    """Return the commander of a gateway in one process. What only a supervisor can do is no request there."""
    processes = [_OwnProcess(service.functions)]
    return Commander(Operator(lambda: processes).functions, lambda: processes, log)


async def _no_items(items: list[Item]) -> None:
    """Take no items: there are none."""
