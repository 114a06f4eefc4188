"""Sessions that go wrong: each costs its own connection, and the one beside it goes on.

`relay` and `farewell` have their own tests; here a fault goes the whole way, from the wire to the log.
"""

from dataclasses import dataclass

import pytest

from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.support import Peer, Running, Upstream, serving

KEY = bytes.fromhex("37fa213d")
# Small enough to be broken by a few bytes.
LIMITS = "message_size: 1KiB, fragments: 4"
MESSAGE_BYTES = 1024


def masked(first: int, payload: bytes) -> bytes:
    """A short frame of a client."""
    body = bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + KEY + body


@dataclass
class Session:
    """A session from both ends; its dialect's handshake is over."""

    client: Peer
    behind: Peer

    async def works(self, opening: Opening) -> None:
        """Asks and answers once."""
        await self.client.send(opening.hello)
        assert await self.behind.frame() == (0x81, b"Hello")
        await self.behind.send(b"\x81\x05Hello")
        assert await self.client.exactly(len(opening.hello_back)) == opening.hello_back


async def opened(upstream: Upstream, gateway: Running, opening: Opening) -> Session:
    client = await gateway.connect(opening.request)
    behind, _ = await upstream.agree()
    assert await client.exactly(len(opening.reply)) == opening.reply
    return Session(client, behind)


async def ended(gateway: Running, client: Peer) -> str:
    """How a session ended, by the log, when its client has closed, too."""
    before = len(gateway.lines.every("session"))
    await client.close()
    line = await gateway.lines.line("session", client=client.name)
    assert len(gateway.lines.every("session")) == before + 1
    how: str = line["ended"]
    return how


# -- faults of clients -----------------------------------------------------------------------------------------

CLOSE = {code: b"\x88\x02" + code.to_bytes(2, "big") for code in (1002, 1003, 1007, 1009, 1014)}
FRAMES = ("hybi-07", "hybi-08", "rfc6455")

# What is sent, the code for it, the reason in the log, and the dialects in which it is a fault.
CLIENT_FAULTS: list[tuple[bytes, int, str, tuple[str, ...]]] = [
    (b"\x81\x05Hello", 1002, "frame without a mask from a client", FRAMES),
    (masked(0x83, b""), 1002, "reserved opcode 0x3", FRAMES),
    (masked(0x8B, b""), 1002, "reserved opcode 0xb", FRAMES),
    (masked(0xC1, b""), 1002, "reserved bits 0x40 that no extension uses", FRAMES),
    (masked(0x91, b""), 1002, "reserved bits 0x10 that no extension uses", FRAMES),
    (masked(0x80, b""), 1002, "continuation without a message", FRAMES),
    (masked(0x01, b"a") + masked(0x81, b"b"), 1002, "a new message inside a fragmented one", FRAMES),
    (masked(0x09, b""), 1002, "control frame in fragments", FRAMES),
    (b"\x89\xfe\x00\x7e" + KEY, 1002, "control frame of 126 bytes", FRAMES),
    (masked(0x88, b"\x03"), 1002, "Close with half a code", FRAMES),
    (masked(0x88, b"\x03\xed"), 1002, "Close with code 1005, which may not be sent", FRAMES),
    (masked(0x88, b"\x03\xe7"), 1002, "Close with code 999, which may not be sent", FRAMES),
    (masked(0x88, b"\x03\xe8\xff"), 1007, "Close with a reason that is not UTF-8", FRAMES),
    (b"\x82\xfe\x00\x05" + KEY, 1002, "length 5 written in 2 bytes", ("rfc6455",)),
    (b"\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05" + KEY, 1002, "length 5 written in 8 bytes", ("rfc6455",)),
    (b"\x82\xff" + b"\xff" * 8 + KEY, 1002, "frame length with its top bit set", FRAMES),
    (b"\x82\xfe\x04\x01" + KEY, 1009, "message of 1025 bytes or more, limit 1024", FRAMES),
    (b"\x82\xff\x7f" + b"\xff" * 7 + KEY, 1009, "message of 9223372036854775807 bytes or more, limit 1024", FRAMES),
    (
        b"\x02\xfe\x04\x00" + KEY + bytes(1024) + masked(0x80, b"x"),
        1009,
        "message of 1025 bytes or more, limit 1024",
        FRAMES,
    ),
    (masked(0x02, b"x") + masked(0x00, b"x") * 4, 1009, "message of more than 4 fragments", FRAMES),
    (b"\x00" + b"x" * 1025, 1009, "frame of 1025 bytes or more, limit 1024", ("hixie-75", "hixie-76")),
    (b"\x01" + b"x" * 1025, 1009, "frame of 1025 bytes or more, limit 1024", ("hixie-75", "hixie-76")),
    (b"\x80\x88\x01", 1009, "frame of 1025 bytes or more, limit 1024", ("hixie-75", "hixie-76")),
    (b"\x80" + b"\x80" * 100, 1002, "frame length of more than 10 bytes", ("hixie-75", "hixie-76")),
    (b"\xff" + b"\x80" * 100, 1002, "frame length of more than 10 bytes", ("hixie-75", "hixie-76")),
    (b"\x80" + b"\xff" * 100, 1009, "frame of 16383 bytes or more, limit 1024", ("hixie-75", "hixie-76")),
]


