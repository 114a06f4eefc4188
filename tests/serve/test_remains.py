"""Nothing remains of a connection, however it ends: no descriptor, no task, no count, and nobody who waits."""

import gc
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trio.testing
from h2.events import ConnectionTerminated
from hyperframe.frame import GoAwayFrame

from tests.heads import head_of
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET, HTTP_OK
from tests.support import PATIENCE_SECONDS, Running, Upstream, serving_text

from .http2 import CONNECT, GET, HELLO, Client, method, speaking_http2

MODERN = BY_DIALECT["rfc6455"].request
PARTIAL = b"GET / HTTP/1.1\r\nHost: exa"
NARROW = MODERN.replace(b"/chat", b"/narrow")
POST = head_of("POST / HTTP/1.1", "Host: example.com", "Content-Length: 10") + b"half."

_CONFIGURATION = """\
version: 1
listeners:
  - {{name: clear, bind: ["127.0.0.1:0"]}}
  - {{name: secure, bind: ["127.0.0.1:0"], tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]}}}}
  - {{name: full, bind: ["127.0.0.1:0"], max_connections: 1}}
defaults:
  timeouts: {{close: {patience}, challenge: {patience}, connect: 100ms}}
shutdown: {{spread: none, drain: 200ms}}
routes:
  - {{match: {{path: {{exact: /narrow}}}}, upstream: narrow}}
  - {{match: {{path: {{exact: /dead}}}}, upstream: dead, http_upstream: dead-site}}
  - {{match: {{path: {{prefix: /}}}}, upstream: chat, http_upstream: site}}
upstreams:
  chat: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}
  site: {{targets: [{{url: "http://127.0.0.1:{port}"}}]}}
  narrow: {{targets: [{{url: "ws://127.0.0.1:{port}"}}], max_connections: 1, queue: {{size: 9, timeout: 5s}}}}
  dead: {{targets: [{{url: "ws://127.0.0.1:{dead}"}}, {{url: "ws://127.0.0.2:{dead}"}}]}}
  dead-site: {{targets: [{{url: "http://127.0.0.1:{dead}"}}]}}
"""


@dataclass
class Scene:
    """The parts that an ending needs."""

    gateway: Running
    upstream: Upstream
    authority: Authority
    text: str
    """the configuration"""

    async def session(self, request: bytes = MODERN) -> tuple[Peer, Peer]:
        """Open a session, and return its two ends."""
        client = await self.gateway.connect(request)
        behind, _ = await self.upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        return client, behind

    async def asked(self, request: bytes = HTTP_GET) -> tuple[Peer, Peer]:
        """Send a plain request, and return its two ends."""
        client = await self.gateway.connect(request)
        behind = await self.upstream.accept()
        await behind.head()
        return client, behind

    async def http2(self) -> Client:
        """Open a connection of HTTP/2."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.gateway.ports[1])
        tls = trio.SSLStream(stream, speaking_http2(self.authority), server_hostname="localhost", https_compatible=True)
        await tls.do_handshake()
        client = Client(Peer(stream, tls))
        client.h2.initiate_connection()
        await client.flush()
        return client

    def remains(self) -> dict[str, object]:
        """Return everything that a connection could leave."""
        inside = self.gateway.service._gateway
        return {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "waiting": len(inside.waiting),
            "connections": {name: each.connections for name, each in inside.listener_states.items()},
            "turned_away": [len(each.turned_away._scopes) for each in inside.listener_states.values()],
            "addresses": len(inside.connections._open),
            "pools": {
                name: (inside.pools[name].open, len(inside.pools[name].waiting)) for name in inside.settings.upstreams
            },
            "owned": len(inside.owner),
            "watched": (len(inside.engine.watches), len(inside.engine.closings)),
            "relays": len(inside.engine),
            "sessions": len(inside.counters.live),
        }

    async def settled(self) -> dict[str, object]:
        """Note what is there before anything ends."""
        gc.collect()  # garbage of the test before
        await trio.testing.wait_all_tasks_blocked()
        return self.remains()

    async def remains_only(self, before: dict[str, object]) -> None:
        """Check that this is what remains, very soon after all connections are closed from their other ends."""
        self.gateway.close()
        self.upstream.hang_up()
        with trio.move_on_after(PATIENCE_SECONDS):
            while self.remains() != before:
                await trio.testing.wait_all_tasks_blocked()
        assert self.remains() == before


@pytest.fixture(scope="module", autouse=True)
def nothing_of_other_modules() -> Iterator[None]:
    """Collect the garbage of other modules once; what is alive of them is not looked at again for each test here."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@asynccontextmanager
