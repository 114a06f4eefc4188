"""Sessions that a trace follows: it sees every byte of both sides, and they go on as others do."""

import base64
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from tests.heads import head_of, switching
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, RFC6455, Opening, every_dialect, opened
from tests.serve.exchanging import HTTP_GET, HTTP_OK, http_configuration
from tests.support import Running, Upstream, serving, serving_text
from wsgateway.trace.traces import Item, Trace

from .http2 import CLOSE, HELLO, HELLO_BACK, Client
from .test_tls import tls

MODERN = BY_DIALECT["rfc6455"]


@contextmanager
def tracing(
    gateway: Running, wants: object = lambda facts: True, payload_bytes: int = 1000, records: bool = True
) -> Iterator[Trace]:
    """Watch the sessions of a gateway, all of them if nothing else is said."""
    with gateway.service._gateway.traces.begin(wants, payload_bytes, records) as trace:
        yield trace


async def to_its_end(trace: Trace) -> list[Item]:
    """Return all items of a trace, to the end of the first session."""
    items: list[Item] = []
    while not any(item["kind"] == "end" for item in items):
        items += await trace.items()
    return items


def on_the_wire(items: list[Item]) -> dict[str, bytes]:
    """Return the bytes of each direction, by names such as `client >`."""
    found: dict[str, bytes] = defaultdict(bytes)
    for item in items:
        if item["kind"] == "bytes":
            found[f"{item['peer']} {item['way']}"] += base64.b64decode(str(item["data"]))
    return found


def lines(items: list[Item], peer: str, way: str) -> list[str]:
    return [
        f"{item['text']} | {item['meaning']}"
        for item in items
        if item["kind"] == "line" and (item["peer"], item["way"]) == (peer, way)
    ]


@every_dialect
async def test_every_byte_of_both_sides_is_seen(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway) as trace:
            client = await gateway.connect(opening.head)
            behind, request = await upstream.agree()
            accepted = switching(request)
            await client.send(opening.challenge)
            answer = await client.head()
            secret = await opening.proven(client, answer)
            hello = opening.written(opening.hello_back, secret)
            await client.send(hello)
            assert await behind.frame() == (0x81, b"Hello")
            await behind.send(b"\x81\x05Hello")
            assert await client.exactly(len(opening.hello_back)) == opening.hello_back
            await client.close()
            await behind.close()
            items = await to_its_end(trace)
        wire = on_the_wire(items)
        assert wire["client >"].startswith(opening.head.replace(b"__utma=1", b"***") + opening.challenge + hello)
        _, _, proof = opening.reply.partition(b"\r\n\r\n")
        assert wire["client <"].startswith(answer + proof + opening.hello_back)
        assert wire["upstream >"].startswith(request.replace(b"__utma=1", b"***"))
        assert wire["upstream <"].startswith(accepted + b"\x81\x05Hello")
        assert any("Hello" in line for line in lines(items, "client", ">"))
        assert any("Hello" in line for line in lines(items, "upstream", ">"))
        begun = next(item for item in items if item["kind"] == "session")
        assert (begun["dialect"], begun["route"], begun["client"]) == (opening.dialect, "all", client.name)


async def test_a_session_that_nobody_wants_goes_on_as_without_a_trace() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway, wants=lambda facts: facts.dialect == "hixie-75") as trace:
            session = await opened(upstream, gateway, MODERN)
            await session.works()
            wanted = await opened(upstream, gateway, BY_DIALECT["hixie-75"])
            await wanted.works()
            await wanted.client.close()
            await wanted.behind.close()
            items = await to_its_end(trace)
            assert {item["session"] for item in items} == {"1.2"}
            await session.works()


async def test_a_session_outlives_its_trace() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway):
            session = await opened(upstream, gateway, MODERN)
            await session.works()
        await session.works()
        later = await opened(upstream, gateway, MODERN)
        await later.works()


async def test_large_messages_pass_while_nobody_reads_the_trace() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway):
            session = await opened(upstream, gateway, MODERN)
            frame = b"\x82\x7e\xff\xff" + bytes(65535)
            for _ in range(200):
                await session.behind.send(frame)
                assert await session.client.exactly(len(frame)) == frame


async def test_secrets_of_a_client_are_not_shown() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway) as trace:
            head = head_of("GET /chat?token=abc&room=1 HTTP/1.1", *RFC6455, "Cookie: sid=def", "Authorization: ghi")
            client = await gateway.connect(head)
            behind, request = await upstream.agree("Set-Cookie: sid=jkl")
            assert b"Cookie: sid=def\r\n" in request
            assert b"Set-Cookie: sid=jkl\r\n" in await client.head()
            await client.close()
            await behind.close()
            items = await to_its_end(trace)
        shown = repr(items) + repr(dict(on_the_wire(items)))
        for secret in ("abc", "sid", "def", "ghi", "jkl"):
            assert secret not in shown
        assert "token=***&room=1" in shown


async def test_a_reload_changes_which_names_are_secret() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        assert "token" in gateway.service._gateway.traces.query_names
        text = http_configuration(upstream.port) + "trace: {redact_query: [room]}\n"
        gateway.reload(text)
        assert gateway.service._gateway.traces.query_names == ("room",)


