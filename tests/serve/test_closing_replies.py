"""A fault of a client costs no reply, with TLS to the upstream, with TLS or HTTP/2 to the client.

The same holds if the fault is that the client has sent more messages than its rate allows.
"""

from dataclasses import dataclass

import pytest

from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Running, Upstream, end_of, serving

from .http2 import HELLO, HELLO_BACK, Client, listener

MODERN = BY_DIALECT["rfc6455"]
RATE = 3


@dataclass(frozen=True)
class Fault:
    """The messages of a client in one write, of which the last breaks a rule."""

    texts: int
    """how many of them are valid, so that the upstream replies to them"""
    last: bytes
    close: bytes
    """the Close that the client gets"""
    ended: str
    """the text in the log"""


FAULTS = {
    "a reserved opcode": Fault(
        2, bytes.fromhex("83 80 37fa213d"), b"\x88\x02\x03\xea", "client: reserved opcode 0x3 (1002)"
    ),
    # All messages of one read pass.
    "messages beyond the rate": Fault(
        RATE + 1, b"", b"\x88\x02\x03\xf0", f"client: more messages than {RATE} in 3600 s (1008)"
    ),
}
LIMITS = f"message_rate: {RATE}/h"


class Stream:
    """A client whose session is a stream of HTTP/2."""

    def __init__(self, client: Client, number: int) -> None:
        self._client = client
        self._number = number

    async def send(self, data: bytes) -> None:
        await self._client.say(self._number, data)

    async def rest(self) -> bytes:
        return await self._client.body(self._number)

    async def close(self) -> None:
        await self._client.say(self._number, b"", end=True)


async def connected(
    gateway: Running, upstream: Upstream, carrier: str, authority: Authority
) -> tuple[Peer, Peer | Stream]:
    """Return the upstream's end, and a client with an open session."""
    if carrier == "HTTP/2":
        http2 = await Client.connect(gateway, authority)
        number, behind = await http2.session(upstream)
        return behind, Stream(http2, number)
    if carrier == "TLS":
        client = await gateway.connect_tls(authority.client(), MODERN.request)
    else:
        client = await gateway.connect(MODERN.request)
    behind, _ = await upstream.agree()
    await MODERN.accepted(client)
    return behind, client


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("to_upstream", ["TCP", "TLS"])
@pytest.mark.parametrize("carrier", ["TCP", "TLS", "HTTP/2"])
async def test_a_fault_costs_no_reply_whatever_carries_the_session(
    carrier: str, to_upstream: str, fault: Fault, authority: Authority
) -> None:
    """The upstream replies only after its Close, message by message, and then answers the Close."""
    options = {"limits": LIMITS}
    if carrier != "TCP":
        options["listener"] = listener(authority.issue("localhost"))
    if to_upstream == "TLS":
        options |= {"url": "wss://127.0.0.1", "target": f"tls: {{ca: {authority.file}, server_name: localhost}}"}
    async with (
        Upstream(authority.server if to_upstream == "TLS" else None) as upstream,
        serving(upstream.port, **options) as gateway,
    ):
        behind, client = await connected(gateway, upstream, carrier, authority)
        await client.send(HELLO * fault.texts + fault.last)
        for _ in range(fault.texts):
            assert await behind.frame() == (0x81, b"Hello")
        assert await behind.frame() == (0x88, b"\x03\xe9")
        for _ in range(fault.texts):
            await behind.send(HELLO_BACK)
        await behind.send(b"\x88\x02\x03\xe9")
        assert await client.rest() == HELLO_BACK * fault.texts + fault.close
        assert await behind.rest() == b""
        await behind.close()
        await client.close()
        assert end_of(await gateway.lines.line("session")) == fault.ended
