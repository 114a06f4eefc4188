"""Behind proxies that others wrote: what the manual says of each is true, and the client's address arrives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from websockets.trio.server import ServerConnection

from tests.backends import echo, websockets_server
from tests.dialects.families import TWO_KEYS
from tests.openings import OPENINGS, Opening
from tests.peers import Peer
from tests.support import Lines, serving_text

from .proxies import in_front, table

# Not the address from which the proxies come.
CLIENT = "127.0.0.9"
# The columns of the manual's table.
COLUMNS = {"hixie-75": 0, **dict.fromkeys(TWO_KEYS, 1)}
LAST_COLUMN = 2
PROXIES = ["HAProxy, mode tcp", "HAProxy, mode http", "HAProxy, both on one port", "nginx", "Caddy"]

CONFIGURATION = """\
version: 1
listeners:
  - {{bind: ["{binds[0]}"], proxy_protocol: {{accept: required, trusted: ["{trusted}"]}}}}
  - {{bind: ["{binds[1]}"], forwarded: {{trusted: ["{trusted}"]}}}}
defaults: {{timeouts: {{challenge: 1s}}}}
routes: [{{match: {{path: {{prefix: /}}}}, upstream: behind}}]
upstreams: {{behind: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}}}
"""


@dataclass
class Stage:
    """A proxy, a gateway behind it, and an upstream behind that, which echoes."""

    port: int = 0
    """of the proxy"""
    lines: Lines = field(default_factory=Lines)
    """of the gateway's log"""
    addresses: dict[str, str] = field(default_factory=dict)
    """of the clients, by dialect, as the upstream heard them: the first of X-Forwarded-For"""

    async def outcome(self, opening: Opening) -> str:
        """Return the word of the manual's table: yes, no, or for programs."""
        client = Peer(await trio.open_tcp_stream("127.0.0.1", self.port, local_address=CLIENT))
        try:
            await client.send(opening.request)
            head = await client.head()
            if head.startswith(b"HTTP/1.1 400 "):
                return "no"
            assert head.startswith(b"HTTP/1.1 101 ")
            try:
                secret = await opening.proven(client, head)
            except AssertionError:
                return "no"
            frame = opening.hello_back
            await client.send(opening.written(frame, secret))
            assert await client.exactly(len(frame)) == frame
        finally:
            client.stream.socket.close()
        # WebKit wanted to see these first, as hixie-75 has it (section 4.1).
        first = b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        return "yes" if opening.dialect != "hixie-75" or head.startswith(first) else "for programs"

    async def outcomes(self) -> dict[str, str]:
        """Return the words for all dialects, tried at the same time."""
        found: dict[str, str] = {}

        async def one(opening: Opening) -> None:
            found[opening.dialect] = await self.outcome(opening)

        async with trio.open_nursery() as nursery:
            for opening in OPENINGS:
                nursery.start_soon(one, opening)
        return found

    async def answer(self, connection: ServerConnection) -> None:
        """Note the client, and send back what it sends."""
        assert connection.request is not None
        headers = connection.request.headers
        self.addresses[headers["X-WebSocket-Dialect"]] = headers["X-Forwarded-For"].split(", ")[0]
        await echo(connection)


@asynccontextmanager
async def stage(proxy: str, folder: Path, *, unix: bool) -> AsyncIterator[Stage]:
    sockets = [folder / "by_proxy_protocol.sock", folder / "by_http.sock"]
    binds = [f"unix:{path}" for path in sockets] if unix else ["127.0.0.1:0"] * 2
    stage = Stage()
    async with websockets_server(stage.answer) as upstream:
        text = CONFIGURATION.format(binds=binds, trusted="unix" if unix else "127.0.0.1", port=upstream)
        async with serving_text(text) as gateway:
            first, second = sockets if unix else [f"127.0.0.1:{port}" for port in gateway.ports]
            with in_front(proxy, (str(first), str(second)), folder) as port:
                stage.port, stage.lines = port, gateway.lines
                yield stage


def test_the_table_has_these_proxies() -> None:
    assert list(table()) == PROXIES


@pytest.mark.parametrize("unix", [False, True], ids=["over TCP", "over a Unix socket"])
@pytest.mark.parametrize("proxy", PROXIES)
async def test_each_dialect_fares_behind_a_proxy_as_the_readme_says(proxy: str, unix: bool, tmp_path: Path) -> None:
    row = table()[proxy]
    async with stage(proxy, tmp_path, unix=unix) as behind:
        found = await behind.outcomes()
        assert found == {each.dialect: row[COLUMNS.get(each.dialect, LAST_COLUMN)] for each in OPENINGS}
        assert behind.addresses.items() >= {name: CLIENT for name, word in found.items() if word != "no"}.items()


async def test_caddy_loses_the_challenge_of_hixie_76(tmp_path: Path) -> None:
    async with stage("Caddy", tmp_path, unix=False) as behind:
        await behind.outcomes()
        for dialect in TWO_KEYS:
            line = await behind.lines.line("refused", dialect=dialect)
            assert line["why"] == "no 8 bytes after the head within 1 s"
        assert len(behind.lines.every("refused")) == len(TWO_KEYS)
