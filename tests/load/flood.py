"""Sessions whose client never reads, with an upstream that never stops: what they cost the gateway."""

from dataclasses import dataclass
from pathlib import Path

import trio

from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Upstream, configuration

from .process import gateway, kernel_tcp_bytes, resident_bytes

PATIENCE_SECONDS = 120.0
# What the upstream says, again and again: a binary message for those who take its frames, text for the others.
MESSAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Figures:
    """What so many sessions cost, when nothing more moves."""

    sessions: int
    resident_bytes: int
    """all of the gateway"""
    grown_bytes: int
    """since it was idle"""
    kernel_bytes: int
    """that grew in the kernel, for the sockets of all processes"""

    def __str__(self) -> str:
        return (
            f"{self.sessions} sessions: the gateway has {self.resident_bytes / 2**20:.1f} MiB in all,"
            f" {self.grown_bytes / 2**20:.1f} MiB more than when it was idle; buffers of the kernel"
            f" {self.kernel_bytes / 2**20:.1f} MiB"
        )


async def flood(folder: Path, sessions: int, dialect: str) -> Figures:
    """Have so many clients of a dialect read nothing, and an upstream send until nothing is taken any more."""
    opening = BY_DIALECT[dialect]
    message = b"\x81\x7f" + MESSAGE_BYTES.to_bytes(8) + b"x" * MESSAGE_BYTES
    stuck: set[int] = set()
    all_stuck = trio.Event()

    async def pour(behind: Peer, number: int) -> None:
        """Send as much as is taken. Who has waited for so long is stuck, since nothing else is slow here."""
        while True:
            with trio.move_on_after(STUCK_SECONDS) as scope:
                await behind.send(message)
            if scope.cancelled_caught:
                break
        stuck.add(number)
        if len(stuck) == sessions:
            all_stuck.set()

    async with Upstream() as upstream:
        text = configuration(upstream.port, timeouts="send: 10m")
        with gateway(folder, text) as (port, process), trio.fail_after(PATIENCE_SECONDS):
            before, kernel_before = resident_bytes(process.worker_pid), kernel_tcp_bytes()
            clients: list[Peer] = []
            async with trio.open_nursery() as nursery:
                for number in range(sessions):
                    client = Peer(await trio.open_tcp_stream("127.0.0.1", port))
                    clients.append(client)
                    await client.send(opening.request)
                    behind, _ = await upstream.agree()
                    await opening.accepted(client)
                    nursery.start_soon(pour, behind, number)
                await all_stuck.wait()
                after, kernel_after = resident_bytes(process.worker_pid), kernel_tcp_bytes()
                nursery.cancel_scope.cancel()
            for client in clients:
                client.stream.socket.close()
            upstream.hang_up()
    return Figures(sessions, after, after - before, kernel_after - kernel_before)


# Of a second in which nothing is taken: the end of a flood is all that it decides.
STUCK_SECONDS = 1.0
