"""What the clients of the hixie dialects do beyond their drafts once they are in: messages and goodbyes."""

from tests.support import Upstream, serving

from .webkit import PHANTOMJS

# A lone surrogate and an x.
SURROGATE = bytes.fromhex("00 eda080 78 ff")


async def test_phantomjs_sends_a_lone_surrogate_which_is_repaired() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await client.send(SURROGATE)
        assert await behind.message() == "\ufffd\ufffd\ufffdx".encode()


async def test_a_lone_surrogate_of_phantomjs_ends_the_session_where_that_is_asked_for() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="invalid_utf8: close") as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await client.send(b"\x00ok\xff" + SURROGATE)
        assert await client.rest() == b"\xff\x00"
        assert await behind.message() == b"ok"
        assert await behind.rest() == b""
        await client.close()
        await behind.close()
        assert (await gateway.lines.line("session"))["ended"] == (
            "client: text is not UTF-8: invalid continuation byte (1007)"
        )


async def test_pages_made_for_websockify_write_binary_as_base64() -> None:
    # noVNC, in browsers that have no binary messages.
    route = "binary: {encode: base64, decode: base64}"
    async with Upstream() as upstream, serving(upstream.port, route=route) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await behind.send(b"\x82\x04\x00\xff\x80\x7f")
        assert await client.exactly(10) == b"\x00AP+Afw==\xff"
        await client.send(b"\x00AP+Afw==\xff")
        assert await behind.frame() == (0x82, b"\x00\xff\x80\x7f")


async def test_webkit_before_mid_2011_never_answers_ff_00_and_its_connection_is_closed() -> None:
    # PhantomJS: it shows a close once the connection ends, and waits for ever if it does not.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await behind.send(b"\x81\x04last" + bytes.fromhex("88 02 03e8"))
        assert await client.rest() == b"\x00last\xff\xff\x00"
        assert await behind.frame() == (0x88, bytes.fromhex("03e8"))


async def test_webkit_before_mid_2011_says_goodbye_by_closing_its_connection() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await client.send(b"\x00last\xff")
        await client.close()
        assert await behind.frame() == (0x81, b"last")
        assert await behind.frame() == (0x88, b"")
        await behind.send(b"\x88\x00")
        assert await behind.rest() == b""
        await behind.close()
        assert (await gateway.lines.line("session"))["ended"] == "client: close no code"


async def test_safari_5_1_answers_ff_00_and_closes() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await behind.send(bytes.fromhex("88 02 03e9"))
        assert await client.exactly(2) == b"\xff\x00"
        await client.send(b"\xff\x00")
        await client.send_eof()
        assert await client.rest() == b""
        assert await behind.frame() == (0x88, b"")


async def test_safari_5_1_that_closes_waits_for_ff_00_and_the_end() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await client.send(b"\xff\x00")
        assert await behind.frame() == (0x88, b"")
        await behind.send(b"\x88\x00")
        assert await client.rest() == b"\xff\x00"


async def test_web_socket_js_sends_ff_00_and_closes_without_waiting() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await PHANTOMJS.opened(upstream, gateway)
        await client.send(b"\x00last\xff\xff\x00")
        await client.close()
        assert await behind.message() == b"last"
        assert await behind.frame() == (0x88, b"")
        await behind.send(b"\x88\x00")
        await behind.close()
        assert (await gateway.lines.line("session"))["ended"] == "client: close no code"
