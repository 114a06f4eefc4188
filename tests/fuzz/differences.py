"""The differences between the gateway's reading of heads and that of h11: all that are allowed, each with its reason.

Two tables are about what the bytes become, of a client and of a server. Two more say what of the upgrades is left to
h11, although it accepts it. Whatever no row explains is a fault.
"""

import functools
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from wsgateway.wire.oddities import Oddity

from .readings import Fields, Head, Kind, Ours, Reading, their_request


@dataclass(frozen=True)
class Case:
    """Bytes, and what both make of them."""

    data: bytes
    ours: Ours
    theirs: Reading

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        return self.ours.reading.kind, self.theirs.kind

    @property
    def head(self) -> bytes:
        """The bytes up to the first blank line, and that; all bytes if there is none."""
        found = re.search(rb"[^\r\n]\r?\n\r?\n", self.data)
        return self.data if found is None else self.data[: found.end()]

    @property
    def first_line(self) -> bytes:
        return self.data.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r")


def _alike(ours: Head, theirs: Head) -> Head:
    return theirs


@dataclass(frozen=True)
class Difference:
    """A difference that is allowed."""

    what: str
    reason: str
    seen: Callable[[Case], bool]
    """whether the bytes have what makes the difference"""
    kinds: frozenset[tuple[Kind, Kind]] = frozenset()
    """what becomes of them here and in h11"""
    expected: Callable[[Head, Head], Head] = field(default=_alike)
    """our head and theirs to what ours should be, if both read one"""
    repair: Callable[[bytes], bytes] = field(default=bytes)
    """what is repaired here, so that h11 should read it, too"""


def explained(case: Case, table: tuple[Difference, ...]) -> tuple[list[Difference], bool]:
    """Return the rows that apply to a case, and whether they explain all of its difference."""
    ours, theirs = case.ours.reading, case.theirs
    if ours == theirs or (ours.refused and theirs.refused):
        return [], True
    rows = [row for row in table if row.seen(case)]
    used: list[Difference] = []
    if case.kinds == ("read", "refused"):
        used = [row for row in rows if case.kinds in row.kinds]
        repaired = functools.reduce(lambda data, row: row.repair(data), used, case.data)
        theirs = their_request(repaired)
    if ours.kind != "read" or theirs.kind != "read":
        rows = [row for row in rows if case.kinds in row.kinds]
        return rows, bool(rows) and ours.kind != "read"
    heads = theirs.heads
    if len(heads) == len(ours.heads):
        for row in rows:
            changed = tuple(row.expected(mine, other) for mine, other in zip(ours.heads, heads, strict=True))
            used += [row] if changed != heads else []
            heads = changed
    return used, ours == replace(theirs, heads=heads)


def _kinds(*several: str) -> frozenset[tuple[Kind, Kind]]:
    """Return pairs of words as kinds; `refused read`: refused here, and read by h11."""
    return frozenset(tuple(each.split()) for each in several)  # type: ignore[misc]


def _contains(pattern: bytes) -> Callable[[Case], bool]:
    compiled = re.compile(pattern)
    return lambda case: compiled.search(case.head) is not None


def _needs(oddity: Oddity) -> Callable[[Case], bool]:
    return lambda case: oddity in case.ours.needed


def _with(head: Head, name: bytes, change: Callable[[bytes], bytes]) -> Head:
    """Return the head with other values of one header, or of all if it has no name."""
    return replace(
        head, fields=tuple((each, change(value) if not name or each == name else value) for each, value in head.fields)
    )


# -- requests ----------------------------------------------------------------------------------------------------

_CONTROLS = bytes((*range(9), *range(10, 32), 127))
_A_CONTROL = rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)"
_ABSOLUTE = re.compile(rb"(?:https?|wss?)://([^/?#]*)(.*)", re.IGNORECASE)


def _path_of(ours: Head, theirs: Head) -> Head:
    """Return the target without its address, which replaces a Host that is not the same."""
    method, target, version = theirs.first
    assert isinstance(target, bytes)
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return theirs
    authority, path = found[1], found[2] if found[2].startswith(b"/") else b"/" + found[2]
    changed = _with(theirs, b"host", lambda host: host if host.lower() == authority.lower() else authority)
    return replace(changed, first=(method, path, version))


def _bracketed(ours: Head, theirs: Head) -> Head:
    def bracketed(host: bytes) -> bytes:
        try:
            return b"[%s]" % str(ipaddress.IPv6Address(host.decode("latin-1"))).encode()
        except ValueError:
            return host

    return _with(theirs, b"host", bracketed)


