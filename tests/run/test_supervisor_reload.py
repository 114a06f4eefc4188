"""A supervisor reads its file again: all of its workers use it, or nothing changes."""

import signal
import socket
from pathlib import Path

import pytest
import trio

from tests.backends import websockets_server
from tests.openings import BY_DIALECT
from tests.peers import Peer

from .gateways import PLAIN, Numbers, fetched, send_back, supervised, whole

MODERN = BY_DIALECT["rfc6455"]


async def can_connect(port: int) -> bool:
    """Return whether the kernel accepts a client."""
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


async def test_a_reload_changes_routes_listeners_and_workers_under_sessions(file: Path) -> None:
    async with websockets_server(send_back) as upstream, supervised(file, whole(upstream)) as gateway:
        async with trio.open_nursery() as nursery:
            clients = [Numbers(await gateway.port()) for _ in range(4)]
            for client in clients:
                nursery.start_soon(client.run)
            for client in clients:
                await client.more()
            text = whole(upstream, 2, path="/chat")
            gateway.write(text.replace("defaults:", '  - {name: more, bind: ["127.0.0.1:0"]}\ndefaults:'))
            gateway.signal(signal.SIGHUP)
            await gateway.lines.line("reloaded", workers=2)
            await gateway.lines.line("worker serves", worker=2)
            for client in clients:
                await client.more()
            other = await gateway.connect(PLAIN)
            assert (await other.head()).startswith(b"HTTP/1.1 404 ")

            gateway.write(whole(upstream, 1, path="/"))
            gateway.signal(signal.SIGHUP)
            await gateway.lines.line("reloaded", workers=1)
            await clients[0].more()
            other = await gateway.connect(PLAIN)
            assert (await other.head()).startswith(b"HTTP/1.1 426 ")
            for client in clients:
                await client.stop()
        while len((await gateway.status())["workers"]) > 1:
            await trio.lowlevel.checkpoint()
        assert not gateway.count("worker ended")


async def test_a_reload_reads_the_included_files_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PATH", "/filled")
    included = file.parent / "more.yaml"
    included.write_text("routes: []\n")
    text = f"include: [more.yaml]\n{whole(9, path='/own')}"
    async with supervised(file, text) as gateway:
        assert (await (await gateway.connect(PLAIN)).head()).startswith(b"HTTP/1.1 404 ")
        before = (await gateway.status())["configuration"]["sha256"]

        included.write_text("routes: [{name: more, match: {path: {prefix: '${A_PATH}'}}, upstream: behind}]\n")
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded", routes=2)
        filled = PLAIN.replace(b"GET / ", b"GET /filled ")
        assert (await (await gateway.connect(filled)).head()).startswith(b"HTTP/1.1 426 ")
        after = (await gateway.status())["configuration"]["sha256"]
        assert after != before

        included.write_text("routes: [{name: more}]\n")
        gateway.signal(signal.SIGHUP)
        refused = await gateway.lines.line("reload refused")
        assert refused["why"] == f"{included}:1:10: routes[1]: 'match' is missing"
        assert (await gateway.status())["configuration"]["sha256"] == after


async def test_the_admin_pages_move_with_a_reload(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        old = (await gateway.lines.line("admin pages"))["address"]
        gateway.write(whole(9).replace('admin: {bind: "127.0.0.1:0"}', 'admin: {bind: "127.0.0.2:0"}'))
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        new = (await gateway.lines.nth("admin pages", 2))["address"]
        assert new.startswith("127.0.0.2:")
        assert not await can_connect(int(old.rpartition(":")[2]))
        stream = await trio.open_tcp_stream("127.0.0.2", int(new.rpartition(":")[2]))
        assert await fetched(Peer(stream), "/health/live") == (200, b"alive\n")


async def test_a_reload_reports_that_the_settings_of_the_log_stay_as_long_as_the_file_has_others(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        for text, warned in [("", 0), ("logging: {level: debug}\n", 1), ("logging: {level: debug}\n", 2), ("", 2)]:
            gateway.write(whole(9) + text)
            before = gateway.count("reloaded")
            gateway.signal(signal.SIGHUP)
            await gateway.lines.nth("reloaded", before + 1)
            assert gateway.count("not reloaded") == warned


async def test_a_file_with_a_mistake_changes_nothing(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        port = await gateway.port()
        pids = await gateway.pids()
        gateway.write(whole(9).replace("workers: 1", "workers: 0"))
        gateway.signal(signal.SIGHUP)
        line = await gateway.lines.line("reload refused")
        assert line["why"].startswith(f"{file}:")
        assert line["why"].endswith(": workers: 0 is not a number of workers; write one from 1 to 512, or auto")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            gateway.write(whole(9).replace('"127.0.0.1:0"]', f'"{address}"]'))
            gateway.signal(signal.SIGHUP)
            await gateway.lines.line("reload refused", why=f"{address}: cannot listen: Address already in use")
        assert await gateway.port() == port
        assert await gateway.pids() == pids
        client = await gateway.connect(PLAIN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


async def test_a_bug_in_a_reload_ends_no_session(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with supervised(file, whole(9)) as gateway:
        pids = await gateway.pids()
        with monkeypatch.context() as broken:
            broken.setattr("wsgateway.run.supervisor.Generation", lambda *_: 1 / 0)
            gateway.signal(signal.SIGHUP)
            gateway.lines.entries.remove(await gateway.lines.line("bug"))
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        assert await gateway.pids() == pids


async def test_a_removed_listener_refuses_clients_and_other_listeners_keep_their_sockets(file: Path) -> None:
    text = whole(9)
    two = text.replace("defaults:", '  - {name: more, bind: ["localhost:0"]}\ndefaults:')
    async with supervised(file, two) as gateway:
        port, more = await gateway.port(), await gateway.port("more")
        gateway.write(text)
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        # Who called before it was closed is still accepted.
        while await can_connect(more):
            pass
        assert (await (await gateway.connect(PLAIN)).head()).startswith(b"HTTP/1.1 426 ")
        assert await gateway.port() == port
