"""The header lists of HTTP/2, as requests of HTTP/1.1 and from responses of it (RFC 9113, 8.3; RFC 8441 for WebSocket).

A request is refused here where it could not be written as HTTP/1.1, or would be read as another one there. What every
header list must keep, h2 has seen to before: which pseudo-headers there are, and that they come first and once.
"""

import base64
import enum
import re
from collections.abc import Iterable

from wsgateway.errors import HttpRefusal, ProtocolError
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import Oddities, Oddity
from wsgateway.wire.repair import clean_value, encoded_target, is_host, is_token, mended_host, proper_host

HeaderList = list[tuple[bytes, bytes]]

# RFC 9113: what stands before the first frame (3.4), what before each (4.1), and how large one may be by default (4.2).
_PREFACE_BYTES = 24
_FRAME_HEAD_BYTES = 9
_FRAME_BYTES = 16384
# Flags of frames (RFC 9113, 6.1 and 6.5); the same bit means two things.
_END_STREAM = _ACK = 0x01
# How many WINDOW_UPDATE frames need no explanation, and how many bytes that we send explain one more.
_UPDATES = 100
_BYTES_PER_UPDATE = 1024


class FrameKind(enum.IntEnum):
    """The kinds of frames that are not all counted alike (RFC 9113, 6)."""

    DATA = 0
    HEADERS = 1
    SETTINGS = 4
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


# What stands between two hops of HTTP/1.1, and nowhere here (RFC 9113, 8.2.2).
_CONNECTION = frozenset(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"])
# Made anew for a handshake of HTTP/1.1: RFC 8441, 5, has none of them.
_HANDSHAKE = frozenset(["sec-websocket-key", "sec-websocket-accept"])
_VERSION = "13"
# As in a line of HTTP/1.1, where browsers percent-encode all else.
_TARGET = re.compile(r"[!-~]+")
_LENGTH = re.compile(r"[0-9]{1,19}")


def is_websocket(headers: HeaderList) -> bool:
    """Whether a request opens a WebSocket: all that comes and goes behind the heads are its frames then."""
    return (b":protocol", b"websocket") in headers and (b":method", b"CONNECT") in headers


def request_of(headers: HeaderList, ended: bool, entropy: Entropy, oddities: Oddities) -> Request:
    """The request as HTTP/1.1 has it, and the last on its connection; `ended` says that it has no body.

    A WebSocket is an upgrade there, with a key of ours. `oddities` is what the client may do otherwise than the RFCs
    say; what would not pass HTTP/1.1 is mended and noted there. Raises HttpRefusal (400, 501).
    """
    pseudo = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name.startswith(b":")}
    items = [_checked(name, value, oddities) for name, value in headers if not name.startswith(b":")]
    method, target = pseudo[":method"], _target(pseudo.get(":path", ""), oddities)
    websocket = is_websocket(headers)
    if method == "CONNECT" and not websocket:
        raise HttpRefusal(f"CONNECT is for WebSocket alone, not {pseudo.get(':protocol', 'a tunnel')!r}", 501)
    if not is_token(method) or not _TARGET.fullmatch(target) or pseudo[":scheme"] not in ("http", "https"):
        raise HttpRefusal("malformed request: a method, path or scheme that is none")
    host = _host(pseudo.get(":authority"), items, oddities)
    kept = [(name, value) for name, value in items if name not in ("host", "te")]
    if websocket:
        if [value for name, value in kept if name == "sec-websocket-version"] != [_VERSION]:
            # Whoever knows HTTP/2 knows no draft, and a 426 would need an Upgrade.
            versions = (("Sec-WebSocket-Version", _VERSION),)
            raise HttpRefusal(f"Sec-WebSocket-Version must be {_VERSION} over HTTP/2", 400, versions)
        if "content-length" in dict(kept):
            raise HttpRefusal("Content-Length with a WebSocket")
        kept = [(name, value) for name, value in kept if name not in _HANDSHAKE]
        key = base64.b64encode(entropy(16)).decode("ascii")
        hop = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key)]
        return Request(target, Headers([("Host", host), *hop, *kept]), oddities=oddities)
    headers_ = Headers([("Host", host), *kept, *_framing(kept, ended), ("Connection", "close")])
    return Request(target, headers_, method, oddities=oddities)


def _host(authority: str | None, items: list[tuple[str, str]], oddities: Oddities) -> str:
    """What either says; where both do, h2 has compared them."""
    host = authority if authority is not None else dict(items).get("host", "")
    if proper_host(host) is None:
        raise HttpRefusal("Host is not a host with an optional port")
    return host if is_host(host) else mended_host(host, oddities)


