"""A gateway inside another program: `wsgateway.Gateway`, used as its documentation says."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import wsgateway
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.run.gateways import fetched
from tests.support import PATIENCE_SECONDS, Lines, Upstream, configuration
from wsgateway.observe.log import Log
from wsgateway.run.gateway import Addresses, Configuration
from wsgateway.settings.addresses import admin_address
from wsgateway.settings.basics import Address, UnixAddress
from wsgateway.settings.load import parse
from wsgateway.settings.whole import Settings

MODERN = BY_DIALECT["rfc6455"]
GOODBYE = (0x88, b"\x03\xf4")


@pytest.fixture
def log() -> Log:
    return Lines().log()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


def write(file: Path, text: str) -> None:
    file.write_text(text)


def settings(upstream: int, **options: str) -> Settings:
    return parse(configuration(upstream, **options), "settings")


@asynccontextmanager
async def serving(configuration: Configuration, log: Log) -> AsyncIterator[tuple[wsgateway.Gateway, Addresses]]:
    """Yield a gateway that serves, and its addresses; it is cancelled at the end."""
    gateway = wsgateway.Gateway(configuration, log)
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(gateway.serve)
            yield gateway, addresses
            nursery.cancel_scope.cancel()


class Clients:
    """The clients of a test, which are closed at its end."""

    def __init__(self) -> None:
        self._peers: list[Peer] = []

    async def connect(self, address: Address | UnixAddress) -> Peer:
        if isinstance(address, UnixAddress):
            stream = await trio.open_unix_socket(address.path)
        else:
            stream = await trio.open_tcp_stream(address.host, address.port)
        self._peers.append(Peer(stream))
        return self._peers[-1]

    async def session(self, address: Address | UnixAddress, upstream: Upstream) -> tuple[Peer, Peer]:
        """Open a session. Return its client and its upstream's end."""
        client = await self.connect(address)
        await client.send(MODERN.request)
        behind, _ = await upstream.agree()
        await MODERN.accepted(client)
        return client, behind

    def close(self) -> None:
        for each in self._peers:
            each.stream.socket.close()


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    clients = Clients()
    yield clients
    clients.close()


async def works(client: Peer, behind: Peer) -> None:
    await client.send(MODERN.hello)
    assert await behind.frame() == (0x81, b"Hello")
    await behind.send(MODERN.hello_back)
    assert await client.frame() == (0x81, b"Hello")


def descriptors() -> set[str]:
    """Return the open sockets of this process."""
    names = (Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
    return {os.readlink(name) for name in names if name.is_symlink() and os.readlink(name).startswith("socket:")}


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# -- to begin --------------------------------------------------------------------------------------------------


async def test_start_returns_the_address_of_each_listener(
    tmp_path: Path, file: Path, log: Log, clients: Clients
) -> None:
    path = tmp_path / "ws.sock"
    more = f'  - {{name: local, bind: ["unix:{path}", "127.0.0.2:0"]}}\n'
    async with Upstream() as upstream:
        write(file, configuration(upstream.port).replace("defaults:", f"{more}defaults:", 1))
        async with serving(file, log) as (gateway, addresses):
            [public], [local, other] = addresses["public"], addresses["local"]
            assert local == UnixAddress(str(path))
            assert (public.host, other.host) == ("127.0.0.1", "127.0.0.2")
            assert gateway.addresses == addresses
            for address in (public, local, other):
                await works(*await clients.session(address, upstream))
    assert not path.exists()


async def test_a_listener_may_have_tls(log: Log, clients: Clients, authority: Authority) -> None:
    certificate = authority.issue("localhost")
    tls = f"tls: {{certificates: [{{certificate: {certificate}, private_key: {certificate}}}]}}"
    async with Upstream() as upstream, serving(settings(upstream.port, listener=tls), log) as (_, addresses):
        plain = await clients.connect(addresses["public"][0])
        stream = trio.SSLStream(plain.stream, authority.client(), server_hostname="localhost", https_compatible=True)
        client = Peer(plain.stream, stream)
        await client.send(MODERN.request)
        behind, _ = await upstream.agree()
        await MODERN.accepted(client)
        await works(client, behind)


async def test_several_gateways_serve_in_one_program(log: Log, clients: Clients) -> None:
    async with (
        Upstream() as one,
        Upstream() as two,
        serving(settings(one.port), log) as (_, of_one),
        trio.open_nursery() as nursery,
    ):
        second = wsgateway.Gateway(settings(two.port), log)
        of_two = await nursery.start(second.serve)
        first_session = await clients.session(of_one["public"][0], one)
        second_session = await clients.session(of_two["public"][0], two)
        await works(*second_session)
        second.drain()
        for peer in second_session:
            assert await peer.frame() == GOODBYE
            await peer.close()
        await works(*first_session)


async def test_the_log_goes_to_standard_error_unless_another_is_given(file: Path) -> None:
    write(file, configuration(9))
    program = f"""
import threading, trio, wsgateway
async def main():
    gateway = wsgateway.Gateway({str(file)!r})
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.serve)
        gateway.drain()
trio.run(main)
print([thread.name for thread in threading.enumerate() if thread.name == "log"])
"""
    command = [sys.executable, "-W", "error", "-c", program]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True)
    assert done.stdout == b"[]\n"
    events = re.findall(r" event=(?:\w+|\"[^\"]+\") ", done.stderr.decode())
    assert [each for each in events if "few descriptors" not in each] == [
        " event=advice ",
        " event=listening ",
        " event=draining ",
        " event=drained ",
    ]


