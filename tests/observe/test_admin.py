"""The admin pages, over real connections: what they answer, and what they refuse."""

import errno
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import h11
import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from tests.heads import values
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Lines
from wsgateway.observe import http_server
from wsgateway.observe.admin import MOST_ADMIN_CLIENTS, MOST_HEAD_BYTES, AdminServer, Page, Visit
from wsgateway.observe.http_server import REQUEST_SECONDS, Stream
from wsgateway.observe.pages import pages
from wsgateway.observe.status import Status, merged, sentence
from wsgateway.settings.basics import UnixAddress
from wsgateway.settings.process import Admin as Gate


def worker(number: int, state: str = "serving", **status: object) -> Status:
    return {"worker": number, "pid": 100 + number, "state": state, "age_seconds": 61.5, "restarts": 2, "status": status}


def sessions(hixie: int, modern: int) -> Status:
    return {"hixie-76": {"chat": hixie}, "rfc6455": {"chat": modern}}


def pool(*targets: Status) -> Status:
    return {"chat": {"balance": "random", "open": 2, "waiting": 1, "served": {"ws://a": 5}, "targets": list(targets)}}


def target(address: str, state: str = "up", why: str | None = None) -> Status:
    facts = {"url": "ws://a", "address": address, "state": state, "weight": 3, "backup": False}
    return {**facts, "open": 1, "served": 5, "failures": 2, "last_failure": why}


TWO = [
    worker(
        1, sessions=sessions(2, 0), opened={"hixie-76": 7}, pools=pool(target("10.0.0.1:80"), target("10.0.0.2:80"))
    ),
    worker(
        2,
        "leaving",
        sessions=sessions(1, 4),
        refused={"404": {"route-missing": 3}},
        connections={"public": {"open": 5, "cap": 9}},
        pools=pool(target("10.0.0.1:80", why="lost"), target("10.0.0.2:80", "ejected", "silent")),
    ),
]
STATUS: Status = {
    "draining": False,
    "ready": True,
    "not_serving": None,
    "configuration": {"file": "/etc/ws.yaml", "sha256": "5d41402abc4b2a76b9719d911017c592", "since": 1798761600.0},
    "reload": {"ok": True, "at": 1798761600.0, "why": None},
    "restarts": 4,
    "gateway": merged([{"opened": {"hixie-76": 100}}, *(each["status"] for each in TWO)]),
    "workers": TWO,
}


