"""More clients than there is room for, all at once: those who are inside are served, the others told so."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Upstream, configuration

from .process import cpu_seconds, gateway
from .upstream import answer_all

MODERN = BY_DIALECT["rfc6455"]
REFUSAL = b"503 Service Unavailable: listener-full\n"
# For all of it, on a machine that is busy.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Figures:
    """What became of a crowd."""

    outcomes: Counter[str]
    """served, refused with a whole 503, or what else"""
    seconds: float
    """until each had its answer"""
    cpu_seconds: float
    """of the gateway"""

    def __str__(self) -> str:
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return f"{told}; {self.seconds:.1f} s, {self.cpu_seconds:.1f} s of them the gateway's CPU"


async def crowd(folder: Path, clients: int, places: int) -> Figures:
    """Have so many clients come at once, for so many places; those inside say something when all have their answer."""
    outcomes: Counter[str] = Counter()
    full = trio.Event()

    async def client(port: int) -> None:
        peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
        try:
            await peer.send(MODERN.request)
            head = await peer.head()
            if not head.startswith(b"HTTP/1.1 101 "):
                told = head.startswith(b"HTTP/1.1 503 ") and await peer.rest() == REFUSAL
                outcomes["refused" if told else "told something else"] += 1
            else:
                outcomes["accepted"] += 1
            if sum(outcomes.values()) == clients:
                full.set()
            if head.startswith(b"HTTP/1.1 101 "):
                await full.wait()
                await peer.send(MODERN.hello)
                assert await peer.exactly(len(MODERN.hello_back)) == MODERN.hello_back
                outcomes["served"] += 1
        except (AssertionError, OSError, trio.BrokenResourceError) as error:
            outcomes[f"lost: {str(error)[:40]}"] += 1
            if sum(outcomes.values()) == clients:
                full.set()
        finally:
            peer.stream.socket.close()

    async with Upstream() as upstream:
        options = {
            "listener": f"max_connections: {places}",
            "timeouts": f"handshake: {PATIENCE_SECONDS:g}s",
        }
        with gateway(folder, configuration(upstream.port, **options)) as (port, process):
            with trio.fail_after(PATIENCE_SECONDS):
                async with trio.open_nursery() as behind:
                    behind.start_soon(answer_all, upstream)
                    begun = trio.current_time()
                    async with trio.open_nursery() as nursery:
                        for _ in range(clients):
                            nursery.start_soon(client, port)
                        await full.wait()
                        seconds = trio.current_time() - begun
                    used = cpu_seconds(process.worker_pid)
                    behind.cancel_scope.cancel()
            upstream.hang_up()
    return Figures(outcomes, seconds, used)
