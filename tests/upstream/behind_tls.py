"""Functions for tests of a gateway before a TLS server."""

import re

from tests.openings import BY_DIALECT
from tests.support import Running

MODERN = BY_DIALECT["rfc6455"]
HERE = {"url": "wss://127.0.0.1"}
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\n"


def tls(profile: str = "intermediate", *pins: str, more: str = "") -> str:
    pinned = f", pin: [{', '.join(pins)}]" if pins else ""
    return f"tls: {{profile: {profile}{pinned}{more}}}"


async def echoed(gateway: Running) -> None:
    """Check that a client of the gateway gets its session and its echo."""
    client = await gateway.connect(MODERN.request)
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    await client.send(MODERN.hello)
    assert await client.exactly(7) == b"\x81\x05Hello"
    await client.close()


async def refused(gateway: Running, number: int = 1) -> str:
    """Check that a client gets a 502. Return the error of the target in the log."""
    client = await gateway.connect(MODERN.request)
    assert (await client.rest()).startswith(BAD_GATEWAY)
    line = await gateway.lines.nth("upstream failed", number)
    assert line["status"] == 502
    why = str(line["why"])
    return re.sub(r"^no TLS with wss://127.0.0.1:\d+: ", "", why)
