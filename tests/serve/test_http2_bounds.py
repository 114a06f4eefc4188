"""The limits for a client of HTTP/2, and the log lines that name them."""

import struct
from contextlib import suppress

import pytest
import trio
import trio.testing
from h2.events import ConnectionTerminated, RemoteSettingsChanged, SettingsAcknowledged, StreamReset
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    HeadersFrame,
)
from trio.testing import MockClock

from tests.heads import head_of, values
from tests.net.certificates import Authority
from tests.serve.exchanging import HTTP_OK, serving_http
from tests.support import Upstream, serving

from .http2 import CONNECT, ENHANCE_YOUR_CALM, GET, Client, Headers, listener, method, sent_away

REFUSED_STREAM = 7


# -- connections and streams -----------------------------------------------------------------------------------


async def test_the_settings_frame_has_the_limit_of_streams(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "streams: 3", limits="{head_size: 20KiB}")
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        changed = (await client.event(RemoteSettingsChanged)).changed_settings
        assert changed[SettingCodes.MAX_CONCURRENT_STREAMS].new_value == 3
        assert changed[SettingCodes.MAX_HEADER_LIST_SIZE].new_value == 20 * 1024


async def test_more_streams_than_allowed_end_the_connection(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "streams: 2")
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        for _ in range(3):
            await client.ask(CONNECT, end=False)
        assert (await client.event(ConnectionTerminated)).error_code == 1  # PROTOCOL_ERROR
        await client.until_closed()
        assert (await gateway.lines.line("refused"))["why"].startswith("HTTP/2: Max ")  # h2 has two texts for it


async def test_streams_that_wind_down_are_not_without_number(authority: Authority) -> None:
    # A reset ends a stream for the client, and not yet for us: rapid reset (CVE-2023-44487) uses that.
    offered = listener(authority.issue("localhost"), "streams: 2, control_rate: none")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.event(SettingsAcknowledged)
        for at in range(50):
            number = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, method("GET", f"/{at}"), end_stream=True)
            client.h2.reset_stream(number)
        number = await client.ask(GET)
        assert await client.code(number) == REFUSED_STREAM
        for _ in range(4):
            gateway.lines.entries.remove(await gateway.lines.line("disconnected", why="before it had its answer"))
        await trio.testing.wait_all_tasks_blocked()
        # Now there is room again.
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        assert await client.body(number) == b"ok"
        assert not gateway.lines.every("disconnected")
        assert upstream.nobody_came()


async def test_streams_count_as_connections_of_their_address(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), max_connections_per_ip="3")
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        for _ in range(2):
            number, _ = await client.session(upstream)
        number = await client.ask(CONNECT, end=False)
        assert (await client.response(number))[":status"] == "429"
        assert await client.body(number) == b"429 Too Many Requests: address-full\n"


async def test_a_connection_too_many_from_one_address_is_sent_away(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), max_connections_per_ip="1")
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        await Client.connect(gateway, authority)
        client = await Client.connect(gateway, authority)
        ended = await client.event(ConnectionTerminated)
        assert ended.error_code == ENHANCE_YOUR_CALM
        assert ended.additional_data == b"address-full"
        await client.peer.close()
        line = await gateway.lines.line("refused")
        assert line["why"] == "more than 1 connections from one address"


async def test_streams_count_as_connections_of_their_listener(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), max_connections="2")
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        kept, behind = await client.session(upstream)
        number = await client.ask(CONNECT, end=False)
        assert (await client.response(number))[":status"] == "503"
        assert await client.body(number) == b"503 Service Unavailable: listener-full\n"
        await client.say(number, b"", end=True)
        # Ended streams do not count.
        await behind.close()
        await client.body(kept)
        await client.say(kept, b"", end=True)
        await gateway.lines.line("session")
        number, _ = await client.session(upstream)


async def test_handshakes_are_metered_for_each_stream(authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(
            upstream.port, listener=listener(authority.issue("localhost")), route="limits: {handshake_rate: 1/h}"
        ) as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number, _ = await client.session(upstream)
        number = await client.ask(CONNECT, end=False)
        response = await client.response(number)
        assert (response[":status"], "retry-after" in response) == ("429", True)


# -- time ----------------------------------------------------------------------------------------------------------


async def test_a_connection_without_a_request_ends_in_time(authority: Authority, autojump_clock: MockClock) -> None:
    offered = listener(authority.issue("localhost"))
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="handshake: 300ms, close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        assert (await client.event(ConnectionTerminated)).error_code == 0
        await client.until_closed()
        assert (await gateway.lines.line("disconnected"))["why"] == "without a request for 0.3 s"


async def test_a_connection_that_is_idle_ends_in_time(authority: Authority, autojump_clock: MockClock) -> None:
    offered = listener(authority.issue("localhost"), "idle: 200ms")
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        assert await client.body(number) == b"ok"
        assert (await client.event(ConnectionTerminated)).error_code == 0
        await client.until_closed()
        assert (await gateway.lines.line("disconnected"))["why"] == "without a request for 0.2 s"


async def test_an_upstream_that_is_silent_is_a_504_on_its_stream_alone(
    authority: Authority, autojump_clock: MockClock
) -> None:
    offered = listener(authority.issue("localhost"))
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="handshake: 300ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        silent = await client.ask(CONNECT, end=False)
        await upstream.accept()
        await client.session(upstream)
        assert (await client.response(silent))[":status"] == "504"


async def test_a_client_that_does_not_read_is_cut_in_time(authority: Authority, autojump_clock: MockClock) -> None:
    offered = listener(authority.issue("localhost"))
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, listener=offered, timeouts="send: 200ms", route="timeouts: {send: 1m}") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        client.h2.increment_flow_control_window(2**30)
        number = await client.ask(GET)
        client.h2.increment_flow_control_window(2**30, number)
        await client.flush()
        behind = await upstream.accept()
        await behind.head()

        async def answer() -> None:
            with suppress(trio.BrokenResourceError):
                await behind.send(head_of("HTTP/1.1 200 OK", "Connection: close"))
                while True:
                    await behind.send(bytes(65536))

        gateway.nursery.start_soon(answer)
        line = await gateway.lines.line("refused", reason="answer-not-taken")
        assert line["why"] == "the client takes nothing of what it is sent for 0.2 s"


