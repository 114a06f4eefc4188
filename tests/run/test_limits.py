"""Descriptors: how many there are, how many would be needed, and what happens when none is left."""

import os
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import trio

from tests.e2e.programs import Program
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.processes import PATIENCE_SECONDS, gateway_command, session
from tests.serve.http2 import listener
from tests.support import Lines, configuration
from wsgateway import Gateway
from wsgateway.run.limits import needed, raise_limit, share, warn_of_few, within
from wsgateway.settings.load import parse
from wsgateway.settings.whole import Settings

from .gateways import PLAIN

MODERN = BY_DIALECT["rfc6455"]


def settings(*caps: int) -> Settings:
    """Return settings with listeners that have these limits of connections."""
    listeners = "".join(f'  - {{bind: ["127.0.0.1:0"], max_connections: {cap}}}\n' for cap in caps)
    head, _, rest = configuration(9).partition("  - {name: public")
    return parse(head + listeners + rest.partition("\n")[2], "test.yaml")


def caps(found: Settings) -> list[int]:
    return [listener.max_connections for listener in found.listeners]


def test_a_connection_needs_two_descriptors_and_a_process_needs_some_more() -> None:
    assert needed(settings(1000)) == 32 + 1 + 2000
    assert needed(settings(1000, 500)) == 32 + 2 + 3000


def test_a_stream_of_http2_needs_three_descriptors(authority: Authority) -> None:
    file = authority.issue("localhost")
    assert (
        needed(parse(configuration(9, listener=listener(file, max_connections="1000")), "test.yaml")) == 32 + 1 + 3000
    )
    lowered = within(parse(configuration(9, listener=listener(file, max_connections="100")), "test.yaml"), 183)
    assert caps(lowered) == [50]


def test_limits_on_connections_are_lowered_to_what_descriptors_allow_and_no_further() -> None:
    assert caps(within(settings(100), 233)) == [100]
    assert caps(within(settings(100), 232)) == [99]
    assert caps(within(settings(20_000, 10_000), 1024)) == [330, 165]
    assert caps(within(settings(20_000), 16)) == [1]


def test_a_worker_has_its_share_of_each_limit_on_connections_rounded_up() -> None:
    text = configuration(
        9,
        listener="max_connections: 100, max_connections_per_ip: 8",
        target="max_connections: 7",
        behind="queue: {size: 5}",
    )
    whole = parse(text.replace("    queue:", "    max_connections: 10\n    queue:"), "test.yaml")
    assert share(whole, 1) == whole
    assert share(whole, 3).workers == 3
    third = share(whole, 3)
    [listener], upstream = third.listeners, third.upstreams["behind"]
    assert (listener.max_connections, upstream.max_connections, upstream.targets[0].max_connections) == (34, 4, 3)
    # Which of the workers serves an address is chance.
    assert (listener.max_connections_per_ip, upstream.queue.size) == (8, 5)
    assert share(settings(1), 512).listeners[0].max_connections == 1
    assert share(parse(configuration(9), "test.yaml"), 3).upstreams["behind"].max_connections is None


def test_too_few_descriptors_are_reported_with_their_numbers() -> None:
    lines = Lines()
    warn_of_few(settings(100), 233, lines.log())
    assert lines.entries == []
    warn_of_few(settings(20_000), 1024, lines.log())
    [line] = lines.entries
    assert (line["event"], line["level"]) == ("few descriptors", "warning")
    assert (line["limit"], line["needed"], line["connections"]) == (1024, 40_033, 495)
    assert (
        line["why"] == "max_connections are 20000 together for a worker; lower them, or raise LimitNOFILE (ulimit -n)"
    )


async def test_a_gateway_inside_another_program_tells_that_descriptors_are_few_and_keeps_within_them() -> None:
    lines = Lines()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    gateway = Gateway(settings(limit), lines.log())
    async with trio.open_nursery() as nursery:
        await nursery.start(gateway.serve)
        nursery.cancel_scope.cancel()
    [line] = lines.every("few descriptors")
    # Two for each connection, and some beside them.
    assert line["limit"] == limit
    assert line["needed"] == 2 * limit + 33
    assert limit / 2 - 32 < line["connections"] < limit / 2
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == limit


def test_a_process_raises_its_limit_of_descriptors_to_the_highest_that_it_may_have() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert raise_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answer(behind: socket.socket) -> None:
    """Wait for a ping, and answer it."""
    assert behind.recv(65536)[0] == 0x89
    behind.sendall(b"\x8a\x00")


def asked(address: tuple[str, int]) -> bytes:
    """Return the answer to a request without an upgrade."""
    with socket.create_connection(address, PATIENCE_SECONDS) as client:
        client.sendall(PLAIN)
        return client.recv(65536)


def test_a_worker_without_descriptors_is_idle_and_answers_503_and_serves_again_later(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream, ExitStack() as clients:
        upstream.settimeout(PATIENCE_SECONDS)
        file = tmp_path / "gateway.yaml"
        text = configuration(upstream.getsockname()[1])
        file.write_text(text.replace("defaults:\n", "defaults:\n  keepalive: {interval: 300ms, timeout: 1h}\n"))
        with Program("sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *gateway_command("run", file)) as program:
            pid = int(program.find_line(r'event="worker serves" worker=1 pid=(\d+)')[1])
            program.find_line('event="few descriptors" limit=64 needed=40033 connections=15 ')
            address = ("127.0.0.1", int(program.find_line(r"listening.*127\.0\.0\.1:(\d+)")[1]))
            with session(address, upstream, MODERN) as (_, behind):
                crowd = [clients.enter_context(socket.create_connection(address)) for _ in range(200)]
                for client in crowd:
                    client.settimeout(PATIENCE_SECONDS)
                program.find_line(r"event=refused .*status=503 .*limit of 15 connections")
                program.find_line(r'level=error event="cannot accept" .*why="Too many open files"')
                # The time between these pings is the gateway's own.
                answer(behind)
                begun, used = time.monotonic(), cpu_seconds(pid)
                for _ in range(3):
                    answer(behind)
                # A loop that never waits uses all of the time that the machine gives it.
                assert cpu_seconds(pid) - used <= 0.2 * (time.monotonic() - begun) + 0.1
                clients.close()

                # Whoever comes between all those that have gone may still be told that there is no room.
                while (reply := asked(address)).startswith(b"HTTP/1.1 503 "):
                    pass
                assert reply.startswith(b"HTTP/1.1 426 ")
            assert program.stop() == 0