async def test_the_admin_pages_are_there_and_follow_a_reload(file: Path, clients: Clients) -> None:
    lines = Lines()
    text = f'{configuration(9)}admin: {{bind: "127.0.0.1:0"}}\n'
    write(file, text)
    async with serving(file, lines.log()) as (gateway, _):
        page = await lines.line("admin pages")
        status, body = await fetched(await clients.connect(admin_address(page["address"])), "/status")
        assert status == 200
        assert json.loads(body)["workers"][0]["state"] == "serving"
        write(file, text.replace('127.0.0.1:0"}\n', '127.0.0.2:0"}\n'))
        await gateway.reload()
        page = await lines.nth("admin pages", 2)
        status, body = await fetched(await clients.connect(admin_address(page["address"])), "/metrics")
        assert (status, b"wsgateway_ready 1.0\n" in body) == (200, True)


# -- what is wrong ---------------------------------------------------------------------------------------------


async def test_a_broken_file_is_an_error_that_names_every_mistake(file: Path, log: Log) -> None:
    write(file, "version: 2\nlisteners: []\n")
    with pytest.raises(wsgateway.SettingsError) as caught:
        await wsgateway.Gateway(file, log).serve()
    assert {problem.line for problem in caught.value.problems} == {1, 2}
    assert len(caught.value.problems) > 2
    with pytest.raises(wsgateway.SettingsError, match=r"missing\.yaml: cannot be read: No such file or directory$"):
        await wsgateway.Gateway(str(file.with_name("missing.yaml")), log).serve()


async def test_a_file_that_a_file_names_is_read_with_it(file: Path, log: Log) -> None:
    write(file, configuration(9, url="wss://127.0.0.1", target="tls: {ca: none.pem}"))
    with pytest.raises(
        wsgateway.SettingsError, match=r"gateway\.yaml:\d+:\d+: .*'none\.pem' cannot be read: No such file"
    ):
        await wsgateway.Gateway(file, log).serve()


async def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_open(file: Path, log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, before = taken.getsockname()[1], descriptors()
        write(file, configuration(9).replace('"127.0.0.1:0"', f'"127.0.0.2:0", "127.0.0.1:{port}"'))
        with pytest.raises(wsgateway.SettingsError, match=f"^127.0.0.1:{port}: cannot listen: Address already in use$"):
            await wsgateway.Gateway(file, log).serve()
        assert descriptors() == before


async def test_status_and_addresses_and_reload_need_a_gateway_that_serves(log: Log) -> None:
    gateway = wsgateway.Gateway(settings(9), log)
    with pytest.raises(RuntimeError, match=r"^this gateway does not serve$"):
        gateway.status()
    with pytest.raises(RuntimeError, match=r"^this gateway does not serve$"):
        _ = gateway.addresses
    with pytest.raises(RuntimeError, match=r"^this gateway does not serve$"):
        await gateway.reload()
    gateway.drain()
    async with serving(settings(9), log) as (gateway, _):
        assert gateway.status()["ready"]


# -- to change it ----------------------------------------------------------------------------------------------


async def test_a_reload_reads_the_file_again_and_sessions_go_on(file: Path, clients: Clients) -> None:
    lines = Lines()
    async with Upstream() as one, Upstream() as two:
        write(file, configuration(one.port))
        async with serving(file, lines.log()) as (gateway, addresses):
            before = await clients.session(addresses["public"][0], one)
            write(file, configuration(two.port).replace('["127.0.0.1:0"]', '["127.0.0.1:0", "127.0.0.2:0"]'))
            await gateway.reload()
            assert {"level": "info", "event": "reloaded", "routes": 1} in lines.entries
            assert gateway.addresses["public"][0] == addresses["public"][0]
            assert len(gateway.addresses["public"]) == 2
            await works(*before)
            for address in gateway.addresses["public"]:
                await works(*await clients.session(address, two))


async def test_a_reload_logs_what_needs_a_new_start(clients: Clients) -> None:
    lines = Lines()
    async with serving(settings(9), lines.log()) as (gateway, _):
        await gateway.reload(parse(f"{configuration(9)}census: {{keep: 3d}}\n", "test.yaml"))
        await gateway.reload(settings(9))
        assert [line["why"].split(":")[0] for line in lines.every("not reloaded")] == ["census is not as at the start"]


async def test_a_reload_may_use_other_settings_which_the_next_one_keeps(log: Log, clients: Clients) -> None:
    async with Upstream() as one, Upstream() as two, serving(settings(one.port), log) as (gateway, addresses):
        await gateway.reload(settings(two.port))
        await works(*await clients.session(addresses["public"][0], two))
        await gateway.reload()
        await works(*await clients.session(addresses["public"][0], two))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nroutes: 7\n", "'listeners' is missing"),
        (configuration(9).replace("127.0.0.1:0", "203.0.113.1:0"), "cannot listen"),
        (configuration(9).replace("127.0.0.1:0", '127.0.0.1:0", "systemd:web'), "systemd"),
    ],
)
async def test_a_reload_that_is_refused_changes_nothing(
    file: Path, log: Log, clients: Clients, text: str, message: str
) -> None:
    async with Upstream() as upstream:
        write(file, configuration(upstream.port))
        async with serving(file, log) as (gateway, addresses):
            session, sockets = await clients.session(addresses["public"][0], upstream), descriptors()
            write(file, text)
            with pytest.raises(wsgateway.SettingsError, match=message):
                await gateway.reload()
            assert descriptors() == sockets
            assert gateway.addresses == addresses
            status: Any = gateway.status()
            assert status["reload"]["ok"] is False
            assert message in status["reload"]["why"]
            await works(*session)
            await works(*await clients.session(addresses["public"][0], upstream))