def _target(path: str, oddities: Oddities) -> str:
    """A target in ASCII, as a line of HTTP/1.1 must have it."""
    sent = path.encode("latin-1")
    plain = encoded_target(sent)
    if plain != sent:
        oddities.need(Oddity.RAW_TARGET, HttpRefusal("the target holds a byte above 7F"))
    return plain.decode("ascii")


def _checked(name: bytes, value: bytes, oddities: Oddities) -> tuple[str, str]:
    text = name.decode("latin-1")
    if not is_token(text):
        raise HttpRefusal("malformed request: a header without a proper name")
    said = clean_value(name, value, oddities).decode("latin-1")
    if text in _CONNECTION or (text == "te" and said.lower() != "trailers"):
        raise HttpRefusal(f"{text} in a request of HTTP/2")
    return text, said.strip(" \t")


def _framing(items: list[tuple[str, str]], ended: bool) -> list[tuple[str, str]]:
    """How the body is told from what follows."""
    lengths = {value for name, value in items if name == "content-length"}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise HttpRefusal("malformed request: Content-Length is not one number")
    if ended and any(length.strip("0") for length in lengths):
        raise HttpRefusal("malformed request: Content-Length, and no body")
    return [] if ended or lengths else [("Transfer-Encoding", "chunked")]


def headers_of(response: Response) -> HeaderList:
    """The header list of a response of HTTP/1.1. A 101 is the 200 of RFC 8441, without the proof that has no place."""
    switched = response.status == 101
    dropped = _CONNECTION | response.headers.tokens("Connection") | (_HANDSHAKE if switched else frozenset())
    status = 200 if switched else response.status
    return [(b":status", b"%d" % status), *_lowered(response.headers, dropped)]


def _lowered(headers: Headers, dropped: Iterable[str]) -> HeaderList:
    return [
        (name.lower().encode("ascii"), value.encode("latin-1"))
        for name, value in headers
        if name.lower() not in dropped
    ]


class FrameHeads:
    """Reads the heads of a client's frames: how large each is, as h2 would wait for 16 MiB before it does, and how many
    only make work.

    A request explains its own frames, and what we sent explains that windows are opened again. All other frames that
    carry nothing are counted: a client may send them at a bounded rate.
    """

    def __init__(self, settings_sent: int) -> None:
        """Takes how many SETTINGS frames we send. The client acknowledges each of them once."""
        self._ahead = _PREFACE_BYTES  # until the next frame begins
        self._begun = b""  # of its head
        self._acknowledgements = settings_sent  # still to come
        self._updates = 0  # WINDOW_UPDATE frames so far
        self._frames_sent = 0
        self._bytes_sent = 0

    def sent(self, size: int) -> None:
        """Notes a DATA frame of that many bytes that we send."""
        self._frames_sent += 1
        self._bytes_sent += size

    def look(self, data: bytes) -> int:
        """Takes any bytes of the client. Returns how many of the frames that begin in them only make work.

        Raises ProtocolError as soon as a frame announces more than it may have.
        """
        data = self._begun + data
        costly = 0
        while len(data) - self._ahead >= _FRAME_HEAD_BYTES:
            size = int.from_bytes(data[self._ahead : self._ahead + 3])
            if size > _FRAME_BYTES:
                raise ProtocolError(f"a frame of {size} bytes, at most {_FRAME_BYTES} are allowed")
            costly += self._is_costly(data[self._ahead + 3], data[self._ahead + 4], size)
            self._ahead += _FRAME_HEAD_BYTES + size
        self._begun = data[self._ahead :]
        self._ahead -= len(data) - len(self._begun)
        return costly

    def _is_costly(self, kind: int, flags: int, size: int) -> bool:
        match kind:
            case FrameKind.DATA:
                return not size and not flags & _END_STREAM
            case FrameKind.HEADERS | FrameKind.CONTINUATION | FrameKind.GOAWAY:
                return False  # h2 bounds them by the streams, by 64 for each head, and by the end of the connection
            case FrameKind.SETTINGS if flags & _ACK:
                self._acknowledgements -= 1
                return self._acknowledgements < 0
            case FrameKind.WINDOW_UPDATE:
                # Some clients open the window of the stream and that of the connection again for each frame of data.
                self._updates += 1
                explained = _UPDATES + self._bytes_sent // _BYTES_PER_UPDATE + 2 * self._frames_sent
                return self._updates > explained
        return True
