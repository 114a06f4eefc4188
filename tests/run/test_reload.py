"""New settings while a gateway runs: what goes on as before, what has the new ones, and that no client notices."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
import websockets.trio.client
from websockets.trio.client import ClientConnection

from tests.backends import websockets_server
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, Session, opened
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, http_configuration, serving_http
from tests.support import Running, Upstream, configuration, serving, serving_text
from wsgateway.errors import SettingsError
from wsgateway.run.listening import Listening
from wsgateway.settings.load import parse

from .gateways import tls

MODERN = BY_DIALECT["rfc6455"]
RELOADS = 20
# Another listener, at an address of its own.
SECOND = '  - {name: second, bind: ["127.0.0.2:0"]}\n'


def with_second(text: str) -> str:
    return text.replace("defaults:\n", f"{SECOND}defaults:\n")


async def connect(gateway: Running, host: str, port: int) -> Peer:
    """Return a client that connects from one of our addresses."""
    peer = Peer(await trio.open_tcp_stream(host, port))
    gateway.nursery.start_soon(_closed_at_last, peer)
    return peer


async def _closed_at_last(peer: Peer) -> None:
    try:
        await trio.sleep_forever()
    finally:
        peer.stream.socket.close()


# -- sessions --------------------------------------------------------------------------------------------------


async def test_no_message_is_lost_doubled_or_out_of_order_through_many_reloads() -> None:
    texts = [str(number) for number in range(RELOADS * 20)]
    async with websockets_server() as port, serving(port) as gateway:
        news, echoed = trio.open_memory_channel[str](0)

        async def say(connection: ClientConnection) -> None:
            for text in texts:
                await connection.send(text)

        async def client() -> None:
            async with (
                websockets.trio.client.connect(f"ws://127.0.0.1:{gateway.port}/") as connection,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(say, connection)
                for text in texts:
                    assert await connection.recv() == text
                    await news.send(text)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(client)
            for number in range(3 * len(texts)):
                await echoed.receive()
                if number % (3 * len(texts) // RELOADS) == 0:
                    gateway.reload(configuration(port, limits=f"message_size: {number + 1}KiB"))
        assert len(gateway.lines.every("reloaded")) == RELOADS
        assert [line["messages_out"] for line in gateway.lines.every("session")] == [len(texts)] * 3


async def test_a_reload_leaves_a_session_at_its_upstream_and_new_sessions_go_to_the_new_one() -> None:
    async with Upstream() as before, Upstream() as after, serving(before.port) as gateway:
        old = await opened(before, gateway, MODERN)
        gateway.reload(configuration(after.port))
        new = await opened(after, gateway, MODERN)
        await old.works()
        await new.works()
        assert before.nobody_came()


async def test_a_client_without_a_whole_request_gets_the_new_settings() -> None:
    async with Upstream() as before, Upstream() as after, serving(before.port) as gateway:
        client = await gateway.connect(MODERN.request[:-1])
        await trio.testing.wait_all_tasks_blocked()
        gateway.reload(configuration(after.port))
        await client.send(MODERN.request[-1:])
        behind, _ = await after.agree()
        await Session(MODERN, client, behind, await MODERN.accepted(client)).works()


async def test_a_request_that_waits_for_its_upstream_goes_on_with_it() -> None:
    async with Upstream() as before, Upstream() as after, serving(before.port) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await before.accept()
        await behind.head()
        gateway.reload(configuration(after.port, limits="message_size: 1B"))
        await behind.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 403 ")
        assert after.nobody_came()


async def test_limits_are_those_with_which_a_session_began() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        old = await opened(upstream, gateway, MODERN)
        gateway.reload(configuration(upstream.port, limits="message_size: 4B"))
        new = await opened(upstream, gateway, MODERN)
        await old.works()
        await new.client.send(new.hello)
        assert (await new.behind.frame())[0] == 0x88
        await new.behind.close()
        assert await new.client.frame() == (0x88, b"\x03\xf1")  # 1009


async def test_the_next_request_on_an_http_connection_has_the_new_settings() -> None:
    async with Upstream() as before, Upstream() as after, serving_http(before.port) as gateway:
        client, _ = await answered(before, gateway, HTTP_GET, HTTP_OK)
        await client.until(b"ok")
        gateway.reload(http_configuration(after.port))
        await client.send(HTTP_GET)
        behind = await after.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        await client.until(b"ok")


async def test_a_rate_that_a_reload_changes_begins_anew_and_one_that_stays_goes_on() -> None:
    async with Upstream() as upstream, serving(upstream.port, limits="handshake_rate: 1/h") as gateway:
        await opened(upstream, gateway, MODERN)
        gateway.reload(configuration(upstream.port, limits="handshake_rate: 1/h"))
        assert (await (await gateway.connect(MODERN.request)).head()).startswith(b"HTTP/1.1 429 ")
        gateway.reload(configuration(upstream.port, limits="handshake_rate: 2/h"))
        await opened(upstream, gateway, MODERN)


# -- listeners -------------------------------------------------------------------------------------------------


async def test_clients_that_connect_all_the_time_are_never_refused_while_listeners_come_and_go() -> None:
    async with websockets_server() as port, serving(port) as gateway:
        kept, clients = gateway.port, 3
        news, met = trio.open_memory_channel[int](0)

        async def connect_on_and_on() -> None:
            for number in range(RELOADS * 5):
                async with websockets.trio.client.connect(f"ws://127.0.0.1:{kept}/") as client:
                    await client.send(str(number))
                    assert await client.recv() == str(number)
                await news.send(number)

        async with trio.open_nursery() as nursery:
            for _ in range(clients):
                nursery.start_soon(connect_on_and_on)
            for number in range(RELOADS * 5 * clients):
                await met.receive()
                if number % (5 * clients) == 0:
                    text = configuration(port)
                    gateway.reload(text if number % (10 * clients) else with_second(text))
                    assert gateway.ports[0] == kept
        lines = gateway.lines.every("reloaded")
        changes = [(line.get("listeners_added"), line.get("listeners_removed")) for line in lines]
        assert changes == [("second", None), (None, "second")] * (RELOADS // 2)


async def test_a_listener_that_is_added_serves() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        gateway.reload(with_second(configuration(upstream.port)))
        client = await connect(gateway, "127.0.0.2", gateway.ports[1])
        await client.send(MODERN.request)
        behind, _ = await upstream.agree()
        await Session(MODERN, client, behind, await MODERN.accepted(client)).works()


async def test_clients_that_wait_at_a_removed_listener_are_served_and_later_ones_are_refused() -> None:
    async with Upstream() as upstream, serving_text(with_second(configuration(upstream.port))) as gateway:
        name = ("127.0.0.2", gateway.ports[1])
        # The kernel answers these; nothing is accepted between the lines.
        queued = [socket.create_connection(name) for _ in range(5)]
        gateway.reload(configuration(upstream.port))
        for sock in queued:
            sock.setblocking(False)
            client = Peer(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))
            await client.send(MODERN.request)
            behind, _ = await upstream.agree()
            await Session(MODERN, client, behind, await MODERN.accepted(client)).works()
            await client.close()
        with pytest.raises(OSError, match="all attempts to connect"):
            await connect(gateway, *name)


async def test_sessions_of_a_removed_listener_go_on_and_are_counted_when_it_is_added_again() -> None:
    async with Upstream() as upstream:
        text = with_second(configuration(upstream.port)).replace("second,", "second, max_connections: 1,")
        async with serving_text(text) as gateway:
            client = await connect(gateway, "127.0.0.2", gateway.ports[1])
            await client.send(MODERN.request)
            behind, _ = await upstream.agree()
            session = Session(MODERN, client, behind, await MODERN.accepted(client))
            gateway.reload(configuration(upstream.port))
            await session.works()
            assert gateway.service.status()["connections"] == {
                "public": {"open": 0, "cap": 20000},
                "second": {"open": 1, "cap": 1},
            }
            gateway.reload(text)
            beyond = await connect(gateway, "127.0.0.2", gateway.ports[1])
            assert (await beyond.head()).startswith(b"HTTP/1.1 503 ")
            await session.works()


async def test_a_reload_changes_the_limits_of_a_listener_and_its_open_connections_still_count() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="max_connections: 1") as gateway:
        await opened(upstream, gateway, MODERN)
        gateway.reload(configuration(upstream.port, listener="max_connections: 2"))
        await opened(upstream, gateway, MODERN)
        assert (await (await gateway.connect()).head()).startswith(b"HTTP/1.1 503 ")


async def test_an_address_may_go_to_another_listener() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        port = gateway.port
        gateway.reload(
            configuration(upstream.port, route="headers: {set: {X-By: '{listener}'}}").replace("public", "front")
        )
        assert gateway.port == port
        await gateway.connect(MODERN.request)
        _, request = await upstream.agree()
        assert b"\r\nX-By: front\r\n" in request
        line = await gateway.lines.line("reloaded")
        assert (line["listeners_added"], line["listeners_removed"], line["routes"]) == ("front", "public", 1)


async def test_a_listener_may_be_added_before_it_runs() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        # Nothing has run between the start and these lines.
        gateway.reload(with_second(configuration(upstream.port)))
        name = ("127.0.0.2", gateway.ports[1])
        gateway.reload(configuration(upstream.port))
        await opened(upstream, gateway, MODERN)
        with pytest.raises(OSError, match="all attempts to connect"):
            await connect(gateway, *name)


# -- certificates ----------------------------------------------------------------------------------------------


def serial(client: Peer) -> object:
    assert client.tls is not None
    return client.tls.getpeercert()["serialNumber"]


@asynccontextmanager
async def encrypted(authority: Authority, upstream: Upstream) -> AsyncIterator[tuple[Running, Path]]:
    pem = authority.issue("localhost")
    async with serving(upstream.port, listener=tls(pem)) as gateway:
        yield gateway, pem


async def secure_session(authority: Authority, gateway: Running, upstream: Upstream) -> Session:
    client = await gateway.connect_tls(authority.client(), MODERN.request)
    behind, _ = await upstream.agree()
    return Session(MODERN, client, behind, await MODERN.accepted(client))


async def test_a_new_certificate_is_shown_to_new_clients_and_old_sessions_go_on(authority: Authority) -> None:
    async with Upstream() as upstream, encrypted(authority, upstream) as (gateway, pem):
        old = await secure_session(authority, gateway, upstream)
        authority.issue("localhost")
        between = await secure_session(authority, gateway, upstream)
        assert serial(between.client) == serial(old.client)  # nothing is read before it is told to
        gateway.reload(configuration(upstream.port, listener=tls(pem)))
        new = await secure_session(authority, gateway, upstream)
        assert serial(new.client) != serial(old.client)
        for each in (old, between, new):
            await each.works()


async def test_a_certificate_that_cannot_be_read_changes_nothing(authority: Authority) -> None:
    async with Upstream() as upstream, Upstream() as other, encrypted(authority, upstream) as (gateway, pem):
        for text, why in {"": "No such file or directory", "no PEM": "PEM lib"}.items():
            file = pem.with_name("bad.pem")
            file.unlink(missing_ok=True)
            if text:
                file.write_text(text)
            with pytest.raises(SettingsError) as caught:
                gateway.reload(with_second(configuration(other.port, listener=tls(file))))
            assert str(caught.value).startswith("the TLS of listener public: ")
            assert why in str(caught.value)
        assert gateway.lines.every("reloaded") == []
        await (await secure_session(authority, gateway, upstream)).works()


async def test_an_authority_for_targets_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        text = configuration(upstream.port, url="wss://127.0.0.1", target=f"tls: {{ca: {tmp_path / 'ca.pem'}}}")
        with pytest.raises(
            SettingsError, match=r"^the TLS of a target: '.+/ca\.pem' cannot be read: No such file or directory$"
        ):
            gateway.reload(text)
        await (await opened(upstream, gateway, MODERN)).works()


async def test_an_authority_for_targets_is_read_again(authority: Authority, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    async with Upstream(authority.server) as upstream:
        options = {"url": "wss://localhost", "target": f"tls: {{ca: {ca}}}"}
        async with serving(upstream.port, **options) as gateway:
            client = await gateway.connect(MODERN.request)
            with pytest.raises(trio.BrokenResourceError):
                await upstream.accept()
            assert (await client.head()).startswith(b"HTTP/1.1 502 ")
            ca.write_bytes(authority.file.read_bytes())
            gateway.reload(configuration(upstream.port, **options))
            await (await opened(upstream, gateway, MODERN)).works()


# -- what is refused -------------------------------------------------------------------------------------------


async def test_an_address_without_a_socket_changes_nothing() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        settings = parse(with_second(configuration(upstream.port)), "test.yaml")
        with pytest.raises(SettingsError, match=r"^127\.0\.0\.2:0: there is no socket for it$"):
            gateway.service.reload(settings, gateway.listening.shared())
        await (await opened(upstream, gateway, MODERN)).works()


async def test_another_socket_for_an_address_takes_the_place_of_the_one_before() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        [[before]] = gateway.listening.shared().values()
        settings = parse(configuration(upstream.port), "test.yaml")
        again = Listening({}).fitted(settings).shared()
        [[sock]] = again.values()
        gateway.service.reload(settings, again)
        await trio.testing.wait_all_tasks_blocked()
        assert before.fileno() == -1
        gateway.ports = [sock.getsockname()[1]]
        await (await opened(upstream, gateway, MODERN)).works()


async def test_a_process_that_ends_takes_no_new_settings() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, MODERN)
        gateway.service.drain()
        with pytest.raises(SettingsError, match=r"^reload: this process ends, and accepts no new settings$"):
            gateway.reload(configuration(upstream.port))
        assert await session.client.frame() == (0x88, b"\x03\xf4")
