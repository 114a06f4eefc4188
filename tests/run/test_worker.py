"""A process that serves: it listens, closes every session with a Close, and ends in limited time."""

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.heads import switching
from tests.openings import BY_DIALECT, CHALLENGE, NONCE, OPENINGS, Opening, opened
from tests.processes import PATIENCE_SECONDS, GatewayProcess, session
from tests.support import Upstream, configuration, end_of, serving

MODERN = BY_DIALECT["rfc6455"]
Ends = tuple[Opening, socket.socket, socket.socket]
RESTARTING = (0x88, bytes.fromhex("03f4"))


# -- in this process -------------------------------------------------------------------------------------------


async def test_every_session_gets_the_close_of_its_dialect_and_a_line_in_the_log() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        sessions = [await opened(upstream, gateway, opening) for opening in OPENINGS]
        gateway.service.drain()

        for session in sessions:
            assert await session.behind.frame() == RESTARTING
            await session.behind.send(bytes.fromhex("88 02 03f4"))
            await session.client.send(session.masked(session.opening.answer))
            assert await session.client.rest() == session.opening.goodbye
            assert await session.behind.rest() == b""
            await session.ends()
        await gateway.stopped.wait()

        lines = gateway.lines.every("session")
        assert {line["dialect"] for line in lines} == BY_DIALECT.keys()
        assert [end_of(line) for line in lines] == ["gateway: stopped"] * len(OPENINGS)


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_side_that_does_not_answer_the_close_is_waited_for_until_its_timeout(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="close: 100ms") as gateway:
        session = await opened(upstream, gateway, opening)
        gateway.service.drain()
        assert await session.client.rest() == opening.goodbye
        assert await session.behind.frame() == RESTARTING
        assert await session.behind.rest() == b""
        await gateway.stopped.wait()
        assert end_of(await gateway.lines.line("session")) == "gateway: stopped"


async def test_a_gateway_that_stops_has_closed_its_listeners() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, MODERN)
        gateway.service.drain()
        assert await session.client.frame() == RESTARTING
        # It has not ended yet.
        with pytest.raises(OSError, match="all attempts to connect"):
            await gateway.connect()
        await session.ends()
        await gateway.stopped.wait()


async def test_a_gateway_without_sessions_stops_at_once() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        gateway.service.drain()
        await gateway.stopped.wait()
        assert gateway.lines.entries == [
            {"level": "info", "event": "draining", "sessions": 0},
            {"level": "info", "event": "drained", "closed": 0, "cut": 0},
        ]


async def test_sessions_that_ended_before_a_drain_are_not_counted_as_closed_by_it() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        for number in range(2):
            session = await opened(upstream, gateway, MODERN)
            if number:
                gateway.service.drain()
                assert await session.client.frame() == RESTARTING
            await session.ends()
            await gateway.lines.enough("session", number + 1)
        line = await gateway.lines.line("drained")
        assert (line["closed"], line["cut"]) == (1, 0)


async def test_a_message_that_has_begun_is_finished_before_the_close() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, MODERN)
        await session.behind.send(b"\x81\x05Hel")
        assert await session.client.exactly(5) == b"\x81\x05Hel"
        gateway.service.drain()
        await session.behind.send(b"lo")
        assert await session.client.exactly(2) == b"lo"
        assert await session.client.frame() == RESTARTING
        assert await session.behind.frame() == RESTARTING


# Clients that have no session when the gateway stops, and what they have said.
EARLY = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\n",
    "a request that waits for the upstream": MODERN.request,
    "a head whose challenge is late": BY_DIALECT["hixie-76"].head,
}


@pytest.mark.parametrize("said", EARLY.values(), ids=EARLY)
async def test_a_client_without_a_session_does_not_keep_a_gateway_from_stopping(said: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="close: 100ms") as gateway:
        client = await gateway.connect(said)
        if said.endswith(b"\r\n\r\n"):
            behind = await upstream.accept()
            request = await behind.head()
            if said is not MODERN.request:
                await behind.send(switching(request))
        else:
            await wait_all_tasks_blocked()
        gateway.service.drain()
        await gateway.stopped.wait()
        assert not (await client.rest()).startswith(b"HTTP/1.1 101 Switching")


async def test_a_client_that_has_sent_no_request_is_told_that_the_gateway_stops() -> None:
    # A browser connects ahead of need; its connection would keep the gateway for the whole time of a handshake.
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 1h") as gateway:
        silent = await gateway.connect(b"")
        client_handshake = await gateway.connect(b"GET /")
        await wait_all_tasks_blocked()
        gateway.service.drain()
        answer = await client_handshake.rest()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert answer.endswith(b": gateway-stopping\n")
        assert await silent.rest() == b""
        await client_handshake.close()
        await gateway.stopped.wait()


async def test_a_session_that_opens_during_a_drain_gets_its_close_at_once() -> None:
    opening = BY_DIALECT["hixie-76"]
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.head)
        behind = await upstream.accept()
        request = await behind.head()
        gateway.service.drain()
        await behind.send(switching(request))
        await client.send(CHALLENGE)
        assert await client.exactly(len(opening.reply)) == opening.reply
        assert await client.exactly(2) == opening.goodbye
        await client.close()
        assert await behind.frame() == RESTARTING
        await behind.close()
        await gateway.stopped.wait()