def _without_controls(ours: Head, theirs: Head) -> Head:
    return _with(theirs, b"", lambda value: value.translate(None, _CONTROLS).strip(b" \t"))


def _controls_out(data: bytes) -> bytes:
    """Take the control characters out of the head, but for its line ends and tabs."""
    end = re.search(rb"\n\r?\n", data)
    at = len(data) if end is None else end.end()
    return re.sub(_A_CONTROL, b"", data[:at]) + data[at:]


def _encoded_target(data: bytes) -> bytes:
    line, end, rest = data.partition(b"\n")
    return re.sub(rb"[\x80-\xff]", lambda found: b"%%%02X" % found[0][0], line) + end + rest


def _with_host(data: bytes) -> bytes:
    return re.sub(rb"\n(\r?\n)", rb"\nHost: 192.0.2.1\r\n\1", data, count=1)


def _lacks_host(case: Case) -> bool:
    """Return whether this is an upgrade without a Host, that is refused."""
    fields = dict(case.theirs.heads[0].fields) if case.kinds == ("refused", "read") else {b"host": b""}
    return b"host" not in fields and b"websocket" in fields.get(b"upgrade", b"").lower()


def _lengths_as_sent(ours: Head, theirs: Head) -> Head:
    """Return h11's head with our lengths, if it only keeps the first of several equal ones, or one number of a list."""
    name = b"content-length"
    lengths = {value for each, value in theirs.fields if each == name}
    same = all({one.strip() for one in value.split(b",")} == lengths for each, value in ours.fields if each == name)
    others = [each for each in ours.fields if each[0] != name] == [each for each in theirs.fields if each[0] != name]
    return replace(theirs, fields=ours.fields) if same and others else theirs


def _coding_as_sent(ours: Head, theirs: Head) -> Head:
    name = b"transfer-encoding"
    lowered: Fields = tuple((each, value.lower() if each == name else value) for each, value in ours.fields)
    return replace(theirs, fields=ours.fields) if lowered == theirs.fields else theirs


_OWN = (b"host", b"192.0.2.1")
_LF_ALONE = rb"(?<!\r)\n"

