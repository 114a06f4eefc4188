"""The paths of requests: which ones a server could read in another way, and the form in which paths are compared."""

import re
from urllib.parse import unquote_to_bytes

from wsgateway.errors import HttpRefusal, Reason

# How often servers decode a path: once as they must, and some servers once more.
_DECODINGS = 2
# What a path must contain to be dangerous. Nearly all paths contain none of it and need no further check.
_SUSPECT = re.compile(r"[%\\]|/\.")
_SLASHES = re.compile(rb"[/\\]")
_DOTS = (b".", b"..")
# The overlong forms of ".", "/" and "\" in 2 to 6 bytes: C0 AE, C0 AF, C1 9C and so on. Lenient decoders accept them
# (RFC 3629, 10). C0 and C1 alone are letters of Latin-1.
_OVERLONG = re.compile(
    rb"(?:\xc0|\xe0\x80|\xf0\x80{2}|\xf8\x80{3}|\xfc\x80{4})[\xae\xaf]"
    rb"|(?:\xc1|\xe0\x81|\xf0\x80\x81|\xf8\x80{2}\x81|\xfc\x80{3}\x81)\x9c"
)
# The parts of a path that count as one character when paths are compared; and these or any other character.
_FOLDED = re.compile(r"/+|%[0-9A-Fa-f]{2}")
_PIECE = re.compile(rf"{_FOLDED.pattern}|.", re.DOTALL)
# RFC 3986, 2.3.
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def check_path(path: str) -> None:
    """Raise HttpRefusal (400) for a path that may lead out of the route by which it was chosen.

    Take a path without its query, percent-encoded. Refused are: segments that are `.` or `..`, as they stand or after
    one or two decodings, with or without parameters after a semicolon (servers written in Java remove these);
    overlong forms of dots and slashes; and NUL, where servers written in C end a path.
    """
    if _SUSPECT.search(path) is None:
        return
    data = path.encode()
    for _ in range(_DECODINGS + 1):
        if any(segment.partition(b";")[0] in _DOTS for segment in _SLASHES.split(data)):
            raise HttpRefusal(
                Reason.PATH_REFUSED, "the path has a segment that is . or .., which may lead out of a route"
            )
        if _OVERLONG.search(data):
            raise HttpRefusal(
                Reason.PATH_REFUSED, "the path has an overlong form of a dot or a slash, which may lead out of a route"
            )
        if b"\0" in data:
            raise HttpRefusal(Reason.PATH_REFUSED, "the path has a NUL, which may end it for a server")
        data = unquote_to_bytes(data)


def normalised(path: str) -> str:
    """Return the form in which paths are compared (RFC 3986, 6.2.2).

    Unreserved characters are decoded, once; other escapes have digits in upper case; several slashes in a row become
    one. Take a path without its query, percent-encoded.
    """
    if "%" not in path and "//" not in path:
        return path
    return _FOLDED.sub(lambda found: _compared(found[0]), path)


def rest_after(path: str, prefix: str) -> str | None:
    """Return the rest of a path after a prefix, unchanged; None if the path does not have the prefix in whole segments.

    Take a path as it was sent, and a normalised prefix without a slash at its end. The rest is empty or begins with a
    slash.
    """
    at, seen = 0, ""
    for piece in _PIECE.finditer(path):
        if len(seen) >= len(prefix):
            break
        seen += _compared(piece[0])
        at = piece.end()
    rest = path[at:]
    return rest if seen == prefix and (not rest or rest.startswith("/")) else None


def _compared(piece: str) -> str:
    if piece.startswith("/"):
        return "/"
    if len(piece) == 1:
        return piece
    byte = int(piece[1:], 16)
    return chr(byte) if byte in _UNRESERVED else piece.upper()
