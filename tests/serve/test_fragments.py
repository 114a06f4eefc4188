"""A message in one frame is sent in one frame, for peers that cannot join fragments; and `fragments: join`, for peers
that read each frame as a message.

The messages are those of the reports, byte for byte. The clients and servers named below were read, or recorded in
their reports.
"""

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.heads import head_of, values
from tests.openings import BY_DIALECT, Session, opened
from tests.peers import Peer
from tests.support import Running, Upstream, configuration, serving, serving_text

# RFC 6455, 5.7: a fragmented unmasked text, and a ping between its fragments.
HEL, LO, PING = b"\x01\x03Hel", b"\x80\x02lo", b"\x89\x05Hello"
HELLO = (0x81, b"Hello")


async def in_pieces(peer: Peer, *pieces: bytes) -> None:
    """Send each piece when all that could be done with the one before it has been done."""
    for piece in pieces:
        await peer.send(piece)
        await wait_all_tasks_blocked()


async def behind_hixie_75(upstream: Upstream, gateway: Running, dialect: str) -> Session:
    """Return a session with a client of this dialect, whose upstream speaks hixie-75."""
    opening = BY_DIALECT[dialect]
    client = await gateway.connect(opening.request)
    behind = await upstream.accept()
    request = await behind.head()
    [origin], [host] = values(request, "origin"), values(request, "host")
    path = request.split(b" ")[1].decode()
    lines = ("Upgrade: WebSocket", "Connection: Upgrade", f"WebSocket-Origin: {origin}")
    start = "HTTP/1.1 101 Web Socket Protocol Handshake"
    await behind.send(head_of(start, *lines, f"WebSocket-Location: ws://{host}{path}"))
    return Session(opening, client, behind, await opening.accepted(client))


# -- one frame, however it is cut --------------------------------------------------------------------------------------


async def test_the_flash_client_of_2012_which_has_no_continuations_gets_a_cut_text_in_one_frame() -> None:
    # gimite/web-socket-js#129: its Flash closes with 1003 on any continuation.
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-75") as gateway:
        session = await behind_hixie_75(upstream, gateway, "rfc6455")
        await in_pieces(session.behind, b"\x00" + b"x" * 90, b"y" * 90 + b"\xff")
        assert await session.client.exactly(184) == b"\x81\x7e\x00\xb4" + b"x" * 90 + b"y" * 90


@pytest.mark.parametrize("dialect", ["hybi-07", "hybi-08"])
async def test_java_and_android_clients_which_cannot_join_get_each_message_in_one_frame(dialect: str) -> None:
    # codebutler/android-websockets#3, TooTallNate/Java-WebSocket#37.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT[dialect])
        for frame, cut in [
            (b"\x81\x7e" + (200).to_bytes(2) + b"x" * 200, 100),
            (b"\x81\x05" + b"x" * 5, 3),
            (b"\x81\x7f" + (70000).to_bytes(8) + b"x" * 70000, 65536),
        ]:
            await in_pieces(session.behind, frame[:cut], frame[cut:])
            assert await session.client.exactly(len(frame)) == frame


async def test_a_text_that_an_arduino_writes_in_three_segments_is_sent_in_one_frame() -> None:
    # krohling/ArduinoWebsocketClient, before servers that cannot join: slact/nchan#586, ninenines/cowboy#184.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hixie-75"])
        await in_pieces(session.client, b"\x00", b"temperature 21", b"\xff")
        assert await session.behind.frame() == (0x81, b"temperature 21")


async def test_an_arduino_that_reads_a_message_in_one_read_gets_it_in_one_write() -> None:
    # krohling/ArduinoWebsocketClient: it reads until FF, or until there are no more bytes.
    said = b"set led 1 to on, and led 2 to off please"
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hixie-75"])
        frame = b"\x81\x28" + said
        await in_pieces(session.behind, frame[:20], frame[20:])
        assert await session.client.once() == b"\x00" + said + b"\xff"


async def test_texts_of_hixie_come_out_as_they_went_in_however_they_are_cut() -> None:
    # An end and a beginning in one piece: nori0428/mod_websocket#22. 00 FF is an empty text: websockets/ws#45. One or
    # two bytes at a time: fiorix/cyclone#47.
    pieces = [bytes.fromhex("0030203020302030"), bytes.fromhex("20300a00ff00302000"), b"\xff", b"\x00\xff", b"\x00"]
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hixie-75"])
        await in_pieces(session.client, *pieces, b"x", b"\xff")
        heard = [await session.behind.frame() for _ in range(4)]
        assert heard == [
            (0x81, bytes.fromhex("30203020302030 20300a00")),
            (0x81, bytes.fromhex("302000")),
            (0x81, b""),
            (0x81, b"x"),
        ]


