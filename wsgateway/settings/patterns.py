"""Read hosts, origins, networks, rates, headers and ways to balance of the configuration.

The functions take any value of the file, and raise ValueError with a message for its author.
"""

import ipaddress
import re
from contextlib import suppress

from wsgateway.settings.addresses import domain
from wsgateway.settings.basics import UNIX, Balance, Network, Peers, Rate
from wsgateway.settings.findings import guess, seen
from wsgateway.settings.regexes import Regex, compiled
from wsgateway.wire.addresses import unmapped_network
from wsgateway.wire.exchange import HOP_BY_HOP
from wsgateway.wire.repair import is_token

PLACEHOLDERS = ("dialect", "client_ip", "listener", "route")

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/:\s]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.I
)
_RATE = re.compile(r"(?P<count>[0-9]{1,9})/(?P<unit>s|m|h)")
# OpenSSL prints the bytes with colons between them.
_PIN = re.compile(r"sha256:(?P<hash>(?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.I)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# Headers of one connection, and those that the gateway writes itself.
_NOT_TO_BE_SET = ("host", "connection", "upgrade", "content-length", "transfer-encoding", "te", "trailer", "expect")


def host_pattern(value: object) -> str:
    """Read a host without port, or *.NAME for all names below NAME."""
    if value == "*":
        raise ValueError("'*' stands for every host; leave the key out")
    try:
        return domain(value).rstrip(".")
    except ValueError:
        raise ValueError(
            f"{seen(value)} is not a host; write a name, *.NAME or an IP address, without scheme, port or path"
        ) from None


def pin(value: object) -> str:
    """Read sha256: and the hash of a certificate or of its public key, 32 bytes in hexadecimal.

    Return it in lower case, without colons between the bytes.
    """
    found = _PIN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            f"{seen(value)} is not a pin; write sha256: and 64 hexadecimal digits, as 'wsgateway probe' prints them"
        )
    return f"sha256:{found['hash'].replace(':', '').lower()}"


def host_name(value: object) -> str:
    """Read one host without a port. Return it in lower case, without a dot at its end."""
    name = host_pattern(value)
    if "*" in name:
        raise ValueError(f"{seen(value)} stands for many names; write each of them")
    return name


def origin_pattern(value: object) -> str:
    """Read an origin as browsers send it, one with *. before its host, or *."""
    if value == "*":
        return "*"
    found = _ORIGIN.fullmatch(value) if isinstance(value, str) else None
    if found is None or not _is_origin_host(found["host"]) or int(found["port"] or 0) > 65535:
        hint = "; for the Origin null there is the key 'opaque'" if value in (None, "null") else ""
        raise ValueError(
            f"{seen(value)} is not an origin; write https://app.example.com, https://*.example.com or * for all{hint}"
        )
    return found[0].lower()


def _is_origin_host(host: str) -> bool:
    """Return whether a text may be the host of an origin. An empty one may, as in file://."""
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        elif host:
            domain(host)
    except ValueError:
        return False
    return host != "*"


def peers(value: object) -> Peers:
    """Read 10.0.0.0/8, fd00::/8, an address for itself, or unix."""
    return UNIX if value == UNIX else _network(value, "neither a network, as 10.0.0.0/8 or 192.0.2.7, nor unix")


def network(value: object) -> Network:
    """Read 10.0.0.0/8, fd00::/8 or an address for itself."""
    return _network(value, "no network, as 10.0.0.0/8 or 192.0.2.7")


def _network(value: object, what: str) -> Network:
    hint = ""
    if isinstance(value, str):
        with suppress(ValueError):
            return unmapped_network(ipaddress.ip_network(value))
        with suppress(ValueError):
            hint = f"; did you mean {str(ipaddress.ip_network(value, strict=False))!r}?"
    raise ValueError(f"{seen(value)} is {what}{hint}")


def rate(value: object) -> Rate | None:
    """Read 100/s, 60/m or 1000/h; none is no bound."""
    if value == "none":
        return None
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None or not int(found["count"]):
        raise ValueError(f"{seen(value)} is not a rate; write 100/s, 60/m or 1000/h, or none")
    return Rate(int(found["count"]), _SECONDS[found["unit"]])


def header_name(value: object) -> str:
    """Read the name of a header that a route may set."""
    if isinstance(value, str) and "*" in value:
        raise ValueError(f"{seen(value)} is not the name of a header; a star is not allowed here")
    return _header(value, "set or removed", _NOT_TO_BE_SET)


