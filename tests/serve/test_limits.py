"""Limits, from the configuration to their effect, with values on either side of each."""

import socket
from contextlib import ExitStack

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of, values
from tests.openings import BY_DIALECT, OPENINGS, RFC6455, Opening
from tests.peers import Peer
from tests.support import Running, Upstream, serving, serving_text

MODERN = BY_DIALECT["rfc6455"]
GET = "GET / HTTP/1.1"


def filled(size: int) -> bytes:
    """Return a valid request of so many bytes."""
    short = len(head_of(GET, *RFC6455, "X-Filler: "))
    return head_of(GET, *RFC6455, "X-Filler: " + "x" * (size - short))


async def accepted(upstream: Upstream, client: Peer) -> None:
    """Let a client do its handshake."""
    await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def refused(gateway: Running, client: Peer, status: bytes, why: str) -> None:
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\n"), answer
    assert b"\r\nConnection: close\r\n" in answer
    line = await gateway.lines.line("refused", client=client.name)
    assert line["why"] == why


# -- the head --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "most"), [("", 16 * 1024), ("limits: {head_size: 2KiB}", 2048)])
async def test_a_head_may_have_the_size_that_is_allowed_and_no_more(option: str, most: int) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=option) as gateway:
        await accepted(upstream, await gateway.connect(filled(most)))
        # Bytes after it do not count.
        await accepted(upstream, await gateway.connect(filled(most) + b"\x89\x80" + bytes(4)))

        client = await gateway.connect(filled(most + 1))
        await refused(gateway, client, b"431 Request Header Fields Too Large", f"the head is larger than {most} bytes")
        assert upstream.nobody_came()


async def test_a_head_without_end_is_refused_when_it_is_too_large() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="limits: {head_size: 2KiB}") as gateway:
        client = await gateway.connect(filled(4096)[:2048])
        await refused(gateway, client, b"431 Request Header Fields Too Large", "the head is larger than 2048 bytes")


@pytest.mark.parametrize(("option", "most"), [("", 100), ("limits: {headers: 20}", 20)])
async def test_a_head_may_have_as_many_headers_as_are_allowed_and_no_more(option: str, most: int) -> None:
    fillers = ["X-Filler: x"] * (most - len(RFC6455))
    async with Upstream() as upstream, serving(upstream.port, listener=option) as gateway:
        await accepted(upstream, await gateway.connect(head_of(GET, *RFC6455, *fillers)))

        client = await gateway.connect(head_of(GET, *RFC6455, *fillers, "X-Filler: x"))
        why = f"{most + 1} headers, at most {most} are allowed"
        await refused(gateway, client, b"431 Request Header Fields Too Large", why)
        assert upstream.nobody_came()


