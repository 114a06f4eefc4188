"""HTTP/2 header lists, converted to HTTP/1.1 requests and from responses (RFC 9113, 8.3; RFC 8441 for WebSocket).

A request is refused here if it cannot be written as HTTP/1.1, or would be read there as another request. h2 has already
checked the rules for every header list: which pseudo-headers there are, and that they come first and once.
"""

import base64
import enum
import re
from collections.abc import Iterable

from wsgateway.errors import HttpRefusal, ProtocolError, Reason
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.repair import (
    clean_value,
    encoded_target,
    is_host,
    is_token,
    need_raw_target,
    proper_host,
    repaired_host,
)

HeaderList = list[tuple[bytes, bytes]]

# RFC 9113: the bytes before the first frame (3.4), those before each payload (4.1), the default limit of one (4.2).
_PREFACE_BYTES = 24
_FRAME_HEAD_BYTES = 9
_FRAME_BYTES = 16384
# Flags of frames (RFC 9113, 6.1 and 6.5). END_STREAM and ACK are the same bit.
_END_STREAM = _ACK = 0x01
# How many WINDOW_UPDATE frames are always allowed, and for how many bytes sent to the client one more is allowed.
_UPDATES = 100
_BYTES_PER_UPDATE = 1024


class FrameKind(enum.IntEnum):
    """The kinds of frames that have counting rules of their own (RFC 9113, 6)."""

    DATA = 0
    HEADERS = 1
    SETTINGS = 4
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


# Headers between two hops of HTTP/1.1, which HTTP/2 forbids (RFC 9113, 8.2.2).
_CONNECTION = frozenset(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"])
# Headers of the HTTP/1.1 handshake that RFC 8441, 5, does not have. The gateway makes its own.
_HANDSHAKE = frozenset(["sec-websocket-key", "sec-websocket-accept"])
_VERSION = "13"
# As in a request line of HTTP/1.1. Browsers percent-encode all other characters.
_TARGET = re.compile(r"[!-~]+")
_LENGTH = re.compile(r"[0-9]{1,19}")


def is_websocket(headers: HeaderList) -> bool:
    """Return whether a request opens a WebSocket, so that only WebSocket frames follow its header list."""
    return (b":protocol", b"websocket") in headers and (b":method", b"CONNECT") in headers


def request_of(headers: HeaderList, ended: bool, entropy: Entropy, oddities: Oddities) -> Request:
    """Return the HTTP/1.1 form of a request, the last one on its connection; `ended` says that it has no body.

    A WebSocket becomes an upgrade with a key that the gateway makes. `oddities` holds the oddities that the client is
    allowed, and records those that it shows; they are repaired. Raise HttpRefusal (400, 501).
    """
    pseudo = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name.startswith(b":")}
    items = [_checked(name, value, oddities) for name, value in headers if not name.startswith(b":")]
    method, target = pseudo[":method"], _target(pseudo.get(":path", ""), oddities)
    websocket = is_websocket(headers)
    if method == "CONNECT" and not websocket:
        raise HttpRefusal(
            Reason.REQUEST_UNSUPPORTED, f"CONNECT is for WebSocket alone, not {pseudo.get(':protocol', 'a tunnel')!r}"
        )
    if not is_token(method) or not _TARGET.fullmatch(target) or pseudo[":scheme"] not in ("http", "https"):
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: a method, path or scheme that is none")
    host = _host(pseudo.get(":authority"), items, oddities)
    kept = [(name, value) for name, value in items if name not in ("host", "te")]
    if websocket:
        if [value for name, value in kept if name == "sec-websocket-version"] != [_VERSION]:
            # A client with HTTP/2 speaks no draft, and a 426 would need an Upgrade header, which HTTP/2 forbids.
            versions = (("Sec-WebSocket-Version", _VERSION),)
            raise HttpRefusal(
                Reason.VERSION_UNKNOWN, f"Sec-WebSocket-Version must be {_VERSION} over HTTP/2", versions, 400
            )
        if "content-length" in dict(kept):
            raise HttpRefusal(Reason.REQUEST_MALFORMED, "Content-Length with a WebSocket")
        kept = [(name, value) for name, value in kept if name not in _HANDSHAKE]
        key = base64.b64encode(entropy(16)).decode("ascii")
        hop = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key)]
        return Request(target, Headers([("Host", host), *hop, *kept]), oddities=oddities)
    headers_ = Headers([("Host", host), *kept, *_framing(kept, ended), ("Connection", "close")])
    return Request(target, headers_, method, oddities=oddities)