def header_pattern(value: object) -> str:
    """Read the name of a header that a route may keep or remove, or NAME* for all that begin so."""
    if value == "*":
        raise ValueError("'*' stands for every header; to pass none write keep: [], to pass all leave the key out")
    if isinstance(value, str) and "*" in value[:-1]:
        raise ValueError(f"{seen(value)} has a star before its end; write a name, or NAME* for all that begin so")
    return _header(value, "set or removed", _NOT_TO_BE_SET)


def check_header_name(value: object) -> str:
    """Read the name of a header that a health check may send: Host, too. Raise ValueError."""
    try:
        return _header(value, "set", tuple(name for name in _NOT_TO_BE_SET if name != "host"))
    except ValueError as error:
        hint = "; write subprotocols: [NAME]" if str(value).lower().endswith("websocket-protocol") else ""
        raise ValueError(f"{error}{hint}") from None


def underscore_name(value: object) -> str:
    """Read the name of a header that is dropped unless a route names it: one with an underscore, or Proxy."""
    name = header_name(value)
    if "_" not in name and name.lower() != "proxy":
        raise ValueError(f"{seen(value)} has no underscore in it, and goes on without being named here")
    if name.lower().replace("_", "-") in HOP_BY_HOP | {"host", "expect"}:
        raise ValueError(f"{seen(value)} is read by some as what the gateway writes itself, and never goes on")
    return name


def _header(value: object, what: str, not_to_be_set: tuple[str, ...]) -> str:
    if not isinstance(value, str) or not is_token(value):
        raise ValueError(f"{seen(value)} is not the name of a header")
    name = value.lower()
    if name in not_to_be_set or name.startswith(("sec-websocket-", "websocket-")):
        raise ValueError(f"{seen(value)} is made by the gateway, and cannot be {what}")
    return value


def plain_value(value: object) -> str:
    """Read a header's value as it stands. Raise ValueError."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise ValueError(f"{seen(value)} is not the value of a header; write printable ASCII, in quotes")
    return value


def query_name(text: str) -> str:
    """Return a name in the query of a URL. Raise ValueError for a text that cannot be one."""
    if not text or re.search(r"[?=&;#\s]", text):
        raise ValueError(f"{text!r} is no name in a query; write the part before the =, such as token")
    return text


def subprotocol(value: object) -> str:
    """Read the name of a subprotocol: printable ASCII without commas, and no space at either end."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-+\--~](?:[ -+\--~]*[!-+\--~])?", value):
        raise ValueError(f"{seen(value)} is not the name of a subprotocol; write printable ASCII without commas")
    return value


def header_value(value: object) -> str:
    """Read a header's value, with placeholders in braces."""
    value = plain_value(value)
    for name in _PLACEHOLDER.findall(value):
        if name not in PLACEHOLDERS:
            raise ValueError(f"{{{name}}} is not known; {guess(name, PLACEHOLDERS)}")
    if "{" in _PLACEHOLDER.sub("", value) or "}" in _PLACEHOLDER.sub("", value):
        raise ValueError(f"{seen(value)} has a brace that is not closed, or not opened")
    return value


def balance(value: object) -> Balance:
    """Read a way to choose among targets: a word, or what to hash."""
    match value:
        case "round_robin" | "least_connections" | "random":
            return Balance(value)
        case {"hash": {"ip": True, **more}, **others} if not (more or others):
            return Balance("hash", "ip")
        case {"hash": dict(hashed), **others} if len(hashed) == 1 and not others:
            [(source, name)] = hashed.items()
            if source in ("cookie", "header", "query") and isinstance(name, str) and is_token(name):
                return Balance("hash", source, name)
            if source == "path":
                return Balance("hash", source, path=_with_group(name))
    raise ValueError(
        f"{seen(value)} is not a way to balance; write round_robin, least_connections or random, or"
        " {hash: {ip: true}}, or with cookie, header or query and its name in the place of ip, or with path and a"
        " regular expression"
    )


def _with_group(value: object) -> Regex:
    found = compiled(value, anywhere=True)
    if not found.groups:
        raise ValueError(f"{seen(value)} has no group; put what is to be hashed of the path in parentheses")
    return found


def upstream_host(value: object) -> str:
    """Read preserve, target, or a host with an optional port."""
    if not isinstance(value, str) or not value or re.search(r"[^\w.:\[\]-]", value, re.ASCII):
        raise ValueError(f"{seen(value)} is neither preserve, target, nor a host")
    return value
