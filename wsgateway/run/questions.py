"""The answers of a worker to the requests of its supervisor.

A function answers: it gives its items to `send`, and returns the answer. `send` waits until the supervisor wants more.
So a slow reader at the other end makes the function wait, and nothing else.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from wsgateway.errors import Reason
from wsgateway.observe.log import Log
from wsgateway.run.messages import Ask, Part
from wsgateway.run.request_kinds import REQUEST_KINDS
from wsgateway.run.requests import ControlAnswer, Item, Send, refused

Functions = Mapping[str, Callable[[Any, Send], Awaitable[ControlAnswer]]]
"""what answers requests, by their names; each takes the fields of its row of the table"""

BUG = refused("a bug of the gateway; its log says more", reason=Reason.BUG.value)


class _Question:
    """A request that is being answered."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.more = trio.Event()


class Questions:
    """The requests that are being answered."""

    def __init__(self, functions: Functions, say: Callable[[Part], Awaitable[None]], log: Log) -> None:
        """Take the functions, and what sends a part to the supervisor."""
        self._functions = functions
        self._say = say
        self._log = log
        self._open: dict[int, _Question] = {}

    async def answer(self, ask: Ask) -> None:
        """Answer a request. A bug is logged, and costs only this answer."""
        question = self._open[ask.number] = _Question()

        async def send(items: list[Item]) -> None:
            await self._say(Part(number=ask.number, items=items))
            await question.more.wait()
            question.more = trio.Event()

        try:
            with question.scope:
                answer = await self._answer(ask, send)
                await self._say(Part(number=ask.number, ok=answer.ok, findings=answer.findings, facts=answer.facts))
        finally:
            del self._open[ask.number]

    async def _answer(self, ask: Ask, send: Send) -> ControlAnswer:
        kind, function = REQUEST_KINDS.get(ask.command), self._functions.get(ask.command)
        if kind is None or function is None:
            return refused(f"this worker is of another version, and does not know {ask.command!r}")
        try:
            fields = kind.read(ask.arguments)
        except ValueError as error:
            return refused(str(error))
        try:
            if kind.gives == "stream":
                await send([])  # who asks knows at once that there is a stream
            return await function(fields, send)
        except Exception:  # noqa: BLE001  a bug in an answer ends no worker, and is logged
            self._log.exception("bug", reason=Reason.BUG.value)
            return BUG

    def more(self, number: int) -> None:
        """Have the next part of an answer sent; do nothing if it has ended."""
        if number in self._open:
            self._open[number].more.set()

    def forget(self, number: int) -> None:
        """End an answer that nobody wants any more."""
        if number in self._open:
            self._open[number].scope.cancel()
