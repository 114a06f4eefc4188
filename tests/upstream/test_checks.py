"""Active checks: the requests to a server, and the answers that count as good."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from tests.backends import websockets_server
from tests.heads import head_of, switching, values
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Upstream, dead_port
from wsgateway.dialects import DIALECTS
from wsgateway.errors import UpstreamError
from wsgateway.settings.addresses import target_url as read
from wsgateway.settings.basics import Address
from wsgateway.settings.health import ActiveCheck, CheckType
from wsgateway.settings.upstreams import AnswerLimits, ProxyVersion, Target, TargetTls
from wsgateway.settings.upstreams import Upstream as Behind
from wsgateway.upstream.checks import check
from wsgateway.upstream.tls import client_contexts

from .servers import accepted

Answer = Callable[[Peer], Awaitable[None]]
HTTP = ActiveCheck("http", "/health", timeout_seconds=PATIENCE_SECONDS)
WEBSOCKET = ActiveCheck("websocket", "/health", timeout_seconds=PATIENCE_SECONDS)
TCP = ActiveCheck(timeout_seconds=PATIENCE_SECONDS)


async def ask(target: Target, active: ActiveCheck, dialect: str = "rfc6455", proxy: ProxyVersion = "none") -> None:
    behind = Behind((target,), name="chat", dialect=DIALECTS[dialect], send_proxy_protocol=proxy)
    contexts = client_contexts({target.tls} if target.url.secure else ())
    await check(behind, target, Address("127.0.0.1", target.url.port), active, contexts)


@asynccontextmanager
async def asking(upstream: Upstream, *more: object) -> AsyncIterator[None]:
    """Check a server, which the test plays meanwhile. A bad answer raises an error."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, Target(read(f"ws://127.0.0.1:{upstream.port}")), *more)
            yield


async def said_of(upstream: Upstream, active: ActiveCheck, answer: Answer) -> str | None:
    """Return the error of a check of a server with this answer; None if it is good."""

    async def serve() -> None:
        await answer(await upstream.accept())

    said = None
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            try:
                await ask(Target(read(f"ws://127.0.0.1:{upstream.port}")), active)
            except UpstreamError as error:
                said = str(error)
            nursery.cancel_scope.cancel()
    return said


def saying(*lines: str, behind: bytes = b"") -> Answer:
    async def answer(peer: Peer) -> None:
        await peer.head()
        await peer.send(head_of(*lines) + behind)
        await peer.close()

    return answer


async def silent(peer: Peer) -> None:
    await trio.sleep_forever()


async def gone(peer: Peer) -> None:
    await peer.head()
    peer.reset()


