"""Connections that end without a Close: by a half-close, in the order of the kernel, or all at once.

`relay` and `closing handshake` have their own tests; here real sockets are cut through the whole gateway.
"""

import pytest

from tests.dialects.families import FRAMES, HIXIE
from tests.openings import Opening, every_dialect, opened
from tests.support import Upstream, end_of, serving

every_way = pytest.mark.parametrize("how", ["end", "reset"])
CLOSE_1014 = bytes.fromhex("88 02 03f6")


@every_way
@every_dialect
async def test_an_upstream_that_dies_between_messages_ends_the_session(opening: Opening, how: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.works()
        if how == "end":
            await session.behind.close()
        else:
            session.behind.reset()

        assert await session.client.rest() == (CLOSE_1014 if opening.dialect == "rfc6455" else b"")
        await session.client.close()
        assert end_of(await gateway.lines.line("session")).startswith("upstream: ")


@every_way
@every_dialect
async def test_an_upstream_that_dies_inside_a_message_never_finishes_it(opening: Opening, how: str) -> None:
    # The head states the frame's length. A text for hixie is held until its end, and no part of it is sent.
    part = b"" if opening.dialect in HIXIE else opening.spelled(b"\x81\x05Hello")[:-2]
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.behind.send(b"\x81\x05Hel")
        assert await session.client.exactly(len(part)) == part
        if how == "end":
            await session.behind.close()
        else:
            session.behind.reset()

        # No Close fits inside the frame of rfc6455; the others have no code for it.
        assert await session.client.rest() == b""
        await session.client.close()
        assert end_of(await gateway.lines.line("session")).startswith("upstream: ")


@every_dialect
async def test_a_client_that_is_cut_off_is_logged_as_such_and_its_upstream_is_closed(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.works()
        session.client.reset()

        assert b"\x88" not in await session.behind.rest()
        await session.behind.close()
        line = await gateway.lines.line("session", client=session.client.name)
        assert end_of(line).startswith("client: ")
        assert (line["dialect"], line["messages_in"], line["messages_out"]) == (opening.dialect, 1, 1)
        assert (line["bytes_in"], line["bytes_out"]) == (len(opening.hello), 7)


@every_dialect
async def test_a_client_that_is_cut_off_inside_a_message_never_finishes_it(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        part = session.hello[: 4 if opening.dialect in HIXIE else -2]
        await session.client.send(part)
        # A text that may need repair is held until its end, and no part of it is sent.
        if opening.dialect in FRAMES:
            assert (await session.behind.exactly(2)) == b"\x81\x85"
            await session.behind.exactly(len(part) - 2)
        session.client.reset()

        assert await session.behind.rest() == b""
        await session.behind.close()
        assert end_of(await gateway.lines.line("session")).startswith("client: ")


@every_dialect
async def test_a_client_that_only_stops_to_send_has_ended_its_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.client.send(session.hello)
        await session.client.send_eof()

        assert await session.behind.frame() == (0x81, b"Hello")
        if opening.dialect in HIXIE:
            # This is how they close; the upstream may send more before it answers.
            assert await session.behind.frame() == (0x88, b"")
            await session.behind.send(b"\x81\x05Hello\x88\x00")
            assert await session.client.rest() == opening.hello_back + opening.goodbye
        else:
            # It is disconnected without a Close: no side gets one, and none is invented.
            assert await session.behind.rest() == b""
            assert await session.client.rest() == b""
        await session.ends()
        ended = end_of(await gateway.lines.line("session"))
        expected = "close no code" if opening.dialect in HIXIE else "the connection ended without a Close (1006)"
        assert ended == f"client: {expected}"


@every_dialect
async def test_an_upstream_that_only_stops_to_send_has_ended_its_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.behind.send(b"\x81\x05Hello")
        await session.behind.send_eof()

        last = CLOSE_1014 if opening.dialect == "rfc6455" else b""
        assert await session.client.rest() == opening.hello_back + last
        assert await session.behind.rest() == b""
        await session.ends()
        assert end_of(await gateway.lines.line("session")) == ("upstream: the connection ended without a Close (1006)")
