"""The way of a request through the supervisor: it is checked against the table, answered, and written into the log.

Whoever asks takes this way, so there is one place where the log says who has changed something.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, get_type_hints

import trio

from wsgateway.errors import Reason
from wsgateway.observe.log import Facts, Log
from wsgateway.observe.status import merged
from wsgateway.run.questions import BUG, Functions
from wsgateway.run.request_kinds import REQUEST_KINDS, RequestKind
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, Item, Send, refused
from wsgateway.settings.findings import guess

# Arguments that have another name in the log, where each line has a level of its own.
_IN_LOG = {"level": "new_level"}
_NOBODY = refused("no worker serves")


class Worker(Protocol):
    """A process that serves."""

    @property
    def gone(self) -> bool:
        """Whether it has ended."""

    async def ask(self, command: str, arguments: dict[str, Fact], send: Send, patient: bool = False) -> ControlAnswer:
        """Return its answer to a request, after its items."""


class Workers(Protocol):
    """All processes that serve."""

    def serving(self) -> Sequence[Worker]:
        """Return those that serve, also those that drain."""

    async def changed(self) -> None:
        """Wait until another one serves, or something else has happened to one."""


class Commander:
    """The requests of all who ask a gateway."""

    def __init__(self, functions: Functions, workers: Workers, log: Log) -> None:
        """Take the functions of the supervisor, and the workers."""
        self._functions = functions
        self._workers = workers
        self._log = log

    def can(self, command: str) -> bool:
        """Return whether this gateway answers to a request. One without a supervisor has no functions of that."""
        kind = REQUEST_KINDS.get(command)
        return kind is not None and (kind.who == "workers" or command in self._functions)

    async def perform(self, request: ControlRequest, who: Facts, send: Send) -> ControlAnswer:
        """Carry out a request, and return the answer; `send` gets the items before it.

        `who` are the facts about who asks, for the log.
        """
        if not self.can(request.command):
            return refused(
                f"{request.command!r} is no command; {guess(request.command, filter(self.can, REQUEST_KINDS))}"
            )
        kind = REQUEST_KINDS[request.command]
        answer = await self._answer(kind, request, who, send)
        if kind.changes and not (kind.gives == "stream" and answer.ok):
            self._note(request, who, answer)
        return answer

    def _note(self, request: ControlRequest, who: Facts, answer: ControlAnswer) -> None:
        known = get_type_hints(REQUEST_KINDS[request.command].fields)
        arguments = {_IN_LOG.get(name, name): value for name, value in request.arguments.items() if name in known}
        facts = {**arguments, **who, **({} if answer.ok else {"why": "; ".join(answer.findings)})}
        write = self._log.info if answer.ok else self._log.warning
        write("command", **{**facts, "command": request.command, "done": answer.ok})

    async def _answer(self, kind: RequestKind, request: ControlRequest, who: Facts, send: Send) -> ControlAnswer:
        try:
            fields = kind.read(request.arguments)
        except ValueError as error:
            return refused(str(error))
        if kind.changes and kind.gives == "stream":  # it ends when who asks hangs up, perhaps after days
            self._note(request, who, ControlAnswer(ok=True))
        try:
            if kind.gives == "stream":
                return await stream_of_workers(self._workers, request, send)
            if kind.who == "workers":
                return await ask_workers(self._workers.serving(), request, send)
            return await self._functions[kind.name](fields, send)
        except Exception:  # noqa: BLE001  a bug in an answer ends no gateway; who asks is told, too
            self._log.exception("bug", command=kind.name, reason=Reason.BUG.value)
            return BUG


async def ask_workers(workers: Iterable[Worker], request: ControlRequest, send: Send) -> ControlAnswer:
    """Have all workers answer at once. `send` gets their items as they come, and their answers become one.

    Numbers are added; what one worker could not do is not done.
    """
    answers: list[ControlAnswer] = []
    send_in_turn = _in_turn(send)

    async def ask(worker: Worker) -> None:
        answers.append(await worker.ask(request.command, request.arguments, send_in_turn))

    async with trio.open_nursery() as nursery:
        for worker in workers:
            nursery.start_soon(ask, worker)
    if not answers:
        return _NOBODY
    findings = dict.fromkeys(finding for each in answers for finding in each.findings)
    return ControlAnswer(all(each.ok for each in answers), list(findings), merged(each.facts for each in answers))


async def stream_of_workers(workers: Workers, request: ControlRequest, send: Send) -> ControlAnswer:
    """Give the items of all workers to `send` as they come, also of those that serve later.

    A worker that ends ends nothing else. The first answer of another one is that of all.
    """
    answers: list[ControlAnswer] = []
    send_in_turn = _in_turn(send)

    async with trio.open_nursery() as nursery:

        async def ask(worker: Worker) -> None:
            answer = await worker.ask(request.command, request.arguments, send_in_turn, patient=True)
            if not worker.gone:
                answers.append(answer)
                nursery.cancel_scope.cancel()

        asked: Sequence[Worker] = ()
        while serving := workers.serving() or asked:
            for worker in serving:
                if worker not in asked:
                    nursery.start_soon(ask, worker)
            asked = serving
            await workers.changed()
    return answers[0] if answers else _NOBODY


def _in_turn(send: Send) -> Send:
    turn = trio.StrictFIFOLock()

    async def send_in_turn(items: list[Item]) -> None:
        async with turn:
            await send(items)

    return send_in_turn