# -- as a process ----------------------------------------------------------------------------------------------


NEVER = "close: 1h"
# Whose reply nobody can know before is for the tests in this process.
FORESEEN = [opening for opening in OPENINGS if NONCE.encode() not in opening.reply]


@pytest.fixture
def upstream_socket() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(PATIENCE_SECONDS)
        yield sock


def received(sock: socket.socket) -> bytes:
    """Return all bytes up to the end."""
    data = b""
    while more := sock.recv(65536):
        data += more
    return data


@contextmanager
def a_session_of_each(process: GatewayProcess, upstream: socket.socket) -> Iterator[list[Ends]]:
    """Yield a session of each dialect through a process: the opening of its client, and its two ends."""
    address = process.address()
    with ExitStack() as stack:
        yield [(opening, *stack.enter_context(session(address, upstream, opening))) for opening in FORESEEN]


def check_end(process: GatewayProcess) -> None:
    """Check that a process ends with status 0, and has logged the end of all those sessions."""
    assert process.wait() == 0
    log = str(process)
    assert "Traceback" not in log
    dialects = re.findall(
        r"event=session .*dialect=(\S+) .*by=gateway reason=gateway-stopping why=stopped$", log, re.MULTILINE
    )
    assert sorted(dialects) == sorted(opening.dialect for opening in FORESEEN)


def test_a_signal_stops_a_process_gracefully(upstream_socket: socket.socket, tmp_path: Path) -> None:
    text = configuration(upstream_socket.getsockname()[1], timeouts="close: 200ms")
    with GatewayProcess(tmp_path / "gateway.yaml", text) as process:
        with a_session_of_each(process, upstream_socket) as sessions:
            process.signal(signal.SIGTERM)
            process.find_line("level=info event=stopping why=SIGTERM$")
            for opening, client, behind in sessions:
                assert received(client) == opening.goodbye
                assert received(behind)[0] == 0x88
        check_end(process)


def test_a_second_signal_ends_a_process_at_once(upstream_socket: socket.socket, tmp_path: Path) -> None:
    text = configuration(upstream_socket.getsockname()[1], timeouts=NEVER)
    with GatewayProcess(tmp_path / "gateway.yaml", text) as process:
        with a_session_of_each(process, upstream_socket) as sessions:
            process.signal(signal.SIGTERM)
            process.find_line("event=stopping ")
            # The goodbyes are there, and nobody answers them.
            for opening, client, behind in sessions:
                assert behind.recv(1) == b"\x88"
                assert client.recv(len(opening.goodbye)) == opening.goodbye
            process.signal(signal.SIGINT)
            process.find_line('level=warning event="ended at once" why=SIGINT$')
            for _, client, _ in sessions:
                assert received(client) == b""
        check_end(process)


def test_a_second_signal_ends_handshakes_too(upstream_socket: socket.socket, tmp_path: Path) -> None:
    text = configuration(upstream_socket.getsockname()[1], timeouts=f"{NEVER}, handshake: 1h")
    with (
        GatewayProcess(tmp_path / "gateway.yaml", text) as process,
        socket.create_connection(process.address()) as client,
    ):
        client.sendall(MODERN.request)
        behind, _ = upstream_socket.accept()
        with behind:
            process.signal(signal.SIGINT)
            process.find_line("event=stopping why=SIGINT$")
            process.signal(signal.SIGTERM)
            assert process.wait() == 0


# -- a file that is read again -------------------------------------------------------------------------------------


def test_a_process_reads_its_file_again_at_a_signal(upstream_socket: socket.socket, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    text = configuration(upstream_socket.getsockname()[1], timeouts="close: 200ms")
    with GatewayProcess(file, text) as process:
        address = process.address()
        with session(address, upstream_socket, MODERN) as (client, behind):
            # A mistake is told with its place, and changes nothing.
            file.write_text(text.replace("prefix: /}", "prefx: /}"))
            process.signal(signal.SIGHUP)
            line = r'event="reload refused" reason=file-invalid .*why="[^"]*gateway\.yaml:9:\d+: .*prefx: this key'
            process.find_line(line)
            with session(address, upstream_socket, MODERN):
                pass

            file.write_text(text.replace("defaults:", '  - {name: second, bind: ["127.0.0.2:0"]}\ndefaults:'))
            process.signal(signal.SIGHUP)
            process.find_line("level=info event=reloaded listeners_added=second routes=1 workers=1$")
            port = int(process.find_line(r"event=listening listener=second address=127\.0\.0\.2:(\d+)$")[1])
            with session(("127.0.0.2", port), upstream_socket, MODERN):
                pass

            behind.sendall(b"\x81\x05Hello")
            assert client.recv(100) == b"\x81\x05Hello"
            process.signal(signal.SIGTERM)
            process.find_line("event=draining sessions=")
            assert client.recv(100) == MODERN.goodbye
        process.find_line("event=drained ")
        assert process.wait() == 0
