"""The kinds of values that keys have: how each is read, what it is called, and what it looks like to an editor."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.errors import HttpRefusal
from wsgateway.settings import patterns
from wsgateway.settings.addresses import (
    admin_address,
    bind_address,
    control_address,
    domain,
    port,
    server_name,
    target_url,
)
from wsgateway.settings.basics import Address, Balance, Network, Peers, Rate, SystemdSocket, UnixAddress, Url
from wsgateway.settings.declare import Between, InDirectory, List, Made, Members, Written
from wsgateway.settings.dialects import dialect, dialects
from wsgateway.settings.findings import Filled, made_of, seen
from wsgateway.settings.regexes import Regex, compiled
from wsgateway.settings.tolerance import tolerance
from wsgateway.settings.units import KIB, MIB, byte_count, percent, seconds, spell_size
from wsgateway.wire.closecodes import RFC6455_CODES
from wsgateway.wire.oddities import Oddity, PeerRole, Tolerance
from wsgateway.wire.paths import check_path, normalised

# The largest frame that RFC 6455 allows has 2**63 - 1 bytes; half of that leaves room to count.
_MOST_MESSAGE_BYTES = 2**62
# A message is held back in memory; what all of them may take is no less than what one may.
_MOST_JOIN_BYTES = 16 * MIB
# The largest weight of an SRV record.
_MOST_WEIGHT = 65535
# More than anybody needs to be sure, and few enough to be remembered for every address.
_MOST_CLIENTS = 100
# More than any machine has cores for; each takes some 30 MiB.
MOST_WORKERS = 512
# Of files that are included; each is read at once, and so are all together.
MOST_FILES = 1000
MOST_MIB = 16
MOST_BYTES = MOST_MIB * 1024 * 1024

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_PATH = re.compile(r"/[!-~]*")


# -- readers ---------------------------------------------------------------------------------------------------


def plain_name(value: object) -> str:
    """Read a name. Names stand in the log, in metrics and in addresses, so they are plain. Raise ValueError."""
    if isinstance(value, Filled):
        raise ValueError(f"{seen(value)} cannot be a name, which stands in the log, and no variable does")
    if not isinstance(value, str):
        raise ValueError(f"{seen(value)} is not text" + ("; write it in quotes" if isinstance(value, int) else ""))
    if re.fullmatch(_NAME, value) is None:
        raise ValueError(f"{seen(value)} is not a name; letters, digits, '_', '-' and '.' are allowed")
    return value


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{seen(text)} is not a path; it must begin with '/'")
    if _PATH.fullmatch(text) is None:
        raise ValueError(f"{seen(text)} is not a path; write spaces and all that is not ASCII percent-encoded")
    if "?" in text or "#" in text:
        raise ValueError(f"{seen(text)} is not a path, which ends before '?' or '#'")
    try:
        check_path(text)
    except HttpRefusal as error:
        raise ValueError(f"{seen(text)} is a path that no request may have: {error}") from None
    return text


def _version(value: object) -> int:
    # True is 1 to Python.
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"{seen(value)} is not a version that is known here; write 1")
    return 1


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{seen(value)} is not a limit; write a whole number of 1 or more")
    return value


def _close_code(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in RFC6455_CODES:
        raise ValueError(f"{seen(value)} is not a close code; write 1001, 1012, or one from 3000 to 4999")
    return value


def _workers(value: object) -> int | None:
    if value == "auto":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_WORKERS:
        raise ValueError(f"{seen(value)} is not a number of workers; write one from 1 to {MOST_WORKERS}, or auto")
    return value


def _file(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{seen(value)} is not the name of a file")
    return value


def _census_file(value: object) -> str | None:
    return None if value == "none" else _file(value)


def _in_order(ranges: tuple[tuple[Dialect, ...], ...]) -> tuple[Dialect, ...]:
    """Return each dialect once, the oldest first."""
    named = {each.name for several in ranges for each in several}
    return tuple(each for each in DIALECTS.values() if each.name in named)


def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str.lower, names))


def _pairs(mapping: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(mapping.items())


# -- kinds -----------------------------------------------------------------------------------------------------


def _text(pattern: str = "") -> dict[str, Any]:
    """Return the JSON Schema of a text. Patterns mean the same in Python and in JavaScript."""
    return {"type": "string", "pattern": f"^(?:{pattern})$"} if pattern else {"type": "string", "minLength": 1}


def _or_none(written: Written) -> Written:
    """Return the kind for which `none` is a value, too."""

    def read(value: object) -> Any:
        if value == "none":
            return None
        try:
            return written.read(value)
        except ValueError as error:
            raise ValueError(f"{error}, or none") from None

    schema = {"anyOf": [written.schema, {"const": "none"}]}
    return Written(read, f"{written.word} or `none`", schema, written.bounds)


def _whole(read: Callable[[Any], Any], least: int, most: int) -> Written:
    return Written(read, "whole number", {"type": "integer", "minimum": least, "maximum": most}, f"{least} to {most}")


def _size(least: int, most: int) -> Written:
    bounds = f"{spell_size(least)} to {spell_size(most)}"
    schema = _text(r"[0-9]{1,20}(?:[KMGTPE]iB|B)")
    return Written(partial(byte_count, least=least, most=most), "size", schema, bounds)


def _tolerance(side: PeerRole) -> Written:
    names = {"enum": ["default", *Oddity.of(side)]}
    listed = {"type": "array", "items": names, "minItems": 1}
    word = "`default`, `all`, `none`, or a list of names"
    return Written(partial(tolerance, side=side), word, {"anyOf": [{"enum": ["default", "all", "none"]}, listed]})


_DURATION = Written(seconds, "duration", _text(r"[0-9]{1,20}(?:\.[0-9]{1,20})?(?:ms|s|m|h|d)"), "more than 0s")
_DIALECT = {"enum": list(DIALECTS)}
_RANGE = _text("(?:hixie|hybi)-[0-9]{2}\\.\\.(?:(?:hixie|hybi)-)?[0-9]{2}")
_HASH = {
    "type": "object",
    "properties": {
        "ip": {"const": True},
        **{source: {"type": "string", "minLength": 1} for source in ("cookie", "header", "query", "path")},
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_BALANCE = {
    "anyOf": [
        {"enum": ["round_robin", "least_connections", "random"]},
        {"type": "object", "properties": {"hash": _HASH}, "required": ["hash"], "additionalProperties": False},
    ]
}

Version = Annotated[int, Written(_version, "`1`", {"const": 1})]
Flag = bool
Count = Annotated[int, Between(1)]
CountOrZero = Annotated[int, Between(0)]
CountOrNone = Annotated[
    int | None, _or_none(Written(_count, "whole number", {"type": "integer", "minimum": 1}, "1 or more"))
]
Bits = Annotated[int, Between(1, 128)]
LogLength = Annotated[int, Between(50, 65536)]
Clients = Annotated[int, Between(1, _MOST_CLIENTS)]
ServerError = Annotated[int, Between(500, 599)]
Weight = Annotated[int, Between(1, _MOST_WEIGHT)]
Port = Annotated[int, _whole(port, 1, 65535)]
CloseCode = Annotated[
    int,
    Written(
        _close_code,
        "whole number",
        {"type": "integer", "minimum": 1000, "maximum": 4999},
        "1000 to 4999, as may be sent",
    ),
]
Workers = Annotated[
    int | None,
    Written(
        _workers,
        "whole number or `auto`",
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_WORKERS}, {"const": "auto"}]},
        f"1 to {MOST_WORKERS}",
    ),
]
Percent = Annotated[int, Written(percent, "share", _text("(?:100|[1-9][0-9]?)%"), "1% to 100%")]
Duration = Annotated[float, _DURATION]
DurationOrNone = Annotated[float | None, _or_none(_DURATION)]
HeadSize = Annotated[int, _size(KIB, MIB)]
QueueSize = Annotated[int, _size(64 * KIB, 1024 * MIB)]
JoinSize = Annotated[int, _size(0, _MOST_JOIN_BYTES)]
JoinMemoryBytes = Annotated[int, _size(_MOST_JOIN_BYTES, _MOST_MESSAGE_BYTES)]
MessageSize = Annotated[int, _size(1, _MOST_MESSAGE_BYTES)]
RateOrNone = Annotated[
    Rate | None,
    Written(
        patterns.rate, "rate or `none`", {"anyOf": [_text("[0-9]{1,9}/(?:s|m|h)"), {"const": "none"}]}, "1 or more"
    ),
]

Name = Annotated[str, Written(plain_name, "name", _text(_NAME))]
UrlPath = Annotated[str, Made(str, _path)]
NormalisedPath = Annotated[str, Made(UrlPath, normalised)]
Pattern = Annotated[Regex, Written(compiled, "regular expression", _text())]
FileName = Annotated[
    str, Written(_file, "name of a file", _text()), InDirectory(lambda directory, name: _below(directory, name))
]
FilePattern = Annotated[str, Written(_file, "pattern of names", _text())]


def _below(directory: Path, name: str) -> str:
    return made_of(name, str(directory / name))


def _placed(directory: Path, bind: Any) -> Any:
    return UnixAddress(str(directory / bind.path)) if isinstance(bind, UnixAddress) else bind


_ADDRESS = {"type": "string", "pattern": "^(?:unix:.+|.+:[0-9]{1,5})$"}
BindAddress = Annotated[
    Address | UnixAddress | SystemdSocket,
    Written(bind_address, "address", {"type": "string", "pattern": "^(?:systemd:.+|unix:.+|.+:[0-9]{1,5})$"}),
    InDirectory(_placed),
]
AdminAddress = Annotated[Address | UnixAddress, Written(admin_address, "address", _ADDRESS), InDirectory(_placed)]
ControlAddress = Annotated[
    UnixAddress | Literal["auto"] | None,
    Written(
        control_address,
        "`unix:PATH`, `auto` or `none`",
        {"anyOf": [{"enum": ["auto", "none"]}, _text("unix:.+")]},
    ),
    InDirectory(_placed),
]
CensusFile = Annotated[
    str | Literal["auto"] | None,
    Written(_census_file, "name of a file, `auto` or `none`", _text()),
    InDirectory(lambda directory, name: name if name in ("auto", None) else str(directory / name)),
]
TargetUrl = Annotated[Url, Written(target_url, "URL", _text("(?:[Ww][Ss]|[Hh][Tt][Tt][Pp])[Ss]?://[^/?#@]+/?"))]
OneDialect = Annotated[Dialect, Written(dialect, "dialect", _DIALECT)]
DialectRange = Annotated[tuple[Dialect, ...], Written(dialects, "dialect or range", {"anyOf": [_DIALECT, _RANGE]})]
Dialects = Annotated[tuple[Dialect, ...], Made(List[DialectRange], _in_order)]
SomeDialects = Annotated[tuple[Dialect, ...], Made(Annotated[tuple[DialectRange, ...], Members(least=1)], _in_order)]
Domain = Annotated[str, Written(domain, "domain", _text())]
Host = Annotated[str, Written(patterns.host_pattern, "host or `*.NAME`", _text())]
HostName = Annotated[str, Written(patterns.host_name, "host", _text(r"[^*]+"))]
OriginPattern = Annotated[str, Written(patterns.origin_pattern, "origin or `*`", _text(r"\*|[^/]+://.*"))]
PeersNetwork = Annotated[Peers, Written(patterns.peers, "network or `unix`", _text())]
PlainNetwork = Annotated[Network, Written(patterns.network, "network", _text())]
Subprotocol = Annotated[str, Written(patterns.subprotocol, "subprotocol", _text("[^,]+"))]
Subprotocols = Annotated[tuple[tuple[str, str], ...], Made(dict[Subprotocol, Subprotocol], _pairs)]
QueryName = Annotated[str, Written(patterns.query_name, "name", _text("[^?=&;#\\s]+"))]
HeaderName = Annotated[str, Written(patterns.header_name, "header", _text("[^*\\s:]+"))]
HeaderPattern = Annotated[str, Written(patterns.header_pattern, "header or `NAME*`", _text("[^*\\s:]+\\*?"))]
HeaderPatterns = Annotated[tuple[str, ...], Made(List[HeaderPattern], _lower)]
UnderscoreName = Annotated[str, Written(patterns.underscore_name, "header", _text("[^*\\s:]+"))]
UnderscoreNames = Annotated[tuple[str, ...], Made(List[UnderscoreName], _lower)]
HeaderValue = Annotated[str, Written(patterns.header_value, "text", _text())]
HeaderValues = Annotated[tuple[tuple[str, str], ...], Made(dict[HeaderName, HeaderValue], _pairs)]
MatchedHeaders = Annotated[tuple[tuple[str, str], ...], Made(dict[str, str], _pairs)]
CheckHeaderName = Annotated[str, Written(patterns.check_header_name, "header", _text("[^*\\s:]+"))]
PlainValue = Annotated[str, Written(patterns.plain_value, "text", _text())]
CheckHeaders = Annotated[tuple[tuple[str, str], ...], Made(dict[CheckHeaderName, PlainValue], _pairs)]
BalanceMode = Annotated[Balance, Written(patterns.balance, "method, or `{hash: ...}`", _BALANCE)]
ClientTolerance = Annotated[Tolerance, _tolerance("client")]
UpstreamTolerance = Annotated[Tolerance, _tolerance("upstream")]
UpstreamHost = Annotated[str, Written(patterns.upstream_host, "`preserve`, `target`, or a host", _text())]
ServerName = Annotated[str, Written(server_name, "host or `none`", _text())]
Pin = Annotated[str, Written(patterns.pin, "pin", _text("[Ss][Hh][Aa]256:(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}"))]


def tolerance_names(side: PeerRole) -> dict[str, str]:
    """Return the names of what a peer may be allowed: those that are allowed by default, and the others."""
    every = Oddity.of(side).items()
    return {
        "allowed by default": ", ".join(name for name, each in every if each.default),
        "allowed if named, or by all": ", ".join(name for name, each in every if not each.default) or "nothing else",
    }


def default_name(noun: str, number: int) -> str:
    """Return the name of the listener or route that has none; `number` is its place in the list, from 1."""
    return f"{noun}-{number}"