async def test_a_refusal_is_shown_with_its_reason() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="origins: {allow: [http://a.example]}") as gateway:
        with tracing(gateway) as trace:
            client = await gateway.connect(MODERN.request)
            assert (await client.head()).startswith(b"HTTP/1.1 403 ")
            await client.rest()
            await client.close()
            items = await to_its_end(trace)
        assert any(str(item.get("text")).startswith("origin-refused: ") for item in items if item["kind"] == "remark")
        assert lines(items, "client", "<")[0] == "HTTP/1.1 403 Forbidden | "


async def test_a_head_that_is_no_request_is_shown_to_traces_that_want_any_client() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway, wants=lambda facts: not facts.dialect) as trace:
            client = await gateway.connect(head_of("GET / HTTP/1.1", "Host: a", "Upgrade: websocket"))
            assert (await client.head()).startswith(b"HTTP/1.1 4")
            await client.rest()
            await client.close()
            items = await to_its_end(trace)
        assert lines(items, "client", ">")[0] == "GET / HTTP/1.1 | "


async def test_each_target_that_is_tried_begins_anew() -> None:
    async with Upstream() as good, Upstream() as bad:
        text = (
            "version: 1\nlisteners: [{name: public, bind: ['127.0.0.1:0']}]\nshutdown: {spread: none}\n"
            "routes: [{name: all, match: {path: {prefix: /}}, upstream: behind}]\n"
            "upstreams: {behind: {targets: "
            f"[{{url: 'ws://127.0.0.1:{bad.port}'}}, {{url: 'ws://127.0.0.1:{good.port}', backup: true}}]}}}}\n"
        )
        async with serving_text(text) as gateway:
            with tracing(gateway) as trace:
                client = await gateway.connect(MODERN.request)
                refusing = await bad.accept()
                await refusing.head()
                await refusing.send(head_of("HTTP/1.1 503 Service Unavailable", "Content-Length: 0"))
                behind, _ = await good.agree()
                await client.head()
                await client.close()
                await behind.close()
                items = await to_its_end(trace)
            answers = [line for line in lines(items, "upstream", "<") if line.startswith("HTTP/")]
            assert answers == ["HTTP/1.1 503 Service Unavailable | ", "HTTP/1.1 101 Switching Protocols | "]


async def test_a_session_after_a_plain_request_on_its_connection_is_shown_alone() -> None:
    async with Upstream() as upstream, serving_text(http_configuration(upstream.port)) as gateway:
        with tracing(gateway, wants=lambda facts: bool(facts.dialect)) as trace:
            client = await gateway.connect(HTTP_GET)
            page = await upstream.accept()
            await page.head()
            await page.send(HTTP_OK)
            await client.head()
            assert await client.exactly(2) == b"ok"
            await client.send(MODERN.request)
            behind, _ = await upstream.agree()
            await client.head()
            await client.close()
            await behind.close()
            items = await to_its_end(trace)
        assert on_the_wire(items)["client >"].startswith(MODERN.request)


async def test_a_session_over_tls_is_seen_in_clear(authority: Authority) -> None:
    file = authority.issue("localhost")
    async with Upstream() as upstream, serving(upstream.port, listener=tls(file)) as gateway:
        with tracing(gateway) as trace:
            client = await gateway.connect_tls(authority.client(), MODERN.request)
            behind, _ = await upstream.agree()
            await client.head()
            await client.send(MODERN.hello)
            assert await behind.frame() == (0x81, b"Hello")
            await behind.close()
            await client.close()
            items = await to_its_end(trace)
        assert on_the_wire(items)["client >"].startswith(MODERN.request + MODERN.hello)


async def test_a_stream_of_http_2_is_seen_as_http_1_1(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        with tracing(gateway) as trace:
            client = await Client.connect(gateway, authority)
            number, behind = await client.session(upstream)
            await client.say(number, HELLO)
            assert await behind.frame() == (0x81, b"Hello")
            await behind.send(HELLO_BACK)
            assert await client.exactly(number, 7) == HELLO_BACK
            await client.say(number, CLOSE, end=True)
            await behind.close()
            items = await to_its_end(trace)
        assert any("Hello" in line for line in lines(items, "client", ">"))


async def test_nothing_remains_of_a_session_that_was_followed() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        inside = gateway.service._gateway
        with tracing(gateway) as trace:
            for _ in range(3):
                session = await opened(upstream, gateway, MODERN)
                await session.ends()
                await to_its_end(trace)
            await gateway.accepted(0)
        assert (len(inside.engine), len(inside.owner), len(inside.engine.watches)) == (0, 0, 0)


async def test_heads_and_answers_of_more_bytes_than_are_traced_at_once_pass() -> None:
    """What waits in the kernel behind a read is no new event."""
    long = "X: " + "x" * 10_000
    answered = MODERN.written(b"\x82\x7e\x27\x10" + bytes(10_000)) + MODERN.written(b"\x88\x02\x03\xe8")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        with tracing(gateway):
            client = await gateway.connect(MODERN.request.replace(b"\r\nHost:", f"\r\n{long}\r\nHost:".encode()))
            behind, _ = await upstream.agree(long)
            await client.head()
            await behind.send(b"\x88\x02\x03\xe8")
            assert await client.exactly(4) == b"\x88\x02\x03\xe8"
            await client.send(answered)  # in the closing handshake
            assert await behind.exactly(len(answered)) == answered
            await client.close()
            await behind.close()
