"""A gateway before several targets, which the test plays."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import trio

from tests.heads import switching
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Running, Upstream, serving_text

MODERN = BY_DIALECT["rfc6455"]

_CONFIGURATION = """\
version: 1
listeners: [{{name: public, bind: ["127.0.0.1:0"]}}]
defaults: {{timeouts: {{{timeouts}}}}}
routes:
  - {{name: chat, match: {{path: {{prefix: /}}, upgrade: true}}, upstream: chat}}
  - {{name: pages, match: {{path: {{prefix: /}}}}, http_upstream: pages}}
upstreams:
  chat: {{targets: [{targets}], {more}}}
  pages: {{targets: [{pages}], {more}}}
"""


def several(*targets: int | str, timeouts: str = "", more: str = "", pages: str = "") -> str:
    """Return the YAML of a gateway before these targets, given as ports of this machine or as text for their mapping.

    `more` is text for the mapping of the upstream. Plain HTTP goes to the same ports, or to `pages`.
    """
    written = [each if isinstance(each, str) else f'url: "ws://127.0.0.1:{each}"' for each in targets]
    chat = ", ".join(f"{{{each}}}" for each in written)
    return _CONFIGURATION.format(
        targets=chat, timeouts=timeouts, more=more, pages=pages or chat.replace("ws://", "http://")
    )


@asynccontextmanager
async def three(**options: str) -> AsyncIterator[tuple[list[Upstream], Running]]:
    """Run a gateway before three targets."""
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(Upstream()) for _ in range(3)]
        text = several(*(each.port for each in upstreams), **options)
        yield upstreams, await stack.enter_async_context(serving_text(text))


@asynccontextmanager
async def agreeable(port: int = 0) -> AsyncIterator[Upstream]:
    """Yield a server that accepts every handshake, and closes when its client does, and all in the end."""
    async with Upstream(port=port) as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(agree_to_all, upstream, nursery)
        yield upstream
        nursery.cancel_scope.cancel()


async def agree_to_all(upstream: Upstream, nursery: trio.Nursery) -> None:
    """Accept every handshake, until this is cancelled."""
    while True:
        nursery.start_soon(_agree, await upstream.accept())


async def _agree(peer: Peer) -> None:
    request = b""
    with suppress(trio.BrokenResourceError):
        while data := await peer.once():  # an active check sends nothing
            request += data
            if data.endswith(b"\r\n\r\n"):
                await peer.send(switching(request))
    await peer.close()


async def session(upstream: Upstream, gateway: Running) -> tuple[Peer, Peer]:
    """Return both ends of a session with this target, which is the next in turn."""
    client = await gateway.connect(MODERN.request)
    behind, _ = await upstream.agree()
    await greeted(client, behind)
    return client, behind


async def greeted(client: Peer, behind: Peer) -> None:
    """Check that a session is open, although the client has not read the answer: a message goes through."""
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    await behind.send(b"\x81\x05Hello")
    assert await client.frame() == (0x81, b"Hello")


async def finish(gateway: Running, client: Peer, behind: Peer) -> dict[str, Any]:
    """End a session from the client's side. Return its line in the log."""
    before = len(gateway.lines.every("session"))
    await client.close()
    await behind.rest()
    await behind.close()
    return (await gateway.lines.enough("session", before + 1))[-1]