# -- heads ---------------------------------------------------------------------------------------------------------


async def test_a_head_that_is_too_large_is_431(authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=listener(authority.issue("localhost"))) as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number = await client.ask([*CONNECT, ("cookie", "x" * 20_000)], end=False)
        assert (await client.response(number))[":status"] == "431"
        number = await client.ask([*CONNECT, *((f"x-{at}", "1") for at in range(101))], end=False)
        assert (await client.response(number))[":status"] == "431"
        assert await client.body(number) == b"431 Request Header Fields Too Large: request-too-large\n"


async def test_a_head_that_is_much_too_large_ends_the_connection(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        # A bomb: a few bytes that refer to one large header again and again.
        await client.ask([*CONNECT, *[("x-large", "x" * 3000)] * 30], end=False)
        await sent_away(client, gateway, ENHANCE_YOUR_CALM, "HTTP/2: Oversized header block")


async def test_continuations_without_end_end_the_connection(authority: Authority) -> None:
    # CVE-2024-27316.
    offered = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.peer.send(HeadersFrame(1, b"").serialize())
        await client.peer.send(ContinuationFrame(1, b"\x00").serialize() * 64)
        await sent_away(client, gateway, 1, "HTTP/2: Too many continuation frames received.")


# -- what is no HTTP/2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 2**32 - 1) * 9,
    ],
    ids=["HTTP/1.1", "noise"],
)
async def test_bytes_that_are_no_http_2_end_the_connection(data: bytes, authority: Authority) -> None:
    offered = listener(authority.issue("localhost"))
    context = authority.client()
    context.set_alpn_protocols(["h2"])
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        peer = await gateway.connect_tls(context, data)
        await peer.rest()
        line = await gateway.lines.line("refused")
        assert line["why"].startswith("HTTP/2: ")


MALFORMED: list[tuple[Headers, str]] = [
    ([*GET, ("connection", "close")], "Connection-specific header field present"),
    ([*GET, ("transfer-encoding", "chunked")], "Connection-specific header field present"),
    ([*GET, ("te", "gzip")], "Invalid value for TE header"),
    ([*GET, ("X-Upper", "1")], "Received uppercase header name"),
    ([*GET, (":path", "/again")], "Received duplicate pseudo-header field"),
    ([*GET, (":status", "200")], "Encountered response-only headers"),
    ([*GET, ("host", "other.example")], "Request header block has mismatched :authority and Host headers"),
]


@pytest.mark.parametrize(("headers", "why"), MALFORMED, ids=lambda each: each[-1][0] if isinstance(each, list) else "")
async def test_a_header_list_that_breaks_the_rules_ends_the_connection(
    headers: Headers, why: str, authority: Authority
) -> None:
    offered = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        client.h2.config.normalize_outbound_headers = False
        await client.ask(headers)
        await client.event(ConnectionTerminated)
        await client.until_closed()
        await client.peer.close()
        assert upstream.nobody_came()
        line = await gateway.lines.line("refused")
        assert line["why"] == f"HTTP/2: {why}"


async def test_a_request_that_http_1_1_cannot_express_is_refused_on_its_stream(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        for headers in (
            method("GET", "/a b"),
            method("GET", "*x"),
            method("G ET"),
            method("GET", "/", ("x(y)", "1")),
            method("GET", "/", ("origin", "a\x01b")),
            method("POST", "/", ("content-length", "5")),
        ):
            number = await client.ask(headers)
            assert (await client.response(number))[":status"] == "400"
        assert upstream.nobody_came()
        assert not [each for each in client.events if isinstance(each, StreamReset | ConnectionTerminated)]
        number = await client.ask(GET)
        behind = await upstream.accept()
        assert values(await behind.head(), "host") == ["example.com"]
        await behind.send(HTTP_OK)
        assert await client.body(number) == b"ok"


# -- the table of headers that we have sent -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [((2**20,), 4096), ((0,), 0), ((100,), 100), ((0, 2**20), 4096), ((2**20, 0, 2**20, 500), 500)],
)
async def test_the_header_table_is_as_small_as_the_client_requires_and_never_large(
    sizes: tuple[int, ...], kept: int, authority: Authority
) -> None:
    offered = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        for size in sizes:
            client.h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size})
            await client.flush()
            await client.event(SettingsAcknowledged)
        for _ in range(2):
            number = await client.ask(GET)
            behind = await upstream.accept()
            await behind.head()
            await behind.send(HTTP_OK)
            assert (await client.response(number))[":status"] == "200"
            assert client.h2.decoder.header_table_size == kept
