"""What a process answers about its open sessions: it lists them, and closes them; and who got no session.

There may be ten thousand. They are taken in portions, between which the relay runs, and nothing is written down about a
session before somebody asks.
"""

import time
from collections.abc import Callable, Iterator
from typing import cast

import trio

from wsgateway.errors import Reason
from wsgateway.observe.counters import session_id
from wsgateway.relay.closing import ServerClose
from wsgateway.run.questions import Functions
from wsgateway.run.request_kinds import CloseFields, Nothing, SessionsFields
from wsgateway.run.requests import ControlAnswer, Fact, Item, Send
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.opening import Opened

# Describing this many takes about a millisecond.
SESSIONS_AT_ONCE = 100


class Sessions:
    """The open sessions of a process."""

    def __init__(self, gateway: GatewayState, process: int, now: Callable[[], float] = time.time) -> None:
        """Take the number of the process, with which its ids begin. `now` returns seconds since 1970."""
        self._gateway = gateway
        self._process = process
        self._now = now

    @property
    def functions(self) -> Functions:
        """The functions that answer requests, by their names."""
        return {"sessions": self.describe, "close": self.close, "refusals": self.refusals}

    async def describe(self, fields: SessionsFields, send: Send) -> ControlAnswer:
        """Send the facts of the sessions that match, the oldest first. Answer how many match, and how many are open."""
        matching, before, last, left = 0, 0, fields.last_of(self._process), fields.limit
        for portion in self._portions():
            found = [opened for opened in portion if fields.matches(opened.facts)]
            later = [opened for opened in found if opened.number > last]
            matching += len(found)
            before += len(found) - len(later)
            wanted = later[:left]
            if left is not None:
                left -= len(wanted)
            if wanted:
                await send([self._described(opened) for opened in wanted])
            else:
                await trio.lowlevel.checkpoint()
        facts: dict[str, Fact] = {"matching": matching, "open": len(self._gateway.counters.live)}
        return ControlAnswer(ok=True, facts=facts if fields.after is None else {**facts, "before": before})

    async def close(self, fields: CloseFields, send: Send) -> ControlAnswer:
        """Send a Close to the sessions that match, and to their upstreams. Answer how many are closed."""
        goodbye = ServerClose(
            Reason.CLOSED_BY_OPERATOR, "closed by an operator", self._gateway.settings.shutdown.close_code
        )
        closed = 0
        for portion in self._portions():
            for opened in portion:
                meant = fields.id == self._id(opened) if fields.id is not None else fields.matches(opened.facts)
                if meant and opened.client.on_end is not None:  # else it ends already
                    self._gateway.engine.close(opened.client, goodbye)
                    closed += 1
            await trio.lowlevel.checkpoint()
        return ControlAnswer(ok=True, facts={"closed": closed})

    async def refusals(self, fields: Nothing, send: Send) -> ControlAnswer:
        """Send the last clients that got no session, the oldest first."""
        kept = self._gateway.refusals.last()
        for at in range(0, len(kept), SESSIONS_AT_ONCE):
            await send(list[Item](kept[at : at + SESSIONS_AT_ONCE]))
        return ControlAnswer(ok=True)

    def _portions(self) -> Iterator[list[Opened]]:
        """Yield the sessions that are open now, without those that end meanwhile."""
        live = cast(dict[int, Opened], self._gateway.counters.live)  # nothing else is counted here
        numbers = list(live)
        for at in range(0, len(numbers), SESSIONS_AT_ONCE):
            yield [opened for each in numbers[at : at + SESSIONS_AT_ONCE] if (opened := live.get(each)) is not None]

    def _id(self, opened: Opened) -> str:
        return session_id(self._process, opened.number)

    def _described(self, opened: Opened) -> Item:
        since = self._now() - (trio.current_time() - opened.begun)
        return {
            "id": self._id(opened),
            **opened.facts.known(),
            "since": round(since, 3),
            **opened.figures()._asdict(),
        }
