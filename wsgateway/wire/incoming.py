"""The bytes of a request or a 101 until its head is complete: empty lines before it, its end, and its size limit."""

import re

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.foreign import PROXY, not_a_request
from wsgateway.wire.oddities import Oddities, Oddity
from wsgateway.wire.repair import is_token
from wsgateway.wire.upgrades import SWITCH

# More than any known client sends; RFC 9112, 2.2, requires that at least one is accepted.
MOST_EMPTY_LINES = 4
_EMPTY_LINE = b"\r\n"
_END = b"\r\n\r\n"
# Where lines may end in LF alone.
_LINE_END = re.compile(rb"\r?\n")
_BARE_END = re.compile(rb"\r?\n\r?\n")


class IncomingHead:
    """A buffer that collects the bytes of one request."""

    __slots__ = ("_buffer", "_empty_lines", "_most_bytes", "_oddities", "begun", "rest")

    def __init__(self, most_bytes: int, oddities: Oddities) -> None:
        """Take how many bytes the head may have, with the blank line after it."""
        self._most_bytes = most_bytes
        self._oddities = oddities
        self._buffer = b""
        self._empty_lines = 0
        self.begun = False
        """whether any byte of the request has come; empty lines before it do not count"""
        self.rest = b""
        """the bytes after the head"""

    def receive(self, data: bytes) -> bytes | None:
        """Return the head without its blank line, once that is here; its lines end in CR LF. Return None until then.

        Take any bytes. Raise HttpRefusal: 400 for bytes that begin no request and for LF alone, 431 for a head that is
        too large.
        """
        before = len(self._buffer)
        self._buffer += data
        if self._buffer.startswith(PROXY):
            raise not_a_request(self._buffer)
        if not self.begun:
            before = 0
            self._begin()
        end, bare = _end_of(self._buffer, before)
        if bare or Oddity.BARE_LF in self._oddities.needed:
            return self._receive_bare(before)
        if end < 0:
            self._check_size()
            return None
        return self._cut(end, end + len(_END))

    def _begin(self) -> None:
        """Remove the empty lines before a request."""
        while self._buffer.startswith(_EMPTY_LINE):
            self._empty_lines += 1
            if self._empty_lines > MOST_EMPTY_LINES:
                raise HttpRefusal(
                    Reason.REQUEST_MALFORMED, f"more than {MOST_EMPTY_LINES} empty lines before a request"
                )
            self._oddities.need(
                Oddity.EMPTY_LINES,
                HttpRefusal(Reason.REQUEST_MALFORMED, "this is not HTTP: it begins with an empty line"),
            )
            self._buffer = self._buffer[len(_EMPTY_LINE) :]
        if not self._buffer or self._buffer == b"\r":
            return
        if not is_token(chr(self._buffer[0])):
            raise not_a_request(self._buffer)
        self.begun = True

    def _receive_bare(self, before: int) -> bytes | None:
        """Return the head as `receive` does, for a head in which a line ends in LF alone.

        The first `before` bytes have been looked at already, and do not have its end.
        """
        self._oddities.need(Oddity.BARE_LF, bare_line_feed())
        found = _BARE_END.search(self._buffer, max(0, before - len(_END) + 1))
        if found is None:
            self._check_size()
            return None
        return _EMPTY_LINE.join(_LINE_END.split(self._cut(found.start(), found.end())))

    def _cut(self, end: int, rest: int) -> bytes:
        """Return the bytes before `end`, and keep those from `rest` on."""
        if rest > self._most_bytes:
            raise self._too_large()
        head, self.rest, self._buffer = self._buffer[:end], self._buffer[rest:], b""
        return head

    def _check_size(self) -> None:
        if len(self._buffer) >= self._most_bytes:
            raise self._too_large()

    def _too_large(self) -> HttpRefusal:
        return HttpRefusal(Reason.REQUEST_TOO_LARGE, f"the head is larger than {self._most_bytes} bytes")


class IncomingSwitch:
    """A buffer that collects the bytes of a server until the head of its 101 is complete, if nothing is unusual."""

    __slots__ = ("received", "rest", "usual")

    def __init__(self) -> None:
        self.received = b""
        """all bytes so far"""
        self.usual = True
        """whether they are the beginning of a 101 that is not too large, with lines that end in CR LF"""
        self.rest = b""
        """the bytes after the head"""

    def receive(self, data: bytes, most_bytes: int) -> bytes | None:
        """Return the head without its blank line, once that is here; None until then, and if it is not usual.

        No data is the end of the stream. `most_bytes` is the most that the head may have, with the blank line.
        """
        before = len(self.received)
        self.received += data
        end, bare = _end_of(self.received[:most_bytes], before)
        is_short = end >= 0 or len(self.received) <= most_bytes
        self.usual = bool(data) and not bare and is_short and SWITCH.startswith(self.received[: len(SWITCH)])
        if end < 0 or not self.usual:
            return None
        self.rest = self.received[end + len(_END) :]
        return self.received[:end]


def _end_of(received: bytes, before: int) -> tuple[int, bool]:
    """Return where the blank line of a head begins, -1 if it has not come; and whether a line ends in LF alone.

    The first `before` bytes have been looked at already, and have neither.
    """
    end = received.find(_END, max(0, before - len(_END) + 1))
    # The last of the earlier bytes may be the CR of an LF that has just come.
    fresh = received[max(0, before - 1) : end + len(_END) if end >= 0 else None].removeprefix(b"\n")
    return end, fresh.count(b"\n") != fresh.count(b"\r\n")


def bare_line_feed() -> HttpRefusal:
    """Return the refusal of an LF that has no CR before it, where LF may not end a line."""
    return HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: a line feed without a carriage return before it")
