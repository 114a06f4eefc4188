"""A client that reads slowly and steadily what an upstream never stops to send, behind HAProxy or not: it must stay."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.e2e.programs import Program, tool
from tests.heads import switching
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Upstream, configuration

from .process import gateway

MODERN = BY_DIALECT["rfc6455"]
MESSAGE = b"\x82\x7e\x03\xe8" + bytes(1000)
# A pong to `wsgateway` from a client, under the key 37 FA 21 3D.
PONG = bytes.fromhex("8a 89 37fa213d 4089465c439f565c4e")
STEP_SECONDS = 0.2
# HAProxy and the kernel hold megabytes for a slow client if they may; for minutes nothing is acknowledged then.
_HAPROXY = """\
global
    tune.sndbuf.client 65536
    tune.rcvbuf.server 65536
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend web
    bind fd@{number}
    default_backend gateway
backend gateway
    server gateway 127.0.0.1:{port}
"""


@dataclass(frozen=True)
class Figures:
    """What became of the reader."""

    seconds: float
    """that it read"""
    read_bytes: int
    pings: int
    """to which it came, and which it answered"""
    ended: str | None
    """why its session ended before it had read for so long; None: it did not"""

    def __str__(self) -> str:
        how = "and the session goes on" if self.ended is None else f"then it ended: {self.ended}"
        return f"{self.read_bytes} bytes in {self.seconds:.0f} s, {self.pings} pings, {how}"


@contextmanager
def haproxy_before(port: int, folder: Path) -> Iterator[int]:
    """Yield the port of HAProxy, which is in front of another port."""
    with socket.create_server(("127.0.0.1", 0)) as here:
        settings = folder / "haproxy.cfg"
        settings.write_text(_HAPROXY.format(number=here.fileno(), port=port))
        with Program(tool("haproxy"), "-db", "-f", settings, descriptors=[here.fileno()]):
            yield here.getsockname()[1]


async def reader(folder: Path, rate: int, seconds: float, proxy: bool = True, **options: str) -> Figures:
    """Read so many bytes a second for so long; `options` are those of `configuration`."""
    async with Upstream() as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(_pour, upstream)
        with gateway(folder, configuration(upstream.port, **options)) as (port, process):
            if proxy:
                with haproxy_before(port, folder) as front:
                    figures = await _read(front, rate, seconds)
            else:
                figures = await _read(port, rate, seconds)
            nursery.cancel_scope.cancel()
        ended = [line for line in process.output if "event=session" in line]
    reason = None if figures.ended is None else ended[-1].partition("ended=")[2] if ended else figures.ended
    return Figures(figures.seconds, figures.read_bytes, figures.pings, reason)


async def _pour(upstream: Upstream) -> None:
    behind = await upstream.accept()
    try:
        await behind.send(switching(await behind.head()))
        while True:
            await behind.send(MESSAGE * 16)
    except trio.BrokenResourceError:
        return


async def _read(port: int, rate: int, seconds: float) -> Figures:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    peer = Peer(stream)
    await peer.send(MODERN.request)
    while await peer.exactly(1) != b"\n" or await peer.exactly(2) != b"\r\n":
        continue
    kept, read, pings = b"", 0, 0
    begun = trio.current_time()
    ended = None
    try:
        while (passed := trio.current_time() - begun) < seconds and ended is None:
            await trio.sleep(STEP_SECONDS)
            while read < rate * passed and ended is None:
                data = await stream.receive_some(2048)
                ended = None if data else "the connection was closed"
                read += len(data)
                kept += data
                while len(kept) >= 4 and len(kept) >= (size := _size(kept)):
                    if kept[0] == 0x89:
                        pings += 1
                        await stream.send_all(PONG)
                    kept = kept[size:]
    except trio.BrokenResourceError as error:
        ended = str(error)
    await stream.aclose()
    return Figures(trio.current_time() - begun, read, pings, ended)


def _size(frame: bytes) -> int:
    return 2 + frame[1] if frame[1] < 126 else 4 + int.from_bytes(frame[2:4])