# -- to end it -------------------------------------------------------------------------------------------------


async def test_a_drain_closes_sessions_and_then_serve_returns_and_nothing_is_left(
    tmp_path: Path, log: Log, clients: Clients
) -> None:
    path, ended = tmp_path / "ws.sock", trio.Event()

    async def serve(gateway: wsgateway.Gateway, *, task_status: trio.TaskStatus[Addresses]) -> None:
        await gateway.serve(task_status=task_status)
        ended.set()

    async with Upstream() as upstream:
        text = configuration(upstream.port).replace('"127.0.0.1:0"', f'"127.0.0.1:0", "unix:{path}"')
        gateway = wsgateway.Gateway(parse(text, "settings"), log)
        before = descriptors(), tasks()
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                addresses = await nursery.start(serve, gateway)
                session = await clients.session(addresses["public"][0], upstream)
                gateway.drain()
                assert (gateway.status()["draining"], path.exists()) == (True, False)  # no more clients connect
                for peer in session:
                    assert await peer.frame() == GOODBYE
                    await peer.send(b"\x88\x82\0\0\0\0\x03\xf4" if peer is session[0] else b"\x88\x02\x03\xf4")
                for peer in session:
                    await peer.close()
                await ended.wait()
                assert (descriptors(), tasks()) == before
        assert not path.exists()
        with pytest.raises(RuntimeError, match=r"^this gateway serves already, or has served; make another one$"):
            await gateway.serve()


async def test_cancelling_serve_closes_everything(tmp_path: Path, log: Log, clients: Clients) -> None:
    path = tmp_path / "ws.sock"
    async with Upstream() as upstream:
        text = configuration(upstream.port).replace("127.0.0.1:0", f"unix:{path}")
        before = descriptors(), tasks()
        async with serving(parse(text, "settings"), log) as (_, addresses):
            client, behind = await clients.session(addresses["public"][0], upstream)
        assert await client.rest() == b""
        await client.close()
        await behind.close()
        assert (descriptors(), tasks()) == before
        assert not path.exists()


async def test_a_drain_that_comes_before_it_serves_is_not_lost(log: Log) -> None:
    gateway = wsgateway.Gateway(settings(9), log)
    with trio.fail_after(PATIENCE_SECONDS):
        gateway.drain()
        await gateway.serve()


async def test_a_reload_that_is_not_done_when_the_gateway_ends_opens_no_socket(log: Log) -> None:
    before = descriptors()
    gateway = wsgateway.Gateway(settings(9), log)

    async def reload() -> None:
        with pytest.raises(wsgateway.SettingsError, match=r"^reload: "):
            await gateway.reload(parse(configuration(9).replace("127.0.0.1", "127.0.0.2"), "settings"))

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as outer, trio.open_nursery() as nursery:
            await nursery.start(gateway.serve)
            outer.start_soon(reload)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert descriptors() == before


# -- the package -----------------------------------------------------------------------------------------------


def test_the_package_lists_its_names_and_imports_them_when_they_are_used() -> None:
    code = """
import sys, wsgateway
print([name for name in dir(wsgateway) if name in ("Gateway", "SettingsError", "dialects")])
print("trio" in sys.modules, "wsgateway.dialects" in sys.modules)
print(len(wsgateway.dialects.DIALECTS), "trio" in sys.modules)
print(wsgateway.Gateway, hasattr(wsgateway, "Gatewaj"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines() == [
        "['Gateway', 'SettingsError', 'dialects']",
        "False False",
        "11 False",
        "<class 'wsgateway.run.gateway.Gateway'> False",
    ]
