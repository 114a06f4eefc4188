"""Several workers that are one gateway: each of them has the same sockets, settings and certificates."""

import os
import resource
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from tests.net.certificates import Authority
from tests.peers import Peer

from .gateways import ADMIN, PLAIN, Gateway, supervised, whole


@contextmanager
def alone(worker: int, pids: list[int]) -> Iterator[None]:
    """Let this worker alone accept."""
    others = [pid for pid in pids if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


async def answers(gateway: Gateway, pids: list[int]) -> list[bytes]:
    """Return the status with which each worker answers the same request."""
    told = []
    for pid in pids:
        with alone(pid, pids):
            client = await gateway.connect(PLAIN)
            told.append((await client.head()).split()[1])
            await client.close()
    return told


def listening(pid: int) -> set[str]:
    """Return the TCP sockets at which a process listens, by their inodes."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listen = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(os.readlink(fd))
    return found & listen


async def same(pid: int, before: set[str]) -> None:
    """Wait until a process listens at the same sockets as before."""
    while listening(pid) != before:
        await trio.lowlevel.checkpoint()


# -- a reload that one refuses -----------------------------------------------------------------------------------


async def test_a_reload_that_the_last_worker_refuses_is_undone_by_the_others(file: Path) -> None:
    async with supervised(file, whole(9, 2)) as gateway:
        pids = await gateway.pids()
        assert await answers(gateway, pids) == [b"426", b"426"]
        processes = [os.getpid(), *pids]
        before = [listening(pid) for pid in processes]

        gateway.write(whole(9, 2, path="/chat").replace("defaults:", '  - {bind: ["127.0.0.1:0"]}\ndefaults:'))
        limits = resource.prlimit(pids[1], resource.RLIMIT_NOFILE)
        resource.prlimit(pids[1], resource.RLIMIT_NOFILE, (3, limits[1]))
        gateway.signal(signal.SIGHUP)
        line = await gateway.lines.line("reload refused")
        assert line["why"] == "[Errno 24] Too many open files: 0 of 2 sockets have come"
        resource.prlimit(pids[1], resource.RLIMIT_NOFILE, limits)
        for pid, there in zip(processes, before, strict=True):
            await same(pid, there)
        assert await answers(gateway, pids) == [b"426", b"426"]

        # And the next one is taken, with all its sockets.
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded", workers=2)
        assert await answers(gateway, pids) == [b"404", b"404"]
        for pid, there in zip(processes, before, strict=True):
            assert len(listening(pid) - there) == 1
        assert not gateway.count("worker ended")


# -- who waits ---------------------------------------------------------------------------------------------------


async def test_clients_that_wait_when_the_whole_gateway_ends_are_still_answered(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        [pid] = await gateway.pids()
        os.kill(pid, signal.SIGSTOP)
        waiting = [await gateway.connect(PLAIN) for _ in range(5)]
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("stopping")
        os.kill(pid, signal.SIGCONT)
        for client in waiting:
            assert (await client.head()).startswith(b"HTTP/1.1 426 ")
            await client.close()
        await gateway.ended.wait()


# -- bounds ------------------------------------------------------------------------------------------------------


async def test_a_limit_on_connections_is_divided_among_the_workers(file: Path) -> None:
    async with supervised(file, whole(9, 2, listener="max_connections: 3")) as gateway:
        pids = await gateway.pids()
        for pid in pids:
            with alone(pid, pids):
                kept = [await gateway.connect() for _ in range(2)]
                beyond = await gateway.connect()
                assert (await beyond.head()).startswith(b"HTTP/1.1 503 ")
                assert len(kept) == 2
        told = (await gateway.status())["gateway"]["connections"]["public"]
        assert told["cap"] == 4
        gateway.write(whole(9, 1, listener="max_connections: 3"))
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded", workers=1)
        [first, *_] = (await gateway.status())["workers"]
        assert first["status"]["connections"]["public"]["cap"] == 3


# -- certificates ------------------------------------------------------------------------------------------------


async def serials(gateway: Gateway, authority: Authority, pids: list[int]) -> list[object]:
    """Return the serial number of the certificate that each worker shows."""
    found = []
    for pid in pids:
        with alone(pid, pids):
            client = await gateway.connect()
            found.append(await _serial(client, authority.client()))
            await client.close()
    return found


async def _serial(client: Peer, context: ssl.SSLContext) -> object:
    tls = trio.SSLStream(client.stream, context, server_hostname="localhost", https_compatible=True)
    await tls.do_handshake()
    return tls.getpeercert()["serialNumber"]


async def test_a_renewed_certificate_is_shown_by_all_workers_and_by_those_that_come_later(
    file: Path, authority: Authority
) -> None:
    pem = authority.issue("localhost")
    tls = f"tls: {{certificates: [{{certificate: {pem}, private_key: {pem}}}]}}"
    async with supervised(file, whole(9, 2, listener=tls)) as gateway:
        pids = await gateway.pids()
        [old, same] = await serials(gateway, authority, pids)
        assert old == same
        authority.issue("localhost")
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        [new, same] = await serials(gateway, authority, pids)
        assert new == same != old
        os.kill(pids[0], signal.SIGKILL)
        await gateway.lines.nth("worker serves", 3)
        assert await serials(gateway, authority, await gateway.pids()) == [new, new]


# -- admin pages -------------------------------------------------------------------------------------------------


def other_addresses() -> list[str]:
    """Return an address of this machine other than loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, suppress(OSError):
        sock.connect(("198.51.100.1", 9))  # nothing is sent
        return [sock.getsockname()[0]]
    return []


async def test_a_client_that_may_not_see_the_admin_pages_is_disconnected_until_a_reload_allows_it(file: Path) -> None:
    others = other_addresses()
    text = whole(9).replace(ADMIN, 'admin: {bind: "0.0.0.0:0", allow: [203.0.113.0/24]}\n')
    async with supervised(file, text) as gateway:
        line = await gateway.lines.line("admin pages")
        port = int(line["address"].rpartition(":")[2])

        async def asked(host: str) -> bytes:
            peer = Peer(await trio.open_tcp_stream(host, port))
            try:
                await peer.send(PLAIN.replace(b"/", b"/health/live", 1))
                return await peer.rest()
            except trio.BrokenResourceError:  # over unread bytes the end is a reset
                return b""
            finally:
                await peer.close()

        for host in others:
            assert await asked(host) == b""
        assert (await asked("127.0.0.1")).endswith(b"alive\n")
        gateway.write(text.replace("203.0.113.0/24", ", ".join([*others, "203.0.113.0/24"])))
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        for host in others:
            assert (await asked(host)).endswith(b"alive\n")