REQUESTS = (
    Difference(
        "a line ends in LF alone",
        "what others before or behind the gateway do not take for the end of a line, may end a head here (RFC 9112,"
        " 11.2). It is refused as soon as it is seen; bare-lf allows it in an upgrade",
        _contains(_LF_ALONE),
        _kinds("refused read", "refused waits"),
    ),
    Difference(
        "control characters",
        "h11 lets most of them pass in values; other servers end a value there. header-controls takes them out of"
        " headers that nobody here reads, where h11 refuses some",
        _contains(_A_CONTROL),
        _kinds("refused read", "read refused"),
        _without_controls,
        _controls_out,
    ),
    Difference(
        "a folded line",
        "h11 joins it to the one before; RFC 9112, 5.2, wants it refused or joined, and old servers see two headers",
        _contains(rb"\n[ \t]"),
        _kinds("refused read"),
    ),
    Difference(
        "another version of HTTP/1",
        "an upgrade needs 1.1 (RFC 6455, 4.1), and 1.0 is the only other one that anybody speaks",
        lambda case: re.search(rb" HTTP/(?!1\.[01]$)[0-9]\.[0-9]$", case.first_line) is not None,
        _kinds("refused read"),
    ),
    Difference(
        "more than 100 headers",
        "a limit of the gateway",
        lambda case: case.head.count(b"\n") > 102,
        _kinds("refused read"),
    ),
    Difference(
        "a head of 16 KiB or more",
        "a limit of the gateway; h11 looks at the size of a head only while it is not whole",
        lambda case: len(case.head) >= 16 * 1024,
        _kinds("refused read", "refused waits"),
    ),
    Difference(
        "empty lines first",
        "old clients send one after a body (RFC 9112, 2.2): empty-lines",
        lambda case: case.data[:1] in b"\r\n",
        _kinds("read refused", "waits refused", "refused waits"),
        repair=lambda data: data.lstrip(b"\r\n"),
    ),
    Difference(
        "bytes above 7F in the target",
        "WebKits of 2010 sent UTF-8: raw-target percent-encodes it",
        lambda case: not case.first_line.isascii(),
        _kinds("read refused"),
        repair=_encoded_target,
    ),
    Difference(
        "an upgrade without Host",
        "small devices send none, which h11 lets them in HTTP/1.0: no-host puts the listener's address in its place",
        lambda case: Oddity.NO_HOST in case.ours.needed or _lacks_host(case),
        _kinds("read refused", "refused read"),
        lambda ours, theirs: (
            theirs if b"host" in dict(theirs.fields) else replace(theirs, fields=(*theirs.fields, _OWN))
        ),
        _with_host,
    ),
    Difference(
        "a whole address as target, with the name of another host or none",
        "a proxy may choose by one, and a server by the other",
        lambda case: b"://" in case.first_line,
        _kinds("refused read"),
    ),
    Difference(
        "a whole address as target",
        "its host and port count (RFC 9112, 3.2.2): absolute-target makes it a path and a Host",
        _needs(Oddity.ABSOLUTE_TARGET),
        expected=_path_of,
    ),
    Difference(
        "an IPv6 address as Host, without brackets",
        "libwebsockets and others: host-form adds the brackets",
        _needs(Oddity.HOST_FORM),
        _kinds("refused read"),
        _bracketed,
    ),
    Difference(
        "a Host with a form that is refused",
        "where host-form is not allowed, it is refused when it is seen",
        lambda case: re.search(rb"\nhost:[^\n]*:[ \t]*\r?\n|\nhost:[^\n]*::", case.head.lower()) is not None,
        _kinds("refused read"),
    ),
    Difference(
        "no token first",
        "what begins with another character becomes no request, whatever follows: TLS, Flash, PROXY",
        lambda case: re.match(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]", case.data) is None,
        _kinds("refused waits"),
    ),
    Difference(
        "a PROXY header",
        "h11 would read its beginning as a method",
        lambda case: case.data.startswith(b"PROXY "),
        _kinds("refused read", "refused waits"),
    ),
    Difference(
        "several lengths that are equal",
        "h11 makes them one; here they stay until a request is written anew, with one",
        _contains(rb"(?i)\ncontent-length:"),
        expected=_lengths_as_sent,
    ),
    Difference(
        "the case of a transfer coding",
        "h11 makes it lower case; nobody here reads it",
        _contains(rb"(?i)\ntransfer-encoding:"),
        expected=_coding_as_sent,
    ),
)

# -- responses ---------------------------------------------------------------------------------------------------

RESPONSES = (
    Difference(
        "other bytes than HTTP/ first",
        "a server of TLS or HTTP/2 may wait for us for ever: the first byte that is wrong decides",
        lambda case: not case.data.startswith(b"HTTP/"),
        _kinds("refused waits"),
    ),
    Difference(
        "more than 100 headers",
        "a limit of the gateway",
        lambda case: case.data.count(b"\n") > 102,
        _kinds("refused read"),
    ),
    Difference(
        "a head of more than 16 KiB",
        "a limit of the gateway; h11 looks at the size of a head only while it is not whole",
        lambda case: len(case.data) > 16 * 1024,
        _kinds("refused read"),
    ),
)


@dataclass(frozen=True)
class Left:
    """What of the upgrades and their 101s is left to h11."""

    what: str
    reason: str
    seen: Callable[[Case], bool]


LEFT_REQUESTS = (
    Left("another method", "it is refused, and h11 writes that", lambda case: not case.first_line.startswith(b"GET ")),
    Left(
        "a transfer coding",
        "it is refused, and h11 has to know whether it is one",
        _contains(rb"(?i)\ntransfer-encoding:"),
    ),
    Left("lengths", "h11 knows which lists of lengths are one length", _contains(rb"(?i)\ncontent-length:")),
)
LEFT_RESPONSES = (
    Left("an interim response first", "it is seldom", _contains(rb"\AHTTP/[0-9]\.[0-9] 1(?!01)[0-9][0-9]")),
    Left(
        "no reason, or another version of HTTP",
        "it is seldom",
        _contains(rb"\A(?!HTTP/1\.1 101 )HTTP/[0-9]\.[0-9] 101"),
    ),
    Left("control characters", "servers may send them in values, as h11 knows", _contains(_A_CONTROL)),
    Left("a folded line, or LF alone", "servers may send them, as h11 knows", _contains(rb"\n[ \t]|(?<!\r)\n")),
    Left(
        "a length or a transfer coding",
        "it has no meaning there, but h11 checks it",
        _contains(rb"(?i)\n(content-length|transfer-encoding):"),
    ),
)
