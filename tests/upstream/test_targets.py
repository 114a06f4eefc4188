"""Several targets of one upstream: which one gets a session, and what a client sees when some of them fail."""

import socket

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of, switching, values
from tests.net.certificates import Authority
from tests.openings import RFC6455
from tests.serve.exchanging import HTTP_GET, HTTP_OK
from tests.support import Upstream, dead_port, serving_text

from .targets import MODERN, agreeable, finish, greeted, session, several, three

REFUSING = "Connection refused"


async def test_targets_take_turns() -> None:
    async with three() as (upstreams, gateway):
        for upstream in (*upstreams, *upstreams):
            await session(upstream, gateway)


async def test_the_log_names_the_target_that_served_and_those_that_failed_before() -> None:
    with dead_port() as port:
        async with Upstream() as upstream, serving_text(several(port, upstream.port)) as gateway:
            line = await finish(gateway, *await session(upstream, gateway))
            assert line["target"] == f"ws://127.0.0.1:{upstream.port}"
            assert line["failed"] == f"ws://127.0.0.1:{port}: no connection to 127.0.0.1:{port}: {REFUSING}"
            assert "failed" not in await finish(gateway, *await session(upstream, gateway))


async def test_a_target_that_has_accepted_is_waited_for_as_long_as_the_handshake_has_time(
    autojump_clock: MockClock,
) -> None:
    async with three(timeouts="handshake: 5s") as ((slow, *others), gateway):
        client = await gateway.connect(MODERN.request)
        behind = await slow.accept()
        request = await behind.head()
        await trio.sleep(4.9)
        await behind.send(switching(request))
        await greeted(client, behind)
        assert all(each.nobody_came() for each in others)


async def test_no_other_target_is_tried_after_one_that_was_silent_to_the_end(autojump_clock: MockClock) -> None:
    async with three(timeouts="handshake: 5s") as ((silent, *others), gateway):
        begun = trio.current_time()
        client = await gateway.connect(MODERN.request)
        stuck = await silent.accept()
        await stuck.head()
        assert (await client.rest()).startswith(b"HTTP/1.1 504 ")
        assert trio.current_time() - begun == pytest.approx(5)
        assert await stuck.rest() == b""
        assert all(each.nobody_came() for each in others)
        line = await gateway.lines.line("upstream failed")
        assert line["why"] == "silent for what remained of the 5 s for a handshake"


async def test_a_target_with_a_slow_tls_handshake_has_all_of_the_time(
    autojump_clock: MockClock, authority: Authority
) -> None:
    async with Upstream(authority.server) as slow, Upstream() as other:
        tls = f"{{ca: {authority.file}, server_name: localhost}}"
        secure = f'url: "wss://127.0.0.1:{slow.port}", tls: {tls}'
        text = several(secure, other.port, timeouts="handshake: 5s, connect: 4s", pages='{url: "http://a"}')
        async with serving_text(text) as gateway:
            client = await gateway.connect(MODERN.request)
            await trio.sleep(3.5)
            await slow.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            assert other.nobody_came()


async def test_a_target_that_does_not_accept_leaves_time_for_another(autojump_clock: MockClock) -> None:
    # Linux takes one connection more than the backlog, and then lets all others wait.
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        port = full.getsockname()[1]
        async with Upstream() as good, serving_text(several(port, good.port, timeouts="handshake: 5s")) as gateway:
            begun = trio.current_time()
            client = await gateway.connect(MODERN.request)
            behind, _ = await good.agree()
            await greeted(client, behind)
            assert trio.current_time() - begun == pytest.approx(2.5)
            line = await finish(gateway, client, behind)
            assert line["failed"].endswith(f"no connection to 127.0.0.1:{port} within 2.5 s")


async def test_a_target_that_does_not_greet_in_tls_is_followed_by_another(autojump_clock: MockClock) -> None:
    async with Upstream() as mute, Upstream() as good:
        text = several(
            f'url: "wss://127.0.0.1:{mute.port}"', good.port, timeouts="connect: 200ms", pages='{url: "http://a"}'
        )
        async with serving_text(text) as gateway:
            client = await gateway.connect(MODERN.request)
            await good.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")