@pytest.mark.parametrize("dialect", BY_DIALECT)
async def test_a_client_that_breaks_the_rules_ends_its_own_session_alone(dialect: str) -> None:
    opening = BY_DIALECT[dialect]
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        bystander = await opened(upstream, gateway, opening)
        for data, code, why, dialects in CLIENT_FAULTS:
            if dialect not in dialects:
                continue
            session = await opened(upstream, gateway, opening)
            await session.works(opening)
            await session.client.send(data)

            goodbye = {"hixie-75": b"", "hixie-76": b"\xff\x00"}.get(dialect, CLOSE.get(code, b""))
            if dialect in ("hybi-07", "hybi-08") and code in (1007, 1009):
                goodbye = b"\x88\x00"  # a code that these drafts do not have
            assert await session.client.rest() == goodbye, why
            # The upstream may have had what was good; it gets no Close that nobody said.
            assert b"\x88" not in (await session.behind.rest())[:1]
            await session.behind.close()
            how = await ended(gateway, session.client)
            assert how.startswith(f"client: {why}"), how
            assert how.endswith(f"({code})"), how
            await bystander.works(opening)


HARMLESS = [
    (b"\x00\xc3\x28\xff", "\ufffd(".encode(), "broken UTF-8"),
    (b"\x00\xed\xa0\x80\xff", "\ufffd\ufffd\ufffd".encode(), "a lone surrogate, as PhantomJS sends it"),
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


@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76"])
@pytest.mark.parametrize(("data", "text", "what"), HARMLESS, ids=[what for _, _, what in HARMLESS])
async def test_what_hixie_clients_send_in_error_is_repaired_or_passed_over(
    data: bytes, text: bytes, what: str, dialect: str
) -> None:
    opening = BY_DIALECT[dialect]
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.client.send(data)
        assert await session.behind.message() == text
        await session.works(opening)


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_the_largest_message_that_is_allowed_passes(opening: Opening) -> None:
    text = b"x" * MESSAGE_BYTES
    hixie = opening.hello.endswith(b"\xff")
    frame = b"\x00" + text + b"\xff" if hixie else b"\x81\xfe\x04\x00" + bytes(4) + text
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.client.send(frame)
        head = await session.behind.exactly(8)
        assert head[:4] == b"\x81\xfe\x04\x00"
        assert bytes(a ^ b for a, b in zip(await session.behind.exactly(1024), head[4:] * 256, strict=True)) == text

        await session.behind.send(b"\x81\x7e\x04\x00" + text)
        expected = b"\x00" + text + b"\xff" if hixie else b"\x81\x7e\x04\x00" + text
        assert await session.client.exactly(len(expected)) == expected


# -- faults of upstreams ---------------------------------------------------------------------------------------

ALL = tuple(BY_DIALECT)
HIXIE = ("hixie-75", "hixie-76")
UPSTREAM_FAULTS: list[tuple[bytes, int, str, tuple[str, ...]]] = [
    (masked(0x81, b"Hello"), 1002, "masked frame from a server", ALL),
    (b"\x83\x00", 1002, "reserved opcode 0x3", ALL),
    (b"\xc1\x00", 1002, "reserved bits 0x40 that no extension uses", ALL),
    (b"\x82\x7e\x04\x01", 1009, "message of 1025 bytes or more, limit 1024", ALL),
    (b"\x88\x01\x03", 1002, "Close with half a code", ALL),
    (b"\x82\x01x", 1003, "binary message, ", HIXIE),
    (b"\x81\x02\xc3\x28", 1007, "text is not UTF-8", HIXIE),
    (b"\x81\x01\xff", 1007, "text is not UTF-8", HIXIE),
    (b"\x81\x03\xed\xa0\x80", 1007, "text is not UTF-8", HIXIE),
]


@pytest.mark.parametrize("dialect", BY_DIALECT)
async def test_an_upstream_that_breaks_the_rules_ends_that_session_alone(dialect: str) -> None:
    opening = BY_DIALECT[dialect]
    async with Upstream() as upstream, serving(upstream.port, limits=LIMITS) as gateway:
        bystander = await opened(upstream, gateway, opening)
        for data, code, why, dialects in UPSTREAM_FAULTS:
            if dialect not in dialects:
                continue
            session = await opened(upstream, gateway, opening)
            await session.behind.send(data)

            assert await session.behind.frame() == (0x88, code.to_bytes(2, "big")), why
            # A client that knows the code for it is told; the others see their connection end.
            client_sees = await session.client.rest()
            if dialect in HIXIE:
                assert client_sees.removeprefix(b"\x00") == b"", why
            else:
                assert client_sees == (CLOSE[1014] if dialect == "rfc6455" else b""), why
            await session.behind.close()
            how = await ended(gateway, session.client)
            assert how.startswith(f"upstream: {why}"), how
            assert how.endswith(f"({code})"), how
            await bystander.works(opening)


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_an_upstream_that_dies_between_messages_ends_the_session(opening: Opening, how: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.works(opening)
        if how == "end":
            await session.behind.close()
        else:
            session.behind.reset()

        assert await session.client.rest() == (CLOSE[1014] if opening.dialect == "rfc6455" else b"")
        assert (await ended(gateway, session.client)).startswith("upstream: ")


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_an_upstream_that_dies_inside_a_message_never_finishes_it(opening: Opening, how: str) -> None:
    part = {"hixie": b"\x00Hel", "hybi-": b"\x01\x03Hel", "rfc64": b"\x81\x05Hel"}[opening.dialect[:5]]
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
        assert (await ended(gateway, session.client)).startswith("upstream: ")


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_client_that_is_cut_off_is_logged_as_such_and_leaves_its_upstream(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.works(opening)
        name = session.client.name
        session.client.reset()

        assert b"\x88" not in await session.behind.rest()
        await session.behind.close()
        line = await gateway.lines.line("session", client=name)
        assert line["ended"].startswith("client: ")
        assert (line["dialect"], line["messages_in"], line["messages_out"]) == (opening.dialect, 1, 1)
        assert (line["bytes_in"], line["bytes_out"]) == (len(opening.hello), 7)