@pytest.mark.parametrize("part", [b"", b"G", MODERN.request[:-1]], ids=["nothing", "a byte", "all but a byte"])
async def test_a_head_that_does_not_come_is_408(part: bytes, autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 200ms") as gateway:
        client = await gateway.connect(part)
        await refused(gateway, client, b"408 Request Timeout", "no whole request within 0.2 s")
        assert upstream.nobody_came()


async def test_a_head_that_comes_slowly_has_no_more_time_than_others(autojump_clock: MockClock) -> None:
    # One byte after another, each in time: the whole request counts.
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 200ms") as gateway:
        client = await gateway.connect()

        async def drip() -> None:
            for byte in filled(16 * 1024):
                await client.send(bytes([byte]))
                await trio.sleep(0.02)  # a slow client

        gateway.nursery.start_soon(drip)
        assert (await client.head()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert upstream.nobody_came()


# -- messages ----------------------------------------------------------------------------------------------------

ROUTES = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
defaults: {{limits: {{message_size: 8B, fragments: 3}}, timeouts: {{close: 200ms}}}}
routes:
  - {{match: {{path: {{exact: /wide}}}}, upstream: behind, limits: {{message_size: 16B}}}}
  - {{match: {{path: {{exact: /long}}}}, upstream: behind, limits: {{fragments: 4}}}}
  - {{match: {{path: {{prefix: /}}}}, upstream: behind}}
upstreams: {{behind: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}}}
"""


@pytest.mark.parametrize(
    ("path", "message_bytes", "fragments"), [("/", 8, 3), ("/wide", 16, 3), ("/long", 8, 4)], ids=lambda value: value
)
async def test_each_route_has_its_own_bounds_on_messages(path: str, message_bytes: int, fragments: int) -> None:
    request = head_of(f"GET {path} HTTP/1.1", *RFC6455)
    too_big = bytes.fromhex("88 02 03f1")

    def frame(first: int, size: int) -> bytes:
        return bytes([first, 0x80 | size]) + bytes(4 + size)

    def message(number: int) -> bytes:
        return frame(0x02, 1) + frame(0x00, 1) * (number - 2) + frame(0x80, 1)

    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port)) as gateway:
        client = await gateway.connect(request)
        behind, _ = await upstream.agree()
        await client.head()
        await client.send(frame(0x82, message_bytes), message(fragments))
        assert await behind.frame() == (0x82, bytes(message_bytes))
        assert await behind.message() == bytes(fragments)
        await client.send(frame(0x82, message_bytes + 1))
        assert await client.rest() == too_big

        client = await gateway.connect(request)
        await upstream.agree()
        await client.head()
        await client.send(message(fragments + 1))
        assert await client.rest() == too_big


# -- connections -------------------------------------------------------------------------------------------------


async def test_the_client_beyond_the_limit_is_refused_and_those_inside_are_served() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 2") as gateway:
        inside = []
        for _ in range(2):
            client = await gateway.connect(MODERN.request)
            behind, _ = await upstream.agree()
            await client.head()
            inside.append((client, behind))

        beyond = await gateway.connect()  # its request is not read
        head = await beyond.head()
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert values(head, "connection") == ["close"]
        assert await beyond.rest() == b"503 Service Unavailable: listener-full\n"
        line = await gateway.lines.line("refused")
        assert (line["level"], line["status"]) == ("warning", 503)
        assert line["why"] == "public has its limit of 2 connections"

        for client, behind in inside:
            await client.send(MODERN.hello)
            assert await behind.frame() == (0x81, b"Hello")
        assert upstream.nobody_came()


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_place_is_free_again_when_a_client_has_disconnected(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 1") as gateway:
        for _ in range(3):
            client = await gateway.connect(opening.request)
            behind, _ = await upstream.agree()
            await opening.accepted(client)
            await client.close()
            await behind.once()  # a Close, or the end
            await behind.close()
            await gateway.lines.line("session", client=client.name)


@pytest.mark.parametrize("request_", [b"", b"\0", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["none", "noise", "plain"])
async def test_a_place_is_free_again_when_a_client_had_no_session(request_: bytes) -> None:
    request_of_ours = head_of(GET, *RFC6455)
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 1", path="/x") as gateway:
        for _ in range(3):
            client = await gateway.connect(request_)
            await client.send_eof()
            await client.rest()
            await client.close()
        # The gateway sees the disconnect a moment later than the client.
        head = b"HTTP/1.1 503 "
        while head.startswith(b"HTTP/1.1 503 "):
            client = await gateway.connect(request_of_ours)
            head = await client.head()
        assert head.startswith(b"HTTP/1.1 404 ")


async def test_clients_beyond_the_limit_get_their_answer_however_many_came_before() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 1") as gateway:
        await accepted(upstream, await gateway.connect(MODERN.request))
        for _ in range(300):  # more than are answered at the same time
            client = await gateway.connect()
            assert (await client.head()).startswith(b"HTTP/1.1 503 ")
            await client.close()


async def test_clients_beyond_the_limit_get_their_answer_however_many_come_at_once() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 1") as gateway:
        await accepted(upstream, await gateway.connect(MODERN.request))
        with ExitStack() as stack:
            # More than get time to read it; all are in the kernel's queue before the first is accepted.
            socks = [stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port))) for _ in range(600)]
            for sock in socks:
                sock.sendall(MODERN.request)
            for sock in socks:
                client = Peer(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))
                assert (await client.head()).startswith(b"HTTP/1.1 503 ")
                assert await client.rest() == b"503 Service Unavailable: listener-full\n"


async def test_clients_above_the_limit_that_do_not_close_take_no_place() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 1") as gateway:
        first = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        await first.head()
        for _ in range(300):  # more than are answered at the same time
            await gateway.connect()

        await first.close()
        await behind.rest()
        await behind.close()
        await gateway.lines.line("session", client=first.name)
        client = await gateway.connect(MODERN.request)
        await accepted(upstream, client)