FAILING = {
    "garbage": b"220 smtp.example.com ESMTP\r\n\r\n",
    "nothing": b"",
    "a key that is wrong": head_of(
        "HTTP/1.1 101 X",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ),
    "502": head_of("HTTP/1.1 502 Bad Gateway", "Content-Length: 0"),
    "503": head_of("HTTP/1.1 503 Service Unavailable", "Content-Length: 0"),
    "504": head_of("HTTP/1.1 504 Gateway Timeout", "Content-Length: 0"),
}


@pytest.mark.parametrize("answer", FAILING.values(), ids=FAILING)
async def test_a_target_that_cannot_serve_is_followed_by_another(answer: bytes) -> None:
    async with three() as ((bad, good, _), gateway):
        client = await gateway.connect(MODERN.request)
        behind = await bad.accept()
        await behind.head()
        await behind.send(answer)
        await behind.close()
        await greeted(client, (await good.agree())[0])


@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found", "302 Found", "500 Internal Server Error"])
async def test_the_refusal_of_a_target_is_the_clients_answer(status: str) -> None:
    async with three() as ((refusing, *others), gateway):
        client = await gateway.connect(MODERN.request)
        behind = await refusing.accept()
        await behind.head()
        await behind.send(head_of(f"HTTP/1.1 {status}", "Content-Length: 2") + b"no")
        assert (await client.rest()).startswith(f"HTTP/1.1 {status}\r\n".encode())
        assert all(each.nobody_came() for each in others)


async def test_the_last_refusal_is_the_clients_answer_where_all_refuse() -> None:
    async with three() as ((first, second, third), gateway):
        client = await gateway.connect(MODERN.request)
        for upstream, said in ((first, b"first"), (second, b"other")):
            behind = await upstream.accept()
            await behind.head()
            await behind.send(head_of("HTTP/1.1 503 Service Unavailable", "Content-Length: 5") + said)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"other")
        assert third.nobody_came()


@pytest.mark.parametrize(("attempts", "served"), [(1, False), (2, False), (3, True)])
async def test_so_many_targets_are_tried_and_no_more(attempts: int, served: bool) -> None:
    with dead_port() as one, dead_port() as two:
        async with Upstream() as upstream:
            text = several(one, two, upstream.port, more=f"retry: {{attempts: {attempts}}}")
            async with serving_text(text) as gateway:
                client = await gateway.connect(MODERN.request)
                if served:
                    await upstream.agree()
                    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
                else:
                    assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
                    assert upstream.nobody_came()


async def test_each_target_gets_its_own_host_where_that_is_wanted() -> None:
    async with three(more="host: target") as (upstreams, gateway):
        for upstream in upstreams:
            await gateway.connect(MODERN.request)
            _, request = await upstream.agree()
            assert values(request, "host") == [f"127.0.0.1:{upstream.port}"]


async def test_a_backup_serves_when_no_other_can() -> None:
    async with Upstream() as spare:
        backup = f'url: "ws://127.0.0.1:{spare.port}", backup: true'
        with dead_port() as port:
            async with serving_text(several(backup, port)) as gateway:
                await session(spare, gateway)
        async with Upstream() as good, serving_text(several(backup, good.port)) as gateway:
            for _ in range(3):
                await session(good, gateway)
            assert spare.nobody_came()


async def test_a_target_has_so_many_connections_and_no_more() -> None:
    async with Upstream() as small, Upstream() as large:
        limited = f'url: "ws://127.0.0.1:{small.port}", max_connections: 1, weight: 3'
        async with serving_text(several(limited, large.port)) as gateway:
            client, behind = await session(small, gateway)
            for _ in range(3):
                await session(large, gateway)
            await finish(gateway, client, behind)
            await session(small, gateway)


async def test_a_target_that_fails_often_is_ejected() -> None:
    with dead_port() as port:
        async with Upstream() as upstream:
            text = several(port, upstream.port, more="health: {passive: {failures: 2}}")
            async with serving_text(text) as gateway:
                lines = [await finish(gateway, *await session(upstream, gateway)) for _ in range(6)]
                assert ["failed" in line for line in lines] == [True, False, True, False, False, False]
                line = await gateway.lines.line("target ejected")
                assert (line["level"], line["upstream"], line["target"]) == (
                    "warning",
                    "chat",
                    f"ws://127.0.0.1:{port}",
                )
                assert line["why"] == f"no connection to 127.0.0.1:{port}: {REFUSING}; for 30 s"