class Site:
    """The pages of a gateway with the status that the test gives."""

    def __init__(self, sock: socket.socket, lines: Lines) -> None:
        self.status = STATUS
        self.fault: OSError | None = None
        self.unwatched = trio.Event()
        self.port = sock.getsockname()[1]
        self.lines = lines
        self.scope = trio.CancelScope()

    async def say(self) -> Status:
        if self.fault is not None:
            raise self.fault
        return self.status

    async def watch(self, _: Visit) -> Stream:
        """Answer with the status, again and again."""

        async def source(send: Callable[[bytes], Awaitable[None]]) -> None:
            try:
                while True:
                    await send(json.dumps(await self.say()).encode())
            finally:
                self.unwatched.set()

        return Stream(source, "application/json")

    async def connect(self, own: str = "127.0.0.1") -> Peer:
        """Return a client that connects from this address."""
        return Peer(await trio.open_tcp_stream("127.0.0.1", self.port, local_address=own))

    async def asked(self, request: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return the status, the headers and the body of the answer to a request."""
        peer = await self.connect()
        await peer.send(request)
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=request.split()[0], target="/", headers=[("Host", "a")]))
        connection.receive_data(await peer.rest())
        connection.receive_data(b"")
        answer = connection.next_event()
        assert isinstance(answer, h11.Response)
        body = b""
        while isinstance(event := connection.next_event(), h11.Data):
            body += event.data
        await peer.close()
        return answer.status_code, list(answer.headers), body

    async def get(self, path: str) -> tuple[int, bytes]:
        status, _, body = await self.asked(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return status, body


WATCH = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
# What a configuration without `allow` lets ask, which is this machine.
GATE = Gate(UnixAddress("not used"), names=("gateway.internal",))


@asynccontextmanager
async def admin_site(gate: Gate = GATE) -> AsyncIterator[Site]:
    lines = Lines()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        site = Site(sock, lines)
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                every = {**pages(site.say), "/live": Page(site.watch)}
                nursery.start_soon(AdminServer(every, gate, lines.log()).run, [sock], site.scope)
                yield site
                site.scope.cancel()


async def test_the_status_of_the_answer_says_whether_the_gateway_is_healthy() -> None:
    async with admin_site() as site:
        assert await site.get("/health/live") == (200, b"alive\n")
        assert await site.get("/health/ready") == (200, b"ready\n")
        site.status = STATUS | {"ready": False, "not_serving": "worker 1 ended by SIGKILL"}
        assert await site.get("/health/ready") == (503, b"not serving: worker 1 ended by SIGKILL\n")
        site.status = STATUS | {"ready": False, "draining": True}
        assert await site.get("/health/ready?from=haproxy") == (503, b"draining\n")
        assert await site.get("/health/live") == (200, b"alive\n")


async def test_an_error_of_a_page_is_a_bug_and_not_taken_for_a_client_that_has_gone() -> None:
    async with admin_site() as site:
        site.fault = OSError(errno.EBADF, "Bad file descriptor")
        peer = await site.connect()
        await peer.send(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await peer.rest() == b""
        await peer.close()
        assert "the page /status failed" in (await site.lines.line("bug"))["exception"]


async def test_an_error_of_a_stream_is_a_bug_too() -> None:
    async with admin_site() as site:
        site.fault = OSError(errno.EMFILE, "Too many open files")
        peer = await site.connect()
        await peer.send(WATCH)
        assert await peer.rest() == b""
        await peer.close()
        assert "Too many open files" in (await site.lines.line("bug"))["exception"]


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_ends_its_stream_and_is_no_bug(reset: bool) -> None:
    async with admin_site() as site:
        peer = await site.connect()
        await peer.send(WATCH)
        await peer.until(b"200")
        if reset:
            peer.reset()
        await peer.close()
        await site.unwatched.wait()
        assert not site.lines.every("bug")


async def test_the_page_status_has_everything_as_json() -> None:
    async with admin_site() as site:
        code, headers, body = await site.asked(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert code == 200
        assert (b"content-type", b"application/json") in headers
        assert json.loads(body) == STATUS


async def test_metrics_are_what_prometheus_reads() -> None:
    async with admin_site() as site:
        _, body = await site.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert all(name.startswith(("wsgateway_", "process_")) and each.documentation for name, each in families.items())
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert samples["wsgateway_sessions", ("dialect", "hixie-76"), ("route", "chat")] == 3
    assert samples["wsgateway_sessions", ("dialect", "rfc6455"), ("route", "chat")] == 4
    assert samples["wsgateway_connections", ("listener", "public")] == 5
    assert samples["wsgateway_connections_limit", ("listener", "public")] == 9
    assert samples["wsgateway_sessions_opened_total", ("dialect", "hixie-76")] == 107
    assert samples["wsgateway_refused_total", ("reason", "route-missing"), ("status", "404")] == 3
    assert samples["wsgateway_upstream_connections", ("upstream", "chat")] == 4
    assert samples["wsgateway_upstream_waiting", ("upstream", "chat")] == 2
    assert samples["wsgateway_upstream_info", ("balance", "random"), ("upstream", "chat")] == 1
    one, two = ([("address", f"10.0.0.{at}:80"), ("target", "ws://a"), ("upstream", "chat")] for at in (1, 2))
    for labels, states in ((one, {"up"}), (two, {"up", "ejected"})):
        assert samples["wsgateway_target_connections", *labels] == 2
        assert samples["wsgateway_target_weight", *labels] == 3
        assert samples["wsgateway_target_backup", *labels] == 0
        for state in ("up", "down", "ejected", "draining"):
            labelled = sorted([*labels, ("state", state)])
            assert samples["wsgateway_target_state", *labelled] == (state in states)
    assert samples["wsgateway_target_served_total", ("target", "ws://a"), ("upstream", "chat")] == 10
    assert samples["wsgateway_workers", ("state", "serving")] == 1
    assert samples["wsgateway_workers", ("state", "waiting")] == 0
    assert samples["wsgateway_worker_restarts_total",] == 4
    assert samples["wsgateway_draining",] == 0


async def test_head_is_get_without_a_body() -> None:
    async with admin_site() as site:
        assert (await site.asked(b"HEAD /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"))[::2] == (200, b"")


async def test_other_pages_and_methods_are_refused() -> None:
    async with admin_site() as site:
        assert await site.get("/") == (404, b"There are /metrics, /health/live, /health/ready, /status, /live.\n")
        code, _, body = await site.asked(b"POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        assert (code, body) == (405, b"GET is allowed.\n")


@pytest.mark.parametrize(
    "said",
    [b"\x16\x03\x01\x00\xff", b"GET /status\r\n\r\n"],
    ids=len,
)
async def test_a_malformed_request_is_refused(said: bytes) -> None:
    async with admin_site() as site:
        peer = await site.connect()
        await peer.send(said, b"\r\n\r\n")
        head = await peer.head()
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        body = await peer.exactly(int(values(head, "content-length")[0]))
        assert body.startswith(b"400 Bad Request: ")
        await peer.close()
        assert (await site.get("/health/live"))[0] == 200
        assert site.lines.entries == []


async def test_a_head_without_an_end_is_not_read_for_ever() -> None:
    async with admin_site() as site:
        peer = await site.connect()
        await peer.send(b"GET / HTTP/1.1\r\nA: " + b"a" * 3 * MOST_HEAD_BYTES)
        with trio.fail_after(REQUEST_SECONDS / 2), suppress(trio.BrokenResourceError):
            # Over unread bytes the end is a reset, which may overtake the answer.
            assert (await peer.rest()).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
        await peer.close()
        assert (await site.get("/health/live"))[0] == 200


async def test_answers_have_a_reason() -> None:
    async with admin_site() as site:
        for path, line in (("/status", b"HTTP/1.1 200 OK\r\n"), ("/other", b"HTTP/1.1 404 Not Found\r\n")):
            peer = await site.connect()
            await peer.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert (await peer.head()).startswith(line)
            await peer.close()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9901", "127.0.0.1", "10.1.2.3:80", "[::1]:9901", "[2001:db8::1]", "localhost", "LocalHost:9901",
        "localhost.:1", "gateway.internal:9901", "Gateway.Internal.", "::",
    ],
)  # fmt: skip
async def test_a_client_that_asks_for_a_name_of_the_gateway_is_answered(host: str) -> None:
    async with admin_site() as site:
        code, _, _ = await site.asked(f"GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9901", "127.0.0.1.evil.example", "x", "", "localhost.evil", "internal"]
)
async def test_a_page_that_leads_a_browser_here_by_another_name_gets_no_answer(host: str) -> None:
    async with admin_site() as site:
        for path in ("/status", "/metrics"):
            code, _, body = await site.asked(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (code, body) == (421, b"Host must be an address, localhost, or a name in admin.names.\n")
        # Load balancers check by any name, and are told nothing that is secret.
        assert (await site.asked(f"GET /health/live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()))[0] == 200


@pytest.mark.parametrize("request_line", ["GET /health/ready HTTP/1.0", "GET /status HTTP/1.0", "GET /status HTTP/1.1"])
async def test_a_health_check_of_haproxy_names_no_host(request_line: str) -> None:
    async with admin_site() as site:
        assert (await site.asked(f"{request_line}\r\n\r\n".encode()))[0] == 200


class Choosy(Gate):
    """A gate that admits one address of this machine."""

    def admits(self, ip: str) -> bool:
        return ip == "127.0.0.2"


async def test_a_client_that_is_not_allowed_gets_no_answer_and_takes_no_place_of_another() -> None:
    async with admin_site(Choosy(UnixAddress("not used"))) as site:
        for _ in range(2 * MOST_ADMIN_CLIENTS):
            stranger = await site.connect()
            assert await stranger.rest() == b""
            await stranger.close()
        friend = await site.connect("127.0.0.2")
        await friend.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await friend.rest()).startswith(b"HTTP/1.1 200 ")
        await friend.close()


async def test_connections_that_send_nothing_delay_no_other() -> None:
    async with admin_site() as site:
        silent = [await site.connect() for _ in range(MOST_ADMIN_CLIENTS)]
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert (await site.get("/health/live"))[0] == 200
        assert await silent[0].rest() == b"", "the oldest made room"
        # The others may still ask.
        await silent[-1].send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await silent[-1].head()).startswith(b"HTTP/1.1 200 ")
        for each in silent:
            await each.close()


async def test_a_connected_client_is_answered_although_no_more_clients_are_accepted() -> None:
    async with admin_site() as site:
        peer = await site.connect()
        await peer.send(b"GET /health/live HTTP/1.1\r\n")
        await trio.testing.wait_all_tasks_blocked(0.05)
        site.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        await peer.send(b"Host: localhost\r\n\r\n")
        assert (await peer.head()).startswith(b"HTTP/1.1 200 ")
        await peer.close()


async def test_a_client_without_a_whole_request_is_answered_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_SECONDS", 0.05)
    async with admin_site() as site:
        peer = await site.connect()
        await peer.send(b"GET /health/live HTTP/1.1\r\n")
        assert (await peer.rest()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        await peer.close()


def test_merged_statuses_add_numbers_and_have_a_truth_that_one_of_them_has() -> None:
    assert merged([]) == {}
    assert merged([{"a": 1, "b": {"c": 2}, "d": False, "e": "x"}, {"a": 2, "b": {"c": 3, "f": 1.5}, "d": True}]) == {
        "a": 3,
        "b": {"c": 5, "f": 1.5},
        "d": True,
        "e": "x",
    }
    # What says nothing takes back nothing.
    assert merged([{"a": "x", "b": None}, {"a": None, "b": None}]) == {"a": "x", "b": None}


def test_targets_with_the_same_facts_are_one_in_the_status() -> None:
    assert merged(each["status"]["pools"] for each in TWO)["chat"]["targets"] == [
        {**target("10.0.0.1:80", why="lost"), "open": 2, "served": 10, "failures": 4},
        target("10.0.0.2:80"),
        target("10.0.0.2:80", "ejected", "silent"),
    ]


def test_what_another_version_tells_in_another_shape_ends_no_supervisor() -> None:
    assert merged([{"a": [1], "b": [{"url": 1}], "c": 1}, {"a": [2], "c": ["x"]}]) == {
        "a": [1, 2],
        "b": [{"url": 1}],
        "c": ["x"],
    }


def test_a_sentence_shows_the_status_to_people() -> None:
    assert sentence(STATUS) == "serving 7 sessions with 1 worker"
    assert sentence(STATUS | {"draining": True}) == "draining, 7 sessions left"
    refused = {"ok": False, "at": 1798761600.0, "reason": "file-invalid", "why": "/etc/ws.yaml:1:10: version: 2"}
    assert sentence(STATUS | {"reload": refused}) == (
        "serving 7 sessions with 1 worker; the last reload was refused: file-invalid: /etc/ws.yaml:1:10: version: 2"
    )
    assert sentence(STATUS | {"not_serving": "worker 1 ended with status 3"}) == (
        "not serving: worker 1 ended with status 3"
    )
