"""Heads that are made at random: those of programs, changed in a few places, and what comes behind them."""

import random
from collections.abc import Callable, Sequence

from tests.dialects.vectors import vectors

# A browser of 2026, and what asks for no session.
_MORE_REQUESTS = (
    b"GET /chat?room=17 HTTP/1.1\r\nHost: ws.example.com:8443\r\nConnection: keep-alive, Upgrade\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\r\nUpgrade: websocket\r\n"
    b"Origin: https://www.example.com\r\nSec-WebSocket-Version: 13\r\nCookie: a=1; b=\xc3\xa9\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n",
    b"POST /form HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
)
_MORE_RESPONSES = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nContent-Type: text/plain\r\n\r\nnot today",
    b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnot \r\n5\r\ntoday\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nHello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
)
REQUESTS = (*(each.wire for each in vectors("handshake_request", "ok")), *_MORE_REQUESTS)
RESPONSES = (*(each.wire for each in vectors("handshake_response", "ok")), *_MORE_RESPONSES)

_STARTS = (
    b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/1.10", b"GET /", b"GET",
    b"POST / HTTP/1.1", b"OPTIONS * HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"get / HTTP/1.1", b"GET  / HTTP/1.1",
    b"GET /a b HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1", b"GET\t/\tHTTP/1.1", b"GET / http/1.1",
    b"GET ws://example.com/x HTTP/1.1", b"GET http://example.com:81?x HTTP/1.1", b"GET /caf\xc3\xa9 HTTP/1.1",
    b"GET /#x HTTP/1.1", b"G\xc3\xa9T / HTTP/1.1", b"GET / FTP/1.1", b"", b"GET / HTTP/1.1\r\n", b"GET /\x7f HTTP/1.1",
    b"PROXY / HTTP/1.1",
    b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.1 101", b"HTTP/1.1 101 ", b"HTTP/1.1 101\tx", b"HTTP/1.0 101 x",
    b"HTTP/1.1 101 caf\xe9\ttoday", b"HTTP/1.1 0101 x", b"HTTP/1.1 99 x", b"HTTP/1.1 100 Continue", b"HTTP/1.1 200 OK",
    b"HTTP/1.1 204 No Content", b"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 101 x", b"http/1.1 101 x", b"HTTP/1.1  101 x",
    b"HTTP/2 101 x", b"HTTP/1.1 101 \x01",
)  # fmt: skip
_NAMES = (
    b"Host", b"host", b"Upgrade", b"UPGRADE", b"Connection", b"Content-Length", b"content-length", b"Transfer-Encoding",
    b"Expect", b"Cookie", b"X-Name", b"Content_Length", b"Sec-WebSocket-Key1", b"Sec-WebSocket-Protocol", b"Origin",
    b"", b"X Name", b"X\xe9", b"X(", b"Host ", b" Host", b"!#$%&'*+-.^_`|~",
)  # fmt: skip
_VALUES = (
    b"", b" ", b"\t", b"x", b" x", b"x ", b"\tx\t", b"a b\tc", b"\xff\xfe", b"a\x01b", b"a\x7fb", b"a\0b", b"a\rb",
    b"a\nb", b"a\x0bb", b"a\x85b\xa0", b"websocket", b"WebSocket", b"h2c, websocket", b"websocket/13", b"h2c",
    b"Upgrade", b"close", b"keep-alive, Upgrade", b"0", b"5", b"8", b"5, 5", b"5, 6", b"+5", b"0x5", b"5 5", b"\xb2",
    b"1" * 20, b"1" * 21, b"chunked", b"Chunked", b"gzip, chunked", b"100-continue", b"example.com", b"example.com:",
    b"::1", b"[::1]:80", b"a, b", b":", b"a: b", b"x" * 300,
)  # fmt: skip
_SPOTS = (
    b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\n ", b"\n\t", b" ", b"\t", b":", b"\0", b"\x01", b"\x0b", b"\x0c",
    b"\x1f", b"\x7f", b"\x80", b"\xff", b"(", b",", b"x",
)  # fmt: skip

Change = Callable[[random.Random, bytes], bytes]


def _cut_out(chance: random.Random, data: bytes) -> bytes:
    at, size = chance.randrange(len(data) + 1), chance.choice((1, 1, 1, 2, 20))
    return data[:at] + data[at + size :]