async def test_the_only_target_is_never_ejected() -> None:
    with dead_port() as port:
        async with serving_text(several(port, more="health: {passive: {failures: 1}}")) as gateway:
            for _ in range(3):
                client = await gateway.connect(MODERN.request)
                assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
            assert gateway.lines.every("target ejected") == []


@pytest.mark.parametrize(
    ("what", "header"),
    [
        ("{cookie: sid}", "Cookie: a=b; sid={}"),
        ("{header: X-User}", "X-User: {}"),
        ("{query: user}", ""),
        ("{path: '/chat/([^/]+)'}", ""),
    ],
)
async def test_clients_with_the_same_key_reach_the_same_target(what: str, header: str) -> None:
    async with (
        agreeable() as a,
        agreeable() as b,
        agreeable() as c,
        serving_text(several(a.port, b.port, c.port, more=f"balance: {{hash: {what}}}")) as gateway,
    ):
        seen: dict[str, set[str]] = {}
        # Ports are a part of the hash, and differ each time: with so many keys each side has some.
        for at, key in enumerate([*"abcdefghijklmnopqrst"] * 2):
            path = f"/chat?x=y&user={key}" if "query" in what else f"/chat/{key}" if "path" in what else "/chat"
            headers = [header.format(key)] if header else []
            client = await gateway.connect(head_of(f"GET {path} HTTP/1.1", *RFC6455, *headers))
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            await client.close()
            line = (await gateway.lines.enough("session", at + 1))[-1]
            seen.setdefault(key, set()).add(line["target"])
        assert all(len(each) == 1 for each in seen.values())
        assert len(set.union(*seen.values())) > 1


# -- plain HTTP ------------------------------------------------------------------------------------------------------


async def test_a_plain_request_goes_to_another_target_where_a_connection_fails() -> None:
    with dead_port() as port:
        async with Upstream() as upstream, serving_text(several(port, upstream.port)) as gateway:
            post = head_of("POST / HTTP/1.1", "Host: a", "Content-Length: 5") + b"hello"
            client = await gateway.connect(post)
            behind = await upstream.accept()
            assert (await behind.until(b"hello")).startswith(b"POST / HTTP/1.1\r\n")
            await behind.send(HTTP_OK)
            assert (await client.until(b"ok")).startswith(b"HTTP/1.1 200 ")
            line = await gateway.lines.line("http")
            assert line["target"] == f"http://127.0.0.1:{upstream.port}"
            assert line["failed"].startswith(f"http://127.0.0.1:{port}: no connection to ")


@pytest.mark.parametrize("answer", [b"", FAILING["garbage"]], ids=["nothing", "garbage"])
async def test_a_plain_request_that_was_sent_is_not_sent_again(answer: bytes) -> None:
    async with three() as ((first, *others), gateway):
        client = await gateway.connect(HTTP_GET)
        behind = await first.accept()
        await behind.head()
        await behind.send(answer)
        await behind.close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert all(each.nobody_came() for each in others)


async def test_a_503_to_a_plain_request_is_the_clients_answer() -> None:
    async with three() as ((first, *others), gateway):
        client = await gateway.connect(HTTP_GET)
        behind = await first.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 503 Service Unavailable", "Content-Length: 0"))
        assert (await client.head()).startswith(b"HTTP/1.1 503 ")
        assert all(each.nobody_came() for each in others)


async def test_failures_of_plain_requests_count_too() -> None:
    async with three(more="health: {passive: {failures: 1, clients: 1}}") as ((first, *_), gateway):
        client = await gateway.connect(HTTP_GET)
        behind = await first.accept()
        await behind.head()
        await behind.close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        line = await gateway.lines.line("target ejected", upstream="pages")
        assert line["target"] == f"http://127.0.0.1:{first.port}"
