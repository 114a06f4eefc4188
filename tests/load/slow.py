"""Clients that begin and do not go on: each has its deadline, and those who go on are served meanwhile."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Upstream, configuration

from .process import cpu_seconds, gateway, resident_bytes
from .upstream import answer_all

MODERN = BY_DIALECT["rfc6455"]
HIXIE76 = BY_DIALECT["hixie-76"]
PATIENCE_SECONDS = 60.0
ARRIVING_AT_ONCE = 50
# Between two bytes of a head that never ends: a client that is slow on purpose.
DRIP_SECONDS = 0.25


@dataclass(frozen=True)
class Figures:
    """What became of clients that do not go on, and of others beside them."""

    ends: Counter[str]
    """how those ended"""
    served: int
    """sessions of others, one after the other, with a message each, until the last of those had ended"""
    longest_seconds: float
    """the slowest of these, from its connection to its echo"""
    seconds: float
    cpu_seconds: float
    resident_bytes: int
    """of the gateway, when all were there"""

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        return (
            f"{ends} after {self.seconds:.1f} s; meanwhile {self.served} others were served, the slowest in"
            f" {self.longest_seconds * 1000:.0f} ms; {self.cpu_seconds:.1f} s of CPU, {self.resident_bytes >> 20} MiB"
        )


async def slow(folder: Path, drips: int, silent: int, timeouts: str) -> Figures:
    """Have so many clients send their head a byte now and then, and so many of hixie-76 no challenge behind theirs."""
    ends: Counter[str] = Counter()
    everybody = drips + silent
    done = trio.Event()
    # They come a few at a time: what a storm does is another question.
    arriving = trio.CapacityLimiter(ARRIVING_AT_ONCE)

    def ended(how: str) -> None:
        ends[how] += 1
        if ends.total() == everybody:
            done.set()

    async def drip(peer: Peer) -> None:
        for byte in MODERN.request[1:]:
            try:
                await peer.send(bytes([byte]))
            except trio.BrokenResourceError:
                return
            await trio.sleep(DRIP_SECONDS)

    async def loris(port: int) -> None:
        async with arriving:
            peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
            await peer.send(MODERN.request[:1])
        with peer.stream.socket:  # the last of them is cancelled as soon as it has told its end
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drip, peer)
                head = await peer.once()
                ended("answered 408" if head.startswith(b"HTTP/1.1 408 ") else f"said {head[:40]!r}")
                nursery.cancel_scope.cancel()

    async def without_challenge(port: int) -> None:
        async with arriving:
            peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
            await peer.send(HIXIE76.head)
            head = await peer.head()
        with peer.stream.socket:
            rest = await peer.rest()
            accepted = head.startswith(b"HTTP/1.1 101 ")
            ended("cut without a proof" if accepted and not rest else f"said {(head + rest)[:40]!r}")

    async def one_session(port: int) -> float:
        begun = trio.current_time()
        peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
        await peer.send(MODERN.request)
        head = await peer.head()
        assert head == MODERN.reply, head
        await peer.send(MODERN.hello)
        assert await peer.exactly(len(MODERN.hello_back)) == MODERN.hello_back
        await peer.close()
        return trio.current_time() - begun

    served, longest = 0, 0.0
    async with Upstream() as upstream:
        text = configuration(upstream.port, timeouts=timeouts)
        with gateway(folder, text) as (port, process), trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer_all, upstream)
                begun = trio.current_time()
                for _ in range(drips):
                    nursery.start_soon(loris, port)
                for _ in range(silent):
                    nursery.start_soon(without_challenge, port)
                resident = 0
                while not done.is_set():
                    longest = max(longest, await one_session(port))
                    served += 1
                    resident = max(resident, resident_bytes(process.worker_pid))
                seconds, used = trio.current_time() - begun, cpu_seconds(process.worker_pid)
                nursery.cancel_scope.cancel()
            upstream.hang_up()
    return Figures(ends, served, longest, seconds, used, resident)