def _put_in(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_SPOTS) + data[at:]


def _overwrite(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _lines(change: Callable[[random.Random, list[bytes]], None]) -> Change:
    """Return a change of the lines of the head, the first one included."""

    def changed(chance: random.Random, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        change(chance, lines)
        return b"\r\n".join(lines) + end + rest

    return changed


def _another_start(chance: random.Random, lines: list[bytes]) -> None:
    lines[0] = chance.choice(_STARTS)


def _another_header(chance: random.Random, lines: list[bytes]) -> None:
    colon = chance.choice((b": ", b": ", b": ", b":", b":  ", b":\t", b" : ", b""))
    lines.insert(chance.randint(1, len(lines)), chance.choice(_NAMES) + colon + chance.choice(_VALUES))


def _another_value(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    lines[at] = lines[at].partition(b":")[0] + b": " + chance.choice(_VALUES)


def _twice(chance: random.Random, lines: list[bytes]) -> None:
    lines.insert(chance.randint(1, len(lines)), chance.choice(lines))


def _without(chance: random.Random, lines: list[bytes]) -> None:
    del lines[chance.randrange(len(lines))]


def _other_case(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    lines[at] = lines[at].swapcase()


def _many(chance: random.Random, lines: list[bytes]) -> None:
    lines[1:1] = [b"X: 1"] * (chance.randint(98, 103) - len(lines))


def _large(chance: random.Random, lines: list[bytes]) -> None:
    room = 16 * 1024 - len(b"\r\n".join([*lines, b"X: ", b"", b""]))
    lines.append(b"X: " + b"x" * chance.choice((room - 1, room, room + 1, 20_000)))


def _line_feeds(chance: random.Random, data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n", chance.choice((-1, 1, 2)))


def _empty_lines(chance: random.Random, data: bytes) -> bytes:
    return chance.choice((b"\r\n", b"\r\n", b"\r\n" * 4, b"\r\n" * 5, b"\n", b"\r")) + data


def _cut_off(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


_CHANGES: dict[Change, int] = {
    _cut_out: 6,
    _put_in: 12,
    _overwrite: 8,
    _lines(_another_start): 8,
    _lines(_another_header): 14,
    _lines(_another_value): 10,
    _lines(_twice): 5,
    _lines(_without): 5,
    _lines(_other_case): 4,
    _lines(_many): 1,
    _lines(_large): 1,
    _line_feeds: 1,
    _empty_lines: 2,
    _cut_off: 2,
}
_EACH, _WEIGHTS = list(_CHANGES), list(_CHANGES.values())
_HOW_MANY = (0, 1, 1, 1, 2, 2, 3)


def made(chance: random.Random, bases: Sequence[bytes]) -> bytes:
    """Return one of these heads, changed in up to three places."""
    data = chance.choice(bases)
    for change in chance.choices(_EACH, _WEIGHTS, k=chance.choice(_HOW_MANY)):
        data = change(chance, data)
    return data


def pieces(chance: random.Random, data: bytes) -> list[bytes]:
    """Return the same bytes, whole or cut in up to four places; at least one piece, and none that is empty."""
    marks = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 0, 1, 2, 4))))
    return [data[start:stop] for start, stop in zip([0, *marks], [*marks, len(data)], strict=True) if start < stop]


def items(chance: random.Random) -> list[tuple[str, str]]:
    """Return headers to write, of which most can be written; Upgrade and Host are among them."""
    names = chance.choices(_NAMES[:14], k=chance.randint(0, 3))
    usual = [(name, chance.choice((b"x", b"a b", b"\xe9", b"", *_VALUES))) for name in names]
    odd = [(chance.choice(_NAMES), chance.choice(_VALUES))] if chance.random() < 0.3 else []
    several = [(b"Upgrade", b"websocket"), (b"Host", b"example.com"), *usual, *odd]
    chance.shuffle(several)
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in several]


def text(chance: random.Random) -> str:
    """Return a target, or a reason."""
    return chance.choice((*["/chat?x=1"] * 20, "/\xe9", "/a b", "", "/\r\nX: 1", "/\x7f", "*", "/\t", "\u20ac"))
