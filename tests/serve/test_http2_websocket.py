"""WebSocket over HTTP/2 (RFC 8441): a stream is a session like any other."""

import struct

import pytest
from h2.events import ConnectionTerminated, RemoteSettingsChanged, StreamEnded
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame

from tests.backends import websockets_server
from tests.heads import head_of, values
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.support import Upstream, dead_port, end_of, serving

from .http2 import CLOSE, CONNECT, HELLO, HELLO_BACK, Client, Headers


async def test_a_stream_is_a_session(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        settings = await client.event(RemoteSettingsChanged)
        assert settings.changed_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value == 1
        number = await client.ask(
            [*CONNECT, ("origin", "https://example.com"), ("cookie", "a=1"), ("cookie", "b=2")], end=False
        )
        behind, request = await upstream.agree("Set-Cookie: c=3")
        assert request.startswith(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n")
        assert values(request, "origin") == ["https://example.com"]
        assert values(request, "cookie") == ["a=1; b=2"]
        assert values(request, "x-forwarded-proto") == ["https"]
        assert values(request, "x-websocket-dialect") == ["rfc6455"]
        assert await client.response(number) == {":status": "200", "set-cookie": "c=3"}
        await client.say(number, HELLO)
        assert await behind.frame() == (0x81, b"Hello")
        await behind.send(HELLO_BACK)
        assert await client.exactly(number, 7) == HELLO_BACK
        await client.say(number, CLOSE)
        assert await behind.frame() == (0x88, b"\x03\xe8")
        await behind.send(b"\x88\x02\x03\xe8")
        assert await client.body(number) == b"\x88\x02\x03\xe8"
        await client.say(number, b"", end=True)
        await behind.close()
        line = await gateway.lines.line("session")
        assert line.items() >= {
            "client": client.peer.name, "http": "2", "path": "/chat", "dialect": "rfc6455", "route": "all",
            "messages_in": 1, "messages_out": 1, "by": "client", "why": "close 1000",
        }.items()  # fmt: skip


async def test_the_200_has_the_values_agreed_with_the_upstream(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        offer = [("sec-websocket-protocol", "chat, other"), ("sec-websocket-extensions", "permessage-deflate")]
        number = await client.ask([*CONNECT, *offer], end=False)
        _, request = await upstream.agree(
            "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"
        )
        assert values(request, "sec-websocket-protocol") == ["chat, other"]
        assert await client.response(number) == {
            ":status": "200",
            "sec-websocket-protocol": "chat",
            "sec-websocket-extensions": "permessage-deflate",
        }


async def test_the_proxy_header_for_an_upstream_names_the_connection_of_the_stream(
    offered: str, authority: Authority
) -> None:
    told = "send_proxy_protocol: v2"
    async with Upstream() as upstream, serving(upstream.port, listener=offered, behind=told) as gateway:
        client = await Client.connect(gateway, authority)
        await client.ask(CONNECT, end=False)
        behind = await upstream.accept()
        header = await behind.exactly(16 + 0x1E)
        assert header[16:24] == bytes([127, 0, 0, 1]) * 2
        assert header[24:28] == struct.pack("!HH", int(client.peer.name.rpartition(":")[2]), gateway.port)
        assert header.endswith(b"TLSv1.3")


async def test_large_messages_pass_between_windows(offered: str, authority: Authority) -> None:
    async with websockets_server(max_size=None) as port, serving(port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(CONNECT, end=False)
        assert (await client.response(number))[":status"] == "200"
        size = 3_000_000
        head = size.to_bytes(8)
        await client.upload(number, b"\x82\xff" + head + bytes(4) + bytes(size), end=False)
        assert await client.exactly(number, 10 + size) == b"\x82\x7f" + head + bytes(size)


BAD: list[tuple[Headers, str, str]] = [
    ([*CONNECT[:-1]], "400", "Sec-WebSocket-Version must be 13 over HTTP/2"),
    ([*CONNECT[:-1], ("sec-websocket-version", "8")], "400", "Sec-WebSocket-Version must be 13 over HTTP/2"),
    (
        [CONNECT[0], (":protocol", "webtransport"), *CONNECT[2:]],
        "501",
        "CONNECT is for WebSocket alone, not 'webtransport'",
    ),
    ([*CONNECT, ("origin", "https://evil.example")], "403", "the Origin 'https://evil.example' is not allowed here"),
    (
        [*CONNECT[:4], (":path", "/a/../b"), CONNECT[5]],
        "400",
        "the path has a segment that is . or .., which may lead out of a route",
    ),
    ([*CONNECT, ("sec-websocket-protocol", "\xe4")], "400", "Sec-WebSocket-Protocol lists a name with a control or a"),
]


@pytest.mark.parametrize(("headers", "status", "why"), BAD, ids=lambda each: each if isinstance(each, str) else "")
async def test_a_refusal_is_a_response_with_its_reason(
    headers: Headers, status: str, why: str, offered: str, authority: Authority
) -> None:
    route = "origins: {allow: ['https://example.com']}"
    async with Upstream() as upstream, serving(upstream.port, listener=offered, route=route) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(headers, end=False)
        response = await client.response(number)
        body = await client.body(number)
        assert (response[":status"], response["content-length"]) == (status, str(len(body)))
        line = await gateway.lines.line("refused")
        assert body.decode().endswith(f": {line['reason']}\n")
        assert (line["http"], line["status"]) == ("2", int(status))
        assert line["why"].startswith(why)
        assert upstream.nobody_came()
        # Only the stream ended, and not the connection.
        await client.say(number, b"", end=True)
        number = await client.ask([*CONNECT, ("origin", "https://example.com")], end=False)
        await upstream.agree()
        assert (await client.response(number))[":status"] == "200"


async def test_a_refusal_of_the_upstream_is_passed_on_with_its_body(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(CONNECT, end=False)
        behind = await upstream.accept()
        await behind.head()
        refusal = head_of("HTTP/1.1 403 Nope", "Transfer-Encoding: chunked", "WWW-Authenticate: Basic")
        await behind.send(refusal + b"4\r\nno, \r\n3\r\nyou\r\n0\r\n\r\n")
        response = await client.response(number)
        assert (response[":status"], response["www-authenticate"]) == ("403", "Basic")
        assert "transfer-encoding" not in response
        assert await client.body(number) == b"no, you"


async def test_an_upstream_that_is_down_is_a_502(offered: str, authority: Authority) -> None:
    with dead_port() as port:
        async with serving(port, listener=offered) as gateway:
            client = await Client.connect(gateway, authority)
            number = await client.ask(CONNECT, end=False)
            assert (await client.response(number))[":status"] == "502"
            assert await client.body(number) == b"502 Bad Gateway: target-unreachable\n"


# -- ends ----------------------------------------------------------------------------------------------------------


async def test_a_stream_that_is_reset_is_an_abnormal_end(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number, behind = await client.session(upstream)
        await client.say(number, HELLO)
        assert await behind.frame() == (0x81, b"Hello")
        await client.reset(number)
        assert await behind.rest() == b""
        line = await gateway.lines.line("session")
        assert end_of(line) == "client: Connection reset by peer"


async def test_a_stream_that_ends_without_a_close_is_an_abnormal_end(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number, behind = await client.session(upstream)
        await client.say(number, b"", end=True)
        assert await behind.rest() == b""
        line = await gateway.lines.line("session")
        assert end_of(line) == "client: the connection ended without a Close (1006)"
        assert await client.body(number) == b""


async def test_a_lost_upstream_ends_the_stream_with_a_close(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number, behind = await client.session(upstream)
        behind.reset()
        assert await client.body(number) == b"\x88\x02\x03\xf6"  # 1014


async def test_a_client_that_never_ends_its_stream_has_it_ended(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number, behind = await client.session(upstream)
        behind.reset()
        await client.event(StreamEnded, number)
        assert await client.code(number) == 0  # NO_ERROR


async def test_a_connection_that_is_lost_is_lost_for_all_its_sessions(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        for _ in range(2):
            await client.session(upstream)
        client.peer.reset()
        for _ in range(2):
            line = await gateway.lines.line("session")
            gateway.lines.entries.remove(line)
            assert end_of(line) == "client: Connection reset by peer"


async def test_a_client_that_disconnects_is_not_waited_for(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=offered, timeouts="close: 1h") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        await client.event(RemoteSettingsChanged)
        await client.peer.close()
        assert (await gateway.lines.line("disconnected"))["why"] == "with the end of its connection"


async def test_a_gateway_that_stops_sends_a_close_on_every_stream(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        numbers = [await client.ask(CONNECT, end=False) for _ in range(2)]
        behinds = [(await upstream.agree())[0] for _ in numbers]
        for number in numbers:
            await client.response(number)
        gateway.service.drain()
        # h2 handles no more frames after a GOAWAY: they are read and written here.
        goaway = await client.frame()
        assert isinstance(goaway, GoAwayFrame)
        assert (goaway.last_stream_id, goaway.error_code) == (numbers[-1], 0)
        goodbyes = {}
        while len(goodbyes) < len(numbers):
            frame = await client.frame()
            if isinstance(frame, DataFrame):
                goodbyes[frame.stream_id] = frame.data
                answer = DataFrame(frame.stream_id, bytes.fromhex("88 82 37fa213d 3413"), flags=["END_STREAM"])
                await client.peer.send(answer.serialize())
        assert goodbyes == dict.fromkeys(numbers, b"\x88\x02\x03\xf4")
        for behind in behinds:
            assert (await behind.frame())[0] == 0x88
            await behind.close()
        await client.peer.rest()
        await client.peer.close()
        await gateway.stopped.wait()
        assert {end_of(line) for line in gateway.lines.every("session")} == {"gateway: stopped"}


async def test_an_idle_connection_is_sent_away_when_the_gateway_stops(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.event(RemoteSettingsChanged)
        gateway.service.drain()
        await client.event(ConnectionTerminated)
        await client.until_closed()
        await client.peer.close()
        await gateway.stopped.wait()


@pytest.mark.parametrize(
    ("tls", "chosen"),
    [
        ("http2: {mode: auto}", "h2"),
        ("http2: {mode: offer}", "h2"),
        ("http2: {mode: none}", "http/1.1"),
        ("profile: modern", "h2"),
        ("profile: legacy", "http/1.1"),
        ("profile: custom, minimum: 1.1", "http/1.1"),
    ],
)
async def test_http_2_is_offered_before_http_1_1_if_it_is_enabled(tls: str, chosen: str, authority: Authority) -> None:
    file = authority.issue("localhost")
    whole = f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}], {tls}}}"
    async with Upstream() as upstream, serving(upstream.port, listener=whole) as gateway:
        context = authority.client()
        context.set_alpn_protocols(["http/1.1", "h2"])  # the server chooses
        peer = await gateway.connect_tls(context)
        assert peer.tls is not None
        assert peer.tls.selected_alpn_protocol() == chosen


async def test_old_clients_are_served_as_before_where_it_is_offered(offered: str, authority: Authority) -> None:
    opening = BY_DIALECT["hixie-76"]
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await gateway.connect_tls(authority.client(), opening.request)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_client_that_goes_away_breaks_no_rule_with_other_frames_beside_its_goaway(
    offered: str, authority: Authority
) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.event(RemoteSettingsChanged)
        await client.peer.send(GoAwayFrame(0).serialize() + PingFrame(opaque_data=b"too late").serialize())
        line = await gateway.lines.line("disconnected")
        assert line["why"] == "with a GOAWAY"
        await client.peer.close()