# -- fragments: join ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["rfc6455", "hybi-08"])
async def test_a_route_joins_towards_its_clients_alone(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, route="fragments: join") as gateway:
        session = await opened(upstream, gateway, BY_DIALECT[dialect])
        await in_pieces(session.behind, HEL, PING, LO)
        # The ping overtakes the text, which is held.
        assert await session.client.exactly(14) == PING + b"\x81\x05Hello"
        await in_pieces(session.client, session.masked(HEL), session.masked(LO))
        assert [await session.behind.frame() for _ in range(2)] == [(0x01, b"Hel"), (0x80, b"lo")]


async def test_old_frames_are_joined_too() -> None:
    # The numbers of hybi-05, 4.2: 4 is a text, 2 is a ping, 0 continues.
    async with Upstream() as upstream, serving(upstream.port, route="fragments: join") as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hybi-05"])
        await in_pieces(session.behind, HEL, PING, LO)
        assert await session.client.exactly(14) == b"\x82\x05Hello" + b"\x84\x05Hello"


@pytest.mark.parametrize("dialect", ["rfc6455", "hybi-08"])
async def test_an_upstream_is_joined_for_and_its_clients_are_not(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, behind="fragments: join") as gateway:
        session = await opened(upstream, gateway, BY_DIALECT[dialect])
        await in_pieces(session.client, session.masked(HEL), session.masked(PING), session.masked(LO))
        assert [await session.behind.frame() for _ in range(2)] == [(0x89, b"Hello"), HELLO]
        await in_pieces(session.behind, HEL, LO)
        assert await session.client.exactly(len(HEL + LO)) == HEL + LO


@pytest.mark.parametrize("dialect", ["rfc6455", "hybi-08"])
async def test_a_message_that_is_too_long_to_be_joined_is_refused_to_its_sender(dialect: str) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, behind="fragments: join", limits="join: 4B") as gateway,
    ):
        session = await opened(upstream, gateway, BY_DIALECT[dialect])
        await session.client.send(session.masked(HEL), session.masked(LO))
        # The upstream sends nothing more before our Close.
        assert (await session.behind.frame())[0] == 0x88
        await session.behind.close()
        first, payload = await session.client.frame()
        assert (first, payload[:2]) == (0x88, (1009).to_bytes(2))
        await session.client.close()
        [line] = await gateway.lines.enough("session", 1)
        assert "message of 5 bytes or more, at most 4 are possible as one frame" in str(line)


@pytest.mark.parametrize("where", ["route", "behind"])
async def test_no_extension_is_offered_if_frames_are_joined(where: str) -> None:
    opening = BY_DIALECT["rfc6455"]
    head = opening.head.removesuffix(b"\r\n") + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    for options, offered in [({}, ["permessage-deflate"]), ({where: "fragments: join"}, [])]:
        async with Upstream() as upstream, serving(upstream.port, **options) as gateway:
            await gateway.connect(head)
            _, request = await upstream.agree()
            assert values(request, "sec-websocket-extensions") == offered


MIB = 1024 * 1024


async def test_the_held_bytes_of_all_sessions_have_a_configured_limit_that_a_reload_changes() -> None:
    async with Upstream() as upstream:
        text = configuration(upstream.port, dialect="hixie-75", limits="join: 16MiB")
        async with serving_text(f"{text}join_memory: 16MiB\n") as gateway:
            for most, first_frame in [("16MiB", 0x01), ("20MiB", 0x81)]:
                gateway.reload(f"{text}join_memory: {most}\n")
                sessions = [await behind_hixie_75(upstream, gateway, "rfc6455") for _ in range(2)]
                for session in sessions:
                    await in_pieces(session.behind, b"\x00" + bytes(9 * MIB))
                for session in sessions:
                    await session.behind.send(b"\xff")
                # Of two messages of 9 MiB the older one is sent in fragments if 16 MiB may be held.
                heads = [await session.client.exactly(2) for session in sessions]
                assert heads == [bytes([first_frame, 0x7F]), b"\x81\x7f"]
                for session in sessions:
                    await session.behind.close()