async def scene(authority: Authority, dead: int | None = None, patience: str = "50ms") -> AsyncIterator[Scene]:
    """Run a gateway; `dead` is the port of a server that does not serve, by default one that refuses."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with Upstream() as upstream:
            file: Path = authority.issue("localhost")
            port = dead or nobody.getsockname()[1]
            text = _CONFIGURATION.format(file=file, port=upstream.port, dead=port, patience=patience)
            async with serving_text(text) as gateway:
                yield Scene(gateway, upstream, authority, text)


# -- endings -------------------------------------------------------------------------------------------------------


async def says_nothing(scene: Scene) -> None:
    await (await scene.gateway.connect()).close()


async def leaves_inside_its_request(scene: Scene) -> None:
    await (await scene.gateway.connect(PARTIAL)).close()


async def is_cut_inside_its_request(scene: Scene) -> None:
    (await scene.gateway.connect(PARTIAL)).reset()


async def speaks_no_http(scene: Scene) -> None:
    await (await scene.gateway.connect(b"\x16\x03\x01")).rest()


async def speaks_no_tls(scene: Scene) -> None:
    client = await scene.gateway.connect(HTTP_GET, port=scene.gateway.ports[1])
    await scene.gateway.lines.line("refused", client=client.name)


async def is_one_too_many(scene: Scene) -> None:
    first = await scene.gateway.connect(PARTIAL, port=scene.gateway.ports[2])
    second = await scene.gateway.connect(port=scene.gateway.ports[2])
    assert (await second.head()).startswith(b"HTTP/1.1 503 ")
    await second.close()
    await first.close()


async def asks_twice_and_leaves(scene: Scene) -> None:
    client = await scene.gateway.connect()
    for _ in range(2):
        await client.send(HTTP_GET)
        behind = await scene.upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        await client.until(b"ok")
    await client.close()


async def leaves_inside_its_body(scene: Scene) -> None:
    client, _ = await scene.asked(POST)
    await client.close()


async def leaves_inside_its_answer(scene: Scene) -> None:
    client, behind = await scene.asked()
    await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 9") + b"half")
    await client.until(b"half")
    client.reset()
    await behind.send(b"more!")


async def loses_its_upstream_inside_the_answer(scene: Scene) -> None:
    client, behind = await scene.asked()
    await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 9") + b"half")
    behind.reset()
    await client.rest()


async def finds_no_server(scene: Scene) -> None:
    for request in (MODERN.replace(b"/chat", b"/dead"), HTTP_GET.replace(b"/ ", b"/dead ")):
        assert (await (await scene.gateway.connect(request)).head()).startswith(b"HTTP/1.1 502 ")


async def is_refused_by_its_upstream(scene: Scene) -> None:
    client = await scene.gateway.connect(MODERN)
    behind = await scene.upstream.accept()
    await behind.head()
    await behind.send(head_of("HTTP/1.1 403 Forbidden", "Content-Length: 2") + b"no")
    await client.rest()


async def has_no_challenge(scene: Scene) -> None:
    client = await scene.gateway.connect(BY_DIALECT["hixie-76"].request[:-8])
    await scene.upstream.agree()
    await client.rest()


async def says_goodbye(scene: Scene) -> None:
    client, behind = await scene.session()
    await client.send(bytes.fromhex("88 82 37fa213d 3412"))
    await behind.frame()
    await behind.send(b"\x88\x02\x03\xe8")
    await client.rest()


async def is_cut_in_its_session(scene: Scene) -> None:
    client, behind = await scene.session()
    client.reset()
    await behind.rest()


async def loses_its_upstream(scene: Scene) -> None:
    client, behind = await scene.session()
    behind.reset()
    await client.rest()


async def breaks_the_rules(scene: Scene) -> None:
    client, _ = await scene.session()
    await client.send(b"\xff" * 14)
    await client.rest()


async def waits_for_a_place(scene: Scene) -> None:
    first, behind = await scene.session(NARROW)
    leaves, stays = [await scene.gateway.connect(NARROW) for _ in range(2)]
    pool = scene.gateway.service._gateway.pools["narrow"]
    while len(pool.waiting) < 2:
        await trio.testing.wait_all_tasks_blocked()
    await leaves.close()
    while len(pool.waiting) > 1:
        await trio.testing.wait_all_tasks_blocked()
    await first.close()
    await behind.close()
    last, _ = await scene.upstream.agree()
    await stays.head()
    last.reset()
    await stays.rest()


async def resets_its_streams(scene: Scene) -> None:
    client = await scene.http2()
    numbers = [await client.ask(GET), await client.ask(CONNECT, end=False), await client.ask(method("POST"), end=False)]
    for _ in numbers:
        await (await scene.upstream.accept()).head()
    for number in numbers:
        await client.reset(number)
    await client.peer.close()


async def is_cut_with_its_streams(scene: Scene) -> None:
    client = await scene.http2()
    number = await client.ask(CONNECT, end=False)
    behind, _ = await scene.upstream.agree()
    await client.response(number)
    await client.say(number, HELLO)
    await behind.frame()
    await client.ask(GET)
    await (await scene.upstream.accept()).head()
    client.peer.reset()
    await behind.rest()


async def goes_away(scene: Scene) -> None:
    client = await scene.http2()
    await client.ask(GET)
    await (await scene.upstream.accept()).head()
    await client.peer.send(GoAwayFrame(0).serialize())
    await client.until_closed()
    await client.peer.close()


async def breaks_the_rules_of_http2(scene: Scene) -> None:
    client = await scene.http2()
    await client.ask(GET)
    await client.ask([(":method", "GET"), ("x", "1"), (":path", "/")])
    await client.event(ConnectionTerminated)
    await client.peer.close()


async def loses_the_upstream_of_a_stream(scene: Scene) -> None:
    client = await scene.http2()
    number = await client.ask(CONNECT, end=False)
    behind, _ = await scene.upstream.agree()
    behind.reset()
    await client.code(number)
    await client.peer.close()


ENDINGS: list[Callable[[Scene], Awaitable[None]]] = [
    says_nothing, leaves_inside_its_request, is_cut_inside_its_request, speaks_no_http, speaks_no_tls, is_one_too_many,
    asks_twice_and_leaves, leaves_inside_its_body, leaves_inside_its_answer, loses_its_upstream_inside_the_answer,
    finds_no_server, is_refused_by_its_upstream, has_no_challenge, says_goodbye, is_cut_in_its_session,
    loses_its_upstream, breaks_the_rules, waits_for_a_place, resets_its_streams, is_cut_with_its_streams, goes_away,
    breaks_the_rules_of_http2, loses_the_upstream_of_a_stream,
]  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__.replace("_", " "))
async def test_nothing_remains_of_a_client_after_that(
    ending: Callable[[Scene], Awaitable[None]], authority: Authority
) -> None:
    async with scene(authority) as here:
        before = await here.settled()
        await ending(here)
        await here.remains_only(before)


async def test_nothing_remains_of_a_stopped_gateway(authority: Authority) -> None:
    async with scene(authority) as here:
        before = await here.settled()
        gateway = here.gateway
        await gateway.connect()
        await gateway.connect(PARTIAL)
        await gateway.connect(PARTIAL, port=gateway.ports[1])
        await here.asked()
        await here.asked(POST)
        await asks_twice_and_leaves(here)
        await here.session()
        await here.session(NARROW)
        await gateway.connect(NARROW)
        client = await here.http2()
        await client.ask(CONNECT, end=False)
        await here.upstream.agree()
        await client.ask(GET)
        await (await here.upstream.accept()).head()
        gateway.service.drain()
        await gateway.stopped.wait()
        await client.peer.close()
        # The tasks of a gateway: itself, the relay and its checks, pools, the watcher for hang-ups, the alarms, and the
        # owner of connections; and acceptors.
        own = {"tasks": 7 + len(gateway.ports), "descriptors": 1 + len(gateway.ports)}
        await here.remains_only(before | {name: int(str(before[name])) - count for name, count in own.items()})
