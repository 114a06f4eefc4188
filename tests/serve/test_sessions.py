"""Sessions that fail: each costs its own connection, and another session goes on.

`relay` and `closing handshake` have their own tests; here a fault goes through the whole gateway, from the bytes to the
log.
"""

import errno
import os
import select
import socket
from collections.abc import Iterator

import pytest
from trio.testing import MockClock

from tests.dialects.families import COVERED, FRAMES, HIXIE, MORE, close_payload
from tests.masks import masked
from tests.openings import BY_DIALECT, MASK_KEY, Opening, Session, every_dialect, opened
from tests.peers import Peer
from tests.relay.passing import CLIENT
from tests.relay.spelling import told as spelled
from tests.support import Running, Upstream, end_of, serving
from wsgateway.errors import Reason
from wsgateway.serve.session import ClientConnection
from wsgateway.trace.traces import FollowedSession

MODERN = BY_DIALECT["rfc6455"]
# Limits that are small enough to be exceeded by a few bytes.
LIMITS = "message_size: 1KiB, fragments: 4"
MESSAGE_BYTES = 1024


async def ended(gateway: Running, client: Peer) -> str:
    """Return how a session ended, by the log, once its client has closed, too."""
    before = len(gateway.lines.every("session"))
    await client.close()
    line = await gateway.lines.line("session", client=client.name)
    assert len(gateway.lines.every("session")) == before + 1
    how: str = end_of(line)
    return how


# -- faults of clients -----------------------------------------------------------------------------------------

HYBI = (*MORE, *COVERED, *FRAMES)
CLOSE_1014 = bytes.fromhex("88 02 03f6")


def told(dialect: str, code: int) -> bytes:
    """Return the Close from which a client of this dialect hears of a code."""
    return spelled(dialect, CLIENT, ("close", close_payload(dialect, code, by_client=False)))


# Frames as RFC 6455 has them, without masks; the code for them, the reason in the log, and where they are a fault.
FAULTY_FRAMES: list[tuple[tuple[bytes, ...], int, str, tuple[str, ...]]] = [
    ((b"\xc1\x00",), 1002, "reserved bits 0x40 that no extension uses", HYBI),
    ((b"\x91\x00",), 1002, "reserved bits 0x10 that no extension uses", HYBI),
    ((b"\x80\x00",), 1002, "continuation without a message", HYBI),
    ((b"\x01\x01a", b"\x81\x01b"), 1002, "a new message inside a fragmented one", HYBI),
    ((b"\x09\x00",), 1002, "control frame in fragments", HYBI),
    ((b"\x89\x7e\x00\x7e",), 1002, "control frame of 126 bytes", HYBI),
    ((b"\xc9\x00",), 1002, "reserved bits on a control frame", HYBI),
    ((b"\x88\x01\x03",), 1002, "Close with half a code", ("hybi-06", *FRAMES)),
    ((b"\x88\x02\x03\xed",), 1002, "Close with code 1005, which may not be sent", ("hybi-06", *FRAMES)),
    ((b"\x88\x02\x03\xe7",), 1002, "Close with code 999, which may not be sent", ("hybi-06", *FRAMES)),
    ((b"\x88\x03\x03\xe8\xff",), 1007, "Close with a reason that is not UTF-8", ("hybi-06", *FRAMES)),
    ((b"\x82\x7e\x00\x05",), 1002, "length 5 written in 2 bytes", ("rfc6455",)),
    ((b"\x82\x7f" + (5).to_bytes(8, "big"),), 1002, "length 5 written in 8 bytes", ("rfc6455",)),
    ((b"\x82\x7f" + b"\xff" * 8,), 1002, "frame length with its top bit set", HYBI),
    ((b"\x82\x7e\x04\x01",), 1009, "message of 1025 bytes or more, limit 1024", HYBI),
    ((b"\x82\x7f\x7f" + b"\xff" * 7,), 1009, "message of 9223372036854775807 bytes or more, limit 1024", HYBI),
    ((b"\x02\x7e\x04\x00" + bytes(1024), b"\x80\x01x"), 1009, "message of 1025 bytes or more, limit 1024", HYBI),
    ((b"\x02\x01x", *[b"\x00\x01x"] * 4), 1009, "message of more than 4 fragments", HYBI),
]
# As they are sent, except for the mask of the drafts that mask whole frames.
FAULTY_BYTES: list[tuple[bytes, int, str, tuple[str, ...]]] = [
    (b"\x81\x05Hello", 1002, "frame without a mask from a client", FRAMES),
    (b"\x83\x80" + MASK_KEY, 1002, "reserved opcode 0x3", FRAMES),
    (b"\x8b\x80" + MASK_KEY, 1002, "reserved opcode 0xb", FRAMES),
    (b"\x06\x00", 1002, "reserved opcode 0x6", MORE),
    (b"\x0f\x00", 1002, "reserved opcode 0xf", MORE),
    (b"\x86\x00", 1002, "reserved opcode 0x6", COVERED),
    (b"\x8f\x00", 1002, "reserved opcode 0xf", COVERED),
    (b"\x04\x85Hello", 1002, "reserved bit before a length", MORE),
    (b"\x84\x85Hello", 1002, "reserved bit before a length", COVERED),
    (b"\x00" + b"x" * 1025, 1009, "frame of 1025 bytes or more, limit 1024", HIXIE),
    (b"\x01" + b"x" * 1025, 1009, "frame of 1025 bytes or more, limit 1024", HIXIE),
    (b"\x80\x88\x01", 1009, "frame of 1025 bytes or more, limit 1024", HIXIE),
    (b"\x80" + b"\x80" * 100, 1002, "frame length of more than 10 bytes", HIXIE),
    (b"\xff" + b"\x80" * 100, 1002, "frame length of more than 10 bytes", HIXIE),
    (b"\x80" + b"\xff" * 100, 1009, "frame of 16383 bytes or more, limit 1024", HIXIE),
]