def _host(authority: str | None, items: list[tuple[str, str]], oddities: Oddities) -> str:
    """Return the host from `:authority` or Host. If there are both, h2 has compared them."""
    host = authority if authority is not None else dict(items).get("host", "")
    if proper_host(host) is None:
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "Host is not a host with an optional port")
    return host if is_host(host) else repaired_host(host, oddities)


def _target(path: str, oddities: Oddities) -> str:
    """Return a target in ASCII, as a request line of HTTP/1.1 must have it."""
    sent = path.encode("latin-1")
    plain = encoded_target(sent)
    if plain != sent:
        need_raw_target(oddities)
    return plain.decode("ascii")


def _checked(name: bytes, value: bytes, oddities: Oddities) -> tuple[str, str]:
    field = name.decode("latin-1")
    if not is_token(field):
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: a header without a proper name")
    sent = clean_value(name, value, oddities).decode("latin-1")
    if field in _CONNECTION or (field == "te" and sent.lower() != "trailers"):
        raise HttpRefusal(Reason.REQUEST_MALFORMED, f"{field} in a request of HTTP/2")
    return field, sent.strip(" \t")


def _framing(items: list[tuple[str, str]], ended: bool) -> list[tuple[str, str]]:
    """Return the header that HTTP/1.1 needs to frame the body: Transfer-Encoding, or none."""
    lengths = {value for name, value in items if name == "content-length"}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: Content-Length is not one number")
    if ended and any(length.strip("0") for length in lengths):
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: Content-Length, and no body")
    return [] if ended or lengths else [("Transfer-Encoding", "chunked")]


def headers_of(response: Response) -> HeaderList:
    """Return the header list of an HTTP/1.1 response. A 101 becomes the 200 of RFC 8441, which has no accept key."""
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
    """A reader of the heads of a client's frames, which checks their sizes and counts frames that only cost work.

    h2 alone would wait for up to 16 MiB of a frame before it refuses it. The frames of a request are not counted, nor
    are WINDOW_UPDATE frames that match what the gateway has sent. All other frames without content are counted: a
    client may send them at a bounded rate.
    """

    def __init__(self, settings_sent: int) -> None:
        """Take how many SETTINGS frames the gateway sends. The client acknowledges each of them once."""
        self._ahead = _PREFACE_BYTES  # bytes until the next frame begins
        self._begun = b""  # the first bytes of its head
        self._acknowledgements = settings_sent  # still to come
        self._updates = 0  # WINDOW_UPDATE frames so far
        self._frames_sent = 0
        self._bytes_sent = 0
        self.goes_away = False
        """whether the client has begun to send a GOAWAY"""

    def sent(self, size: int) -> None:
        """Note a DATA frame of that many bytes that the gateway sends."""
        self._frames_sent += 1
        self._bytes_sent += size

    def look(self, data: bytes) -> int:
        """Return how many of the frames that begin in these bytes of the client only cost work.

        Raise ProtocolError as soon as a frame announces more bytes than are allowed.
        """
        data = self._begun + data
        costly = 0
        while len(data) - self._ahead >= _FRAME_HEAD_BYTES:
            size = int.from_bytes(data[self._ahead : self._ahead + 3])
            if size > _FRAME_BYTES:
                raise ProtocolError(Reason.HTTP2_FAULT, f"a frame of {size} bytes, at most {_FRAME_BYTES} are allowed")
            kind = data[self._ahead + 3]
            costly += self._is_costly(kind, data[self._ahead + 4], size)
            self.goes_away |= kind == FrameKind.GOAWAY
            self._ahead += _FRAME_HEAD_BYTES + size
        self._begun = data[self._ahead :]
        self._ahead -= len(data) - len(self._begun)
        return costly

    def _is_costly(self, kind: int, flags: int, size: int) -> bool:
        match kind:
            case FrameKind.DATA:
                return not size and not flags & _END_STREAM
            case FrameKind.HEADERS | FrameKind.CONTINUATION | FrameKind.GOAWAY:
                return False  # h2 bounds them: by the streams, by 64 frames for each head, by the end of the connection
            case FrameKind.SETTINGS if flags & _ACK:
                self._acknowledgements -= 1
                return self._acknowledgements < 0
            case FrameKind.WINDOW_UPDATE:
                # Some clients send an update for the stream and one for the connection after each frame of data.
                self._updates += 1
                explained = _UPDATES + self._bytes_sent // _BYTES_PER_UPDATE + 2 * self._frames_sent
                return self._updates > explained
        return True
