"""All clients: so many sessions at any time, and requests for a page beside them."""

import socket
from dataclasses import dataclass, field
from random import Random

import trio

from tests.heads import head_of
from wsgateway.dialects import DIALECTS
from wsgateway.net.channel import Channel

from .client import PATIENCE_SECONDS, SLOW_BUFFER_BYTES, Session, Slow, agreed, connected
from .judge import Call, Judge
from .plan import Plan

MEAN_LIFE_SECONDS = 8.0
# Of all sessions together.
BURSTS_PER_SECOND = 150
# Who was refused comes again.
AGAIN_SECONDS = 0.2
# The last of so many clients asks for pages.
PAGES = 50
_PAGE = head_of("GET /page HTTP/1.1", "Host: soak.example", "Connection: close")


@dataclass
class Crowd:
    """Where clients find the gateway, and until when."""

    plan: Plan
    judge: Judge
    ports: dict[str, int]
    """of each listener that is there"""
    enough: trio.Event = field(default_factory=trio.Event)
    """who is there says goodbye, and nobody comes any more"""

    async def run(self) -> None:
        """Return when the last has gone."""
        async with trio.open_nursery() as nursery:
            for number in range(self.plan.sessions):
                nursery.start_soon(self._stay, number)
            for number in range(1 + self.plan.sessions // PAGES):
                nursery.start_soon(self._read_pages, number)
            for number in range(self.plan.slow_readers):
                nursery.start_soon(self._stay_and_read_slowly, number)

    async def _stay(self, number: int) -> None:
        """Have one session after the other."""
        random = Random(f"{self.plan.seed} session {number}")
        await self._wait(random.uniform(0, 1 + self.plan.sessions / BURSTS_PER_SECOND))
        while not self.enough.is_set():
            seconds = random.expovariate(1 / MEAN_LIFE_SECONDS)
            if not await self._session(random, seconds):
                await self._wait(AGAIN_SECONDS)

    async def _session(self, random: Random, seconds: float) -> bool:
        """Return whether there was one."""
        dialect = random.choice(list(DIALECTS.values()))
        path = random.choice(["/one", "/any", "/any"])
        listener = random.choice(sorted(self.ports))
        async with connected(self.judge, dialect.name, listener, self.ports[listener]) as (call, channel):
            if channel is None or (agreement := await agreed(self.judge, call, channel, dialect, path)) is None:
                return False
            session = Session(self.judge, call, channel, dialect, agreement)
            await session.run(random, seconds, self.plan.sessions / BURSTS_PER_SECOND, self.enough)
        return True

    async def _stay_and_read_slowly(self, number: int) -> None:
        """Have one session after the other as a client that reads slowly."""
        dialect = (DIALECTS["rfc6455"], DIALECTS["hixie-76"])[number % 2]
        while not self.enough.is_set():
            async with connected(self.judge, dialect.name, "public", self.ports["public"]) as (call, channel):
                if channel is not None:
                    channel.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
                    call.slow = True
                    agreement = await agreed(self.judge, call, channel, dialect, "/any")
                    if agreement is not None:
                        slow = Slow(channel.sock)
                        await Session(self.judge, call, slow, dialect, agreement).read_slowly(self.enough)
            await self._wait(AGAIN_SECONDS)

    async def _read_pages(self, number: int) -> None:
        random = Random(f"{self.plan.seed} pages {number}")
        while not self.enough.is_set():
            async with connected(self.judge, "plain", "public", self.ports["public"]) as (call, channel):
                if channel is not None:
                    await self._read_page(call, channel)
            await self._wait(random.uniform(0, 1))

    async def _read_page(self, call: Call, channel: Channel) -> None:
        data = b""
        with trio.move_on_after(PATIENCE_SECONDS) as scope:
            try:
                await channel.send(_PAGE)
                while more := await channel.receive(4096):
                    data += more
            except OSError as error:
                self.judge.unanswered(call, error)
                return
        head, end, body = data.partition(b"\r\n\r\n")
        if scope.cancelled_caught:
            self.judge.fault(f"{call}: no answer within {PATIENCE_SECONDS:g} s")
        elif not end:
            self.judge.unanswered(call, "closed")
        elif not head.startswith(b"HTTP/1.1 200 "):
            self.judge.refused(call, int(head.split()[1]))
        elif body.startswith(b"upstream ") or call.worker_killed:
            self.judge.counts["pages"] += 1
        else:
            self.judge.fault(f"{call}: a page that is none: {body[:40]!r}")

    async def _wait(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.enough.wait()