def faults(session: Session) -> Iterator[tuple[bytes, int, str]]:
    """Return the faults of the session's client, in its own bytes, with the code and the reason in the log."""
    dialect = session.opening.dialect
    for frames, code, why, dialects in FAULTY_FRAMES:
        if dialect in dialects:
            yield session.masked(*map(session.opening.spelled, frames)), code, why
    for data, code, why, dialects in FAULTY_BYTES:
        if dialect in dialects:
            yield session.masked(data) if dialect in COVERED else data, code, why


@every_dialect
async def test_a_client_that_breaks_the_rules_ends_its_own_session_alone(
    opening: Opening, autojump_clock: MockClock
) -> None:
    # A reply of the upstream that is under way has half of this time to arrive, in each of many cases here.
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS, timeouts="close: 50ms") as gateway:
        bystander = await opened(upstream, gateway, opening)
        for number in range(len(list(faults(bystander)))):
            session = await opened(upstream, gateway, opening)
            await session.works()
            data, code, why = list(faults(session))[number]
            await session.client.send(data)

            # The upstream may get valid bytes before the fault; then it gets a masked Close, because its client goes.
            while (frame := await session.behind.frame())[0] != 0x88:
                pass
            assert frame == (0x88, b"\x03\xe9")
            await session.behind.close()
            assert await session.client.rest() == told(opening.dialect, code), why
            how = await ended(gateway, session.client)
            assert how.startswith(f"client: {why}"), how
            assert how.endswith(f"({code})"), how
            await bystander.works()


HARMLESS = [
    (b"\x00\xc3\x28\xff", "\ufffd(".encode(), "broken UTF-8"),
    (b"\x00\xc0\x80\xff", "\ufffd\ufffd".encode(), "a NUL in two bytes"),
    (b"\x00caf\xc3\xff", "caf\ufffd".encode(), "half a character"),
    (b"\x01skipped\xff\x00ok\xff", b"ok", "a reserved frame that ends at FF"),
    (b"\x7f\xff\x00ok\xff", b"ok", "an empty reserved frame"),
    (b"\x80\x03abc\x00ok\xff", b"ok", "a frame with a length"),
    (b"\x80\x80\x80\x03abc\x00ok\xff", b"ok", "a length with zeros before it"),
    (b"\x80\x00\x00ok\xff", b"ok", "a frame with no bytes"),
    (b"\xff\x02\x00\xff\x00ok\xff", b"ok", "a frame that looks like a Close"),
    (b"ABC\xff\x00ok\xff", b"ok", "text without its first byte"),
]


@pytest.mark.parametrize("dialect", HIXIE)
@pytest.mark.parametrize(("data", "text", "what"), HARMLESS, ids=[what for _, _, what in HARMLESS])
async def test_errors_in_frames_of_hixie_clients_are_repaired_or_skipped(
    data: bytes, text: bytes, what: str, dialect: str
) -> None:
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT[dialect])
        await session.client.send(data)
        assert await session.behind.message() == text
        await session.works()


@pytest.mark.parametrize("dialect", [*MORE, *COVERED])
async def test_broken_text_of_the_first_drafts_of_hybi_is_repaired(dialect: str) -> None:
    opening = BY_DIALECT[dialect]
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        session = await opened(upstream, gateway, opening)
        # In one frame, and in two of which neither is broken alone.
        await session.client.send(session.masked(opening.spelled(b"\x81\x02\xc3\x28")))
        await session.client.send(
            session.masked(opening.spelled(b"\x01\x02\xe2\x82"), opening.spelled(b"\x80\x02\xacx"))
        )
        assert await session.behind.message() == "\ufffd(".encode()
        assert await session.behind.message() == "\u20acx".encode()
        await session.works()


