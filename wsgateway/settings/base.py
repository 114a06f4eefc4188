"""What all sections of the file share: the kinds of values, and how a section is read."""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, field_validator

from wsgateway.dialects import Dialect
from wsgateway.errors import HttpRefusal
from wsgateway.settings.addresses import admin_address, bind_address, control_address, domain, port, server_name, target
from wsgateway.settings.basics import Address, Network, Peers, Rate, SystemdSocket, UnixAddress
from wsgateway.settings.dialects import dialect, dialects
from wsgateway.settings.findings import seen
from wsgateway.settings.model import Target
from wsgateway.settings.patterns import (
    balance,
    checks_header_name,
    header_name,
    header_pattern,
    header_value,
    host_name,
    host_pattern,
    network,
    origin_pattern,
    peers,
    pin,
    plain_value,
    rate,
    subprotocol,
    underscore_name,
    upstream_host,
)
from wsgateway.settings.pooling import Balance, BalanceMethod, HashSource
from wsgateway.settings.regexes import Regex, compiled
from wsgateway.settings.tolerance import tolerance
from wsgateway.settings.units import KIB, MIB, byte_count, percent, seconds
from wsgateway.wire.closecodes import RFC6455_CODES
from wsgateway.wire.oddities import Tolerance
from wsgateway.wire.paths import check_path

# The largest frame that RFC 6455 allows has 2**63 - 1 bytes; half of that leaves room to count.
_MOST_MESSAGE_BYTES = 2**62
# A message is held back in memory; what all of them may take is no less than what one may.
_MOST_JOIN_BYTES = 16 * MIB
# What SRV records have for a weight.
_MOST_WEIGHT = 65535

# More than any machine has cores for; each takes some 40 MiB.
MOST_WORKERS = 512

# Keys that were called otherwise: the old names are read, too, and warned of.
OLD_NAMES = {"opaque": ("null",)}

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PATH = re.compile(r"/[!-~]*")


def plain_name(text: str) -> str:
    """Checks a name. Names stand in logs and will stand in metrics and addresses, so they are plain."""
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"{seen(text)} is not a name; letters, digits, '_', '-' and '.' are allowed")
    return text


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
    # Not a Literal alone: True is 1 to pydantic, as to Python.
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"{seen(value)} is not a version that is known here; write 1")
    return 1


def _or_none(reader: Callable[[object], Any]) -> Callable[[object], Any]:
    """A reader for which `none` is a value, too."""

    def read(value: object) -> Any:
        if value == "none":
            return None
        try:
            return reader(value)
        except ValueError as error:
            raise ValueError(f"{error}, or none") from None

    return read


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{seen(value)} is no bound; write a whole number of 1 or more")
    return value


def _close_code(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in RFC6455_CODES:
        raise ValueError(f"{seen(value)} is no code of a Close; write 1001, 1012, or one from 3000 to 4999")
    return value


def _workers(value: object) -> int | None:
    if value == "auto":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_WORKERS:
        raise ValueError(f"{seen(value)} is no number of workers; write one from 1 to {MOST_WORKERS}, or auto")
    return value


def _file(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{seen(value)} is not the name of a file")
    return value


def _read_by(reader: Callable[[object], object], written: Any = str) -> PlainValidator:
    return PlainValidator(reader, json_schema_input_type=written)


Version = Annotated[Literal[1], _read_by(_version, Literal[1])]
Name = Annotated[str, AfterValidator(plain_name)]
UrlPath = Annotated[str, AfterValidator(_path)]
Count = Annotated[int, Field(ge=1)]
Percent = Annotated[int, _read_by(percent, str)]
CountOrZero = Annotated[int, Field(ge=0)]
Weight = Annotated[int, Field(ge=1, le=_MOST_WEIGHT)]
CountOrNone = Annotated[int | None, _read_by(_or_none(_count), int | Literal["none"])]
Duration = Annotated[float, _read_by(seconds)]
DurationOrNone = Annotated[float | None, _read_by(_or_none(seconds))]
CloseCode = Annotated[int, _read_by(_close_code, int)]
HeadSize = Annotated[int, _read_by(partial(byte_count, least=KIB, most=MIB))]
QueueSize = Annotated[int, _read_by(partial(byte_count, least=64 * KIB, most=1024 * MIB))]
ValueLength = Annotated[int, Field(ge=50, le=65536)]
JoinSize = Annotated[int, _read_by(partial(byte_count, least=0, most=_MOST_JOIN_BYTES))]
JoinMemory = Annotated[int, _read_by(partial(byte_count, least=_MOST_JOIN_BYTES, most=_MOST_MESSAGE_BYTES))]
MessageSize = Annotated[int, _read_by(partial(byte_count, least=1, most=_MOST_MESSAGE_BYTES))]
Bind = Annotated[Address | UnixAddress | SystemdSocket, _read_by(bind_address)]
AdminBind = Annotated[Address | UnixAddress, _read_by(admin_address)]
ControlBind = Annotated[UnixAddress | Literal["auto"] | None, _read_by(control_address)]
Workers = Annotated[int | None, _read_by(_workers, int | Literal["auto"])]
Url = Annotated[Target, _read_by(target)]
OneDialect = Annotated[Dialect, _read_by(dialect)]
DialectRange = Annotated[tuple[Dialect, ...], _read_by(dialects)]
Domain = Annotated[str, _read_by(domain)]
Port = Annotated[int, _read_by(port, int)]
Host = Annotated[str, _read_by(host_pattern)]
HostName = Annotated[str, _read_by(host_name)]
OriginPattern = Annotated[str, _read_by(origin_pattern)]
Trusted = Annotated[Peers, _read_by(peers)]
Net = Annotated[Network, _read_by(network)]
RateOrNone = Annotated[Rate | None, _read_by(rate)]
HeaderName = Annotated[str, _read_by(header_name)]
HeaderPattern = Annotated[str, _read_by(header_pattern)]
UnderscoreName = Annotated[str, _read_by(underscore_name)]
Subprotocol = Annotated[str, _read_by(subprotocol)]
HeaderValue = Annotated[str, _read_by(header_value)]
ChecksHeaderName = Annotated[str, _read_by(checks_header_name)]
PlainValue = Annotated[str, _read_by(plain_value)]
BalanceMode = Annotated[
    Balance, _read_by(balance, BalanceMethod | dict[Literal["hash"], dict[HashSource, str | Literal[True]]])
]
ToleranceWritten = Literal["default", "all", "none"] | list[str]
ClientTolerance = Annotated[Tolerance, _read_by(partial(tolerance, side="client"), ToleranceWritten)]
UpstreamTolerance = Annotated[Tolerance, _read_by(partial(tolerance, side="upstream"), ToleranceWritten)]
UpstreamHost = Annotated[str, _read_by(upstream_host)]
ServerName = Annotated[str, _read_by(server_name)]
Pin = Annotated[str, _read_by(pin)]
Pattern = Annotated[Regex, _read_by(compiled)]
FileName = Annotated[str, _read_by(_file)]


class Section(BaseModel):
    """A mapping of the file: no other keys than the fields, and no value that has to be bent into shape."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, value: Any, info: ValidationInfo) -> Any:
        # A key whose section is commented out would else be as good as left out, as with `tls:` and nothing behind it.
        if value is None and cls.model_fields[str(info.field_name)].default is None:
            raise ValueError("an empty value says nothing; leave the key out")
        return value


def default_name(noun: str, number: int) -> str:
    """The name of the listener or route that has none; `number` is its place in the list, from 1."""
    return f"{noun}-{number}"