ANSWERS: dict[str, tuple[ActiveCheck, Answer, str | None]] = {
    "tcp": (TCP, silent, None),
    "http 200": (HTTP, saying("HTTP/1.1 200 OK", "Content-Length: 5", behind=b"hello"), None),
    "http 204": (HTTP, saying("HTTP/1.1 204 No Content"), None),
    "http 302": (HTTP, saying("HTTP/1.1 302 Found", "Location: /x"), None),
    "http 103, 200": (HTTP, saying("HTTP/1.1 103 X", "", "HTTP/1.1 200 OK"), None),
    "http 399": (HTTP, saying("HTTP/1.1 399 X"), None),
    "http 400": (HTTP, saying("HTTP/1.1 400 X"), "answered 400 to a health check"),
    "http 404": (HTTP, saying("HTTP/1.1 404 Not Found"), "answered 404 to a health check"),
    "http 503": (HTTP, saying("HTTP/1.1 503 Busy"), "answered 503 to a health check"),
    "http garbage": (HTTP, saying("220 smtp"), "wrong answer to a health check: malformed response"),
    "http reset": (HTTP, gone, "lost during a health check: Connection reset by peer"),
    "websocket 403": (WEBSOCKET, saying("HTTP/1.1 403 Forbidden"), "answered 403 to a health check"),
    "websocket 200": (WEBSOCKET, saying("HTTP/1.1 200 OK"), "answered 200 to a WebSocket handshake"),
    "websocket reset": (WEBSOCKET, gone, "lost during the handshake: Connection reset by peer"),
    "websocket wrong": (
        WEBSOCKET,
        saying("HTTP/1.1 101 X", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"),
        "wrong handshake: Sec-WebSocket-Accept 'x'",
    ),
}


@pytest.mark.parametrize(("active", "answer", "said"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_to_a_check_is_good_or_has_an_error_text(
    active: ActiveCheck, answer: Answer, said: str | None
) -> None:
    async with Upstream() as upstream:
        found = await said_of(upstream, active, answer)
    assert (found or "").startswith(said or "")
    assert (found is None) is (said is None)


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_an_answer_has_its_time(kind: CheckType) -> None:
    async with Upstream() as upstream:
        said = await said_of(upstream, ActiveCheck(kind, timeout_seconds=0.1), silent)
        assert said == "no answer to a health check within 0.1 s"


async def test_a_server_that_does_not_listen_fails_the_check() -> None:
    with dead_port() as port, pytest.raises(UpstreamError, match=f"no connection to 127.0.0.1:{port}: Connection ref"):
        await ask(Target(read(f"ws://127.0.0.1:{port}")), TCP)


async def test_a_check_is_a_get_of_the_path_with_the_targets_host() -> None:
    async with Upstream() as upstream, asking(upstream, HTTP):
        peer = await upstream.accept()
        head = await peer.head()
        await peer.send(head_of("HTTP/1.1 200 OK"))
        assert head.startswith(b"GET /health HTTP/1.1\r\n")
        assert values(head, "host") == [f"127.0.0.1:{upstream.port}"]


INSISTS = (
    ("Host", "health.example"),
    ("Origin", "https://app.example"),
    ("Authorization", "Bearer x"),
    ("user-agent", "probe"),
)


@pytest.mark.parametrize("active", [HTTP, WEBSOCKET], ids=["http", "websocket"])
async def test_a_check_sends_configured_headers_in_the_place_of_ours(active: ActiveCheck) -> None:
    async with Upstream() as upstream, asking(upstream, replace(active, headers=INSISTS)):
        peer = await upstream.accept()
        head = await peer.head()
        await peer.send(switching(head) if active is WEBSOCKET else head_of("HTTP/1.1 200 OK"))
        assert {name: values(head, name.lower()) for name, _ in INSISTS} == {name: [value] for name, value in INSISTS}


async def test_a_server_of_an_old_dialect_gets_the_origin_in_its_own_header() -> None:
    active = replace(WEBSOCKET, headers=INSISTS)
    async with Upstream() as upstream, asking(upstream, active, "hybi-08"):
        session = await accepted(upstream)
        assert values(session.request, "sec-websocket-origin") == ["https://app.example"]
        assert values(session.request, "origin") == []
        await session.peer.rest()


async def test_a_server_that_insists_on_a_subprotocol_is_offered_it() -> None:
    async with Upstream() as upstream, asking(upstream, replace(WEBSOCKET, subprotocols=("mqtt", "v2.mqtt"))):
        peer = await upstream.accept()
        head = await peer.head()
        assert values(head, "sec-websocket-protocol") == ["mqtt, v2.mqtt"]
        await peer.send(switching(head, "Sec-WebSocket-Protocol: mqtt"))
        assert await peer.frame() == (0x88, b"\x03\xe8")


async def test_an_answer_to_a_check_is_held_to_the_bounds_of_its_upstream() -> None:
    async with Upstream() as upstream:
        target = Target(read(f"ws://127.0.0.1:{upstream.port}"))
        for size, kind in ((30_000, HTTP), (30_000, WEBSOCKET), (70_000, HTTP), (70_000, WEBSOCKET)):
            for bounds in (AnswerLimits(), AnswerLimits(head_bytes=100_000)):
                told: list[UpstreamError] = []

                async def answer(size: int = size, kind: ActiveCheck = kind) -> None:
                    peer = await upstream.accept()
                    head = await peer.head()
                    more = "X-Long: " + "x" * size
                    await peer.send(switching(head, more) if kind is WEBSOCKET else head_of("HTTP/1.1 200 OK", more))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(answer)
                    try:
                        behind = Behind((target,), name="chat", limits=bounds)
                        await check(behind, target, Address("127.0.0.1", target.url.port), kind, {})
                    except UpstreamError as error:
                        told.append(error)
                assert bool(told) is (size > 65536 and bounds.head_bytes is None), (size, kind, bounds)
                assert all("the head is larger than 65536 bytes" in str(error) for error in told)


async def test_a_check_by_handshake_ends_with_a_close() -> None:
    async with Upstream() as upstream, asking(upstream, WEBSOCKET):
        peer = await upstream.accept()
        request = await peer.head()
        assert request.startswith(b"GET /health HTTP/1.1\r\n")
        await peer.send(switching(request))
        assert await peer.frame() == (0x88, b"\x03\xe8")


@pytest.mark.parametrize("dialect", BY_DIALECT)
async def test_a_check_uses_the_dialect_of_the_server(dialect: str) -> None:
    async with Upstream() as upstream, asking(upstream, WEBSOCKET, dialect):
        session = await accepted(upstream)
        assert session.dialect == dialect
        await session.peer.rest()


async def test_a_server_that_others_wrote_is_good() -> None:
    async with websockets_server() as port:
        await ask(Target(read(f"ws://127.0.0.1:{port}")), WEBSOCKET)


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
async def test_tls_is_part_of_every_check_where_a_target_has_it(name: str, authority: Authority) -> None:
    async with websockets_server(ssl=authority.server) as port:
        url = f"wss://127.0.0.1:{port}"
        target = Target(read(url), TargetTls(ca=str(authority.file), server_name=name))
        if name == "localhost":
            await ask(target, TCP)
        else:
            with pytest.raises(UpstreamError, match=f"no TLS with {url}: Hostname mismatch"):
                await ask(target, TCP)


@pytest.mark.parametrize(
    ("version", "preface"),
    [("v1", b"PROXY UNKNOWN\r\n"), ("v2", bytes.fromhex("0d0a0d0a000d0a515549540a 20 00 0000"))],
)
async def test_a_check_sends_a_proxy_header_without_addresses(version: ProxyVersion, preface: bytes) -> None:
    async with Upstream() as upstream, asking(upstream, TCP, "rfc6455", version):
        peer = await upstream.accept()
        assert await peer.rest() == preface