@every_dialect
async def test_the_largest_message_that_is_allowed_passes(opening: Opening) -> None:
    text = b"x" * MESSAGE_BYTES
    plain = b"\x81\x7e\x04\x00" + text
    frame = b"\x00" + text + b"\xff" if opening.dialect in HIXIE else opening.spelled(plain)
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.client.send(session.masked(frame))
        head = await session.behind.exactly(8)
        assert head[:4] == b"\x81\xfe\x04\x00"
        assert masked(await session.behind.exactly(1024), head[4:]) == text

        await session.behind.send(plain)
        assert await session.client.exactly(len(frame)) == frame


# -- faults of upstreams ---------------------------------------------------------------------------------------

ALL = tuple(BY_DIALECT)
UPSTREAM_FAULTS: list[tuple[bytes, int, str, tuple[str, ...]]] = [
    (bytes.fromhex("81 85 37fa213d 7f9f4d5158"), 1002, "masked frame from a server", ALL),
    (b"\x83\x00", 1002, "reserved opcode 0x3", ALL),
    (b"\xc1\x00", 1002, "reserved bits 0x40 that no extension uses", ALL),
    (b"\x82\x7e\x04\x01", 1009, "message of 1025 bytes or more, limit 1024", ALL),
    (b"\x88\x01\x03", 1002, "Close with half a code", ALL),
    (b"\x82\x01x", 1003, "binary message to a side that has only text", HIXIE),
    (b"\x81\x02\xc3\x28", 1007, "text is not UTF-8", HIXIE),
    (b"\x81\x01\xff", 1007, "text is not UTF-8", HIXIE),
    (b"\x81\x03\xed\xa0\x80", 1007, "text is not UTF-8", HIXIE),
]


@every_dialect
async def test_an_upstream_that_breaks_the_rules_ends_that_session_alone(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        bystander = await opened(upstream, gateway, opening)
        for data, code, why, dialects in UPSTREAM_FAULTS:
            if opening.dialect not in dialects:
                continue
            session = await opened(upstream, gateway, opening)
            await session.behind.send(data)

            assert await session.behind.frame() == (0x88, code.to_bytes(2, "big")), why
            # A client whose dialect has the code gets it; for the others the connection ends.
            client_sees = await session.client.rest()
            if opening.dialect in HIXIE:
                assert client_sees.removeprefix(b"\x00") == b"", why
            else:
                assert client_sees == (CLOSE_1014 if opening.dialect == "rfc6455" else b""), why
            await session.behind.close()
            how = await ended(gateway, session.client)
            assert how.startswith(f"upstream: {why}"), how
            assert how.endswith(f"({code})"), how
            await bystander.works()


# -- bugs of ours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["a cleanup", "a trace"])
async def test_a_bug_at_the_end_of_a_session_costs_no_other_and_its_connections_close(where: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        inside = gateway.service._gateway
        session = await opened(upstream, gateway, MODERN)
        [connection] = inside.owner
        assert isinstance(connection, ClientConnection)
        if where == "a trace":
            connection._followed = FollowedSession(inside.traces, "1.1")
            connection._followed._followers.append(None)  # type: ignore[arg-type]
        else:
            connection._cleanup.append(None)  # type: ignore[arg-type]
        bystander = await opened(upstream, gateway, MODERN)
        await session.client.close()
        assert await session.behind.rest() == b""
        await session.behind.close()
        gateway.lines.entries.remove(await gateway.lines.line("bug", client=session.client.name))
        await bystander.works()
        assert gateway.service.status()["connections"]["public"]["open"] == len(inside.counters.live) == 1


async def test_a_session_for_which_the_kernel_has_no_memory_is_told_so_and_is_no_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Exhausted:
        """An epoll object with no room for more watches, as when the machine's limit is reached."""

        def __init__(self, epoll: select.epoll) -> None:
            self.fileno, self.modify, self.unregister = epoll.fileno, epoll.modify, epoll.unregister

        def register(self, sock: socket.socket, events: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with Upstream() as upstream, serving(upstream.port) as gateway:
        bystander = await opened(upstream, gateway, MODERN)
        with monkeypatch.context() as full:
            engine = gateway.service._gateway.engine
            full.setattr(engine, "_epoll", Exhausted(engine._epoll))
            client = await gateway.connect(MODERN.request)
            behind, _ = await upstream.agree()
            assert await client.head() == MODERN.reply
            assert await client.frame() == (0x88, b"\x03\xe9")  # 1001
            await client.close()
            await behind.close()
            line = await gateway.lines.line("session", client=client.name)
        assert (line["by"], line["reason"], line["why"]) == (
            "gateway", Reason.OUT_OF_RESOURCES, "No space left on device",
        )  # fmt: skip
        await bystander.works()
