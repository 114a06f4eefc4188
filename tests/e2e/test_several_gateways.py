"""Several gateways behind HAProxy, by config/haproxy.cfg: all clients are served, also while each is restarted."""

import subprocess
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.server import ServerConnection

from tests.backends import websockets_server
from tests.openings import BY_DIALECT, OPENINGS
from tests.run.gateways import Numbers

from .programs import tool
from .several import FILE, GATEWAYS, Several

MODERN = BY_DIALECT["rfc6455"]
# How long the upstream takes for an answer: else the clients would take all processors from gateways that start.
THINKING_SECONDS = 0.05
# Enough that each gateway has some.
ADDRESSES = [f"127.0.3.{last}" for last in range(1, 21)]


class Register:
    """An upstream that sends back what it gets, and knows by which gateway each client came last."""

    def __init__(self) -> None:
        self.gateway: dict[str, str] = {}
        """by the address of the client"""
        self.dialects: set[tuple[str, str]] = set()
        """with the address of the client"""

    async def answer(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = connection.request.headers
        address = headers["X-Forwarded-For"]
        self.gateway[address] = headers["X-Gateway"]
        self.dialects.add((headers["X-WebSocket-Dialect"], address))
        with suppress(ConnectionClosed):
            while True:
                message = await connection.recv()
                await trio.sleep(THINKING_SECONDS)
                await connection.send(message)


async def whereabouts(several: Several, register: Register) -> dict[str, str]:
    """Return the gateway of each address, now."""
    register.gateway.clear()
    for address in ADDRESSES:
        await several.say_hello(MODERN, address)
    return dict(register.gateway)


def test_haproxy_finds_nothing_wrong_with_the_file() -> None:
    checked = subprocess.run([tool("haproxy"), "-c", "-f", FILE], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "Configuration file is valid\n")


async def test_clients_of_an_address_stay_at_one_gateway_unless_it_is_gone(tmp_path: Path) -> None:
    register = Register()
    async with websockets_server(register.answer) as upstream, Several(tmp_path, upstream) as several:
        expected = set()
        for opening, address in zip(OPENINGS, ADDRESSES, strict=False):
            await several.say_hello(opening, address)
            expected.add((opening.dialect, address))
        assert register.dialects == expected

        before = await whereabouts(several, register)
        assert set(before.values()) == GATEWAYS.keys()
        assert await whereabouts(several, register) == before

        await several.stop("gateway2")
        meanwhile = await whereabouts(several, register)
        assert set(meanwhile.values()) == {"gateway1", "gateway3"}
        assert [meanwhile[at] for at in before if before[at] != "gateway2"] == [
            gateway for gateway in before.values() if gateway != "gateway2"
        ]

        await several.start("gateway2")
        await several.seen("gateway2", "UP")
        assert await whereabouts(several, register) == before


async def test_a_rolling_restart_refuses_no_client_and_closes_every_session_properly(tmp_path: Path) -> None:
    register = Register()
    restarted = False
    sent_home = 0
    came = 0

    async def stay(address: str) -> None:
        """Have a session from an address, and another one when it is closed; the numbers in each are in order."""
        nonlocal sent_home
        while not restarted:
            session = Numbers(several.port, address)
            sessions[address] = session
            await session.run()
            assert session.goodbye in (None, 1012)
            sent_home += session.goodbye is not None

    async def come(addresses: list[str]) -> None:
        """Connect one client after the other, of all dialects."""
        nonlocal came
        for opening, address in zip(cycle(OPENINGS), cycle(addresses)):
            if restarted:
                break
            await several.say_hello(opening, address)
            came += 1

    sessions: dict[str, Numbers] = {}
    async with websockets_server(register.answer) as upstream, Several(tmp_path, upstream) as several:
        async with trio.open_nursery() as nursery:
            for address in ADDRESSES[:6]:
                nursery.start_soon(stay, address)
            for first in (6, 12):
                nursery.start_soon(come, ADDRESSES[first : first + 6])
            for name in GATEWAYS:
                # Each is known to serve before the next is restarted.
                await several.stop(name)
                await several.start(name)
                await several.seen(name, "UP")
            restarted = True
            for session in sessions.values():
                session.finish()
        # Each was at one gateway at least that was restarted.
        assert sent_home >= 6
        assert came > 0
