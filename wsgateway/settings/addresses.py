"""Read addresses of the configuration: `127.0.0.1:8080`, `unix:/run/x.sock`, `wss://chat.internal:9443`.

No name is looked up: only its form is checked. The functions take any value of the file, and raise ValueError with a
message for its author. A password in a URL is never part of a message.
"""

import re
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Literal

from wsgateway.settings.basics import UNIX, Address, Bind, SystemdSocket, UnixAddress, Url
from wsgateway.settings.findings import made_of, seen, shown

_DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL
)
_PORT = re.compile(r"[0-9]{1,5}")
# Labels of RFC 1123, and the underscore that container names have; a dot at the end means an absolute name.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")
# The limit of the kernel (unix(7)), without the NUL at the end.
_MOST_PATH_BYTES = 107
_SYSTEMD = "systemd:"
# sd_listen_fds(3): names of descriptors are at most 255 characters, none of them a control character or a colon.
_SOCKET_NAME = re.compile(r"[!-9;-~]{1,255}")
# A name whose last label is a number can only be meant as an IPv4 address (so do browsers read it).
_NUMERIC = re.compile(r"(?:.*\.)?[0-9]+\.?")


def address(value: object) -> Address:
    """Read HOST:PORT, where HOST is an IPv4 address, an IPv6 address in brackets, or a name. Port 0 is allowed."""
    if not isinstance(value, str):
        raise ValueError(f"{seen(value)} is not an address; write it in quotes, as '127.0.0.1:8080' or '[::1]:8080'")
    host, port = _split(value)
    if port is None and _PORT.fullmatch(host):
        host, port = "", host
    if port is None:
        raise ValueError(f"{seen(value)} has no port; write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080")
    if host in ("", "*"):
        raise ValueError(
            f"{seen(value)} has no host; for every address of this machine write 0.0.0.0:{port} or [::]:{port}"
        )
    return Address(_host(host, value), _port(port, value, least=0))


def bind_address(value: object) -> Bind:
    """Read an address to listen on: as `address`, unix:PATH, or systemd:NAME for the sockets that systemd passes on."""
    if not isinstance(value, str) or not value.startswith(_SYSTEMD):
        return admin_address(value)
    name = value.removeprefix(_SYSTEMD)
    if _SOCKET_NAME.fullmatch(name) is None:
        raise ValueError(f"{seen(value)} names no socket; write systemd:NAME, as FileDescriptorName= has it")
    return SystemdSocket(name)


def admin_address(value: object) -> Address | UnixAddress:
    """Read the address of the admin pages: as `address`, or unix:PATH."""
    if not isinstance(value, str) or not value.startswith(f"{UNIX}:"):
        return address(value)
    path = value.removeprefix(f"{UNIX}:")
    if not path or "\0" in path or path.endswith("/"):
        raise ValueError(f"{seen(value)} has no name of a file; write unix:PATH, as in unix:/run/wsgateway/ws.sock")
    size = len(path.encode())
    if size > _MOST_PATH_BYTES:
        raise ValueError(f"{seen(value)} has a path of {size} bytes, a Unix socket has {_MOST_PATH_BYTES} at most")
    return UnixAddress(path)


def control_address(value: object) -> UnixAddress | Literal["auto"] | None:
    """Read the address of the control socket: unix:PATH, auto or none."""
    if value in ("auto", "none"):
        return "auto" if value == "auto" else None
    if not isinstance(value, str) or not value.startswith(f"{UNIX}:"):
        raise ValueError(f"{seen(value)} is not a control socket; write unix:PATH, auto or none")
    found = admin_address(value)
    assert isinstance(found, UnixAddress), "it begins so"
    return found


def target_url(value: object, schemes: str = "ws://, wss://, http:// or https://") -> Url:
    """Read ws://HOST or ws://HOST:PORT, or the same with wss, http or https. The port is the scheme's if not given.

    `schemes` names those that are allowed, as the message does.
    """
    found = _URL.fullmatch(value) if isinstance(value, str) else None
    # This comes first, since the other messages show the whole URL.
    if found is not None and "@" in found["authority"]:
        raise ValueError("a user or password is not allowed in the address of a target")
    scheme = "" if found is None else found["scheme"].lower()
    if not isinstance(value, str) or found is None or scheme not in re.findall(r"(\w+)://", schemes):
        raise ValueError(f"{seen(value)} is not an address that begins with {schemes}")
    if found["rest"]:
        raise ValueError(
            f"{seen(value)} has a query or a fragment; these are not allowed, a query comes from the client"
        )
    if found["path"] not in ("", "/"):
        raise ValueError(
            f"{seen(value)} has a path; none is allowed but /, as paths come from the client; a route may rewrite them"
        )
    host, port = _split(found["authority"])
    if not host:
        raise ValueError(f"{seen(value)} has no host")
    number = _DEFAULT_PORTS[scheme] if port is None else _port(port, value, least=1)
    return Url(made_of(value, _host(host, value)), number, shown(value), scheme, port is not None)


def server_name(value: object) -> str:
    """Read the name that a certificate must have: a name, an IP address without brackets or port, or none."""
    wrong = ValueError(f"{seen(value)} is not a name of a server; write a name or an IP address, without port, or none")
    if not isinstance(value, str):
        raise wrong
    with suppress(ValueError):
        return made_of(value, str(ip_address(value)))
    if _NUMERIC.fullmatch(value) or _NAME.fullmatch(value) is None:
        raise wrong
    return made_of(value, value.rstrip("."))


def websocket_url(value: object) -> Url:
    """Read ws://HOST or ws://HOST:PORT, or the same with wss."""
    return target_url(value, "ws:// or wss://")


def domain(value: object) -> str:
    """Read the domain of a page: a name, *.NAME, an IP address, or * for all. A name comes out in lower case."""
    wrong = ValueError(
        f"{seen(value)} is not a domain; write a name, *.NAME, an IP address, or * alone, without scheme, port or path"
    )
    if not isinstance(value, str):
        raise wrong
    if value == "*":
        return value
    name = value.removeprefix("*.")
    if name == value and "%" not in value:
        for kind in (IPv4Address, IPv6Address):
            with suppress(ValueError):
                return str(kind(value))
    if _NUMERIC.fullmatch(name) or _NAME.fullmatch(name) is None:
        raise wrong
    return value.lower()


def port(value: object) -> int:
    """Read a port that can be connected to."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise ValueError(f"{seen(value)} is not a port; write a number from 1 to 65535")
    return value


def _split(authority: str) -> tuple[str, str | None]:
    """Return the host, and the text of the port if there is one."""
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and not authority.endswith("]") else (authority, None)


def _host(host: str, whole: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        return _ip(IPv6Address, host[1:-1], whole)
    if ":" in host:
        raise ValueError(f"{seen(whole)} has too many colons; an IPv6 address stands in brackets, as in [::1]:8080")
    if _NUMERIC.fullmatch(host):
        return _ip(IPv4Address, host, whole)
    if _NAME.fullmatch(host) is None:
        raise ValueError(f"{seen(whole)} has a host that is neither an IP address nor a name: {seen(host)}")
    return host


def _ip(kind: type[IPv4Address] | type[IPv6Address], text: str, whole: str) -> str:
    try:
        found = kind(text)
    except AddressValueError:
        found = None
    # A scope (%eth0) means nothing to a peer, and differs between machines.
    if found is None or "%" in text:
        raise ValueError(f"{seen(whole)} has a host that is not an IP address: {seen(text)}")
    return str(found)


def _port(text: str, whole: str, least: int) -> int:
    if _PORT.fullmatch(text) is None or not least <= int(text) <= 65535:
        raise ValueError(f"{seen(whole)} has port {seen(text)}, which is not a number from {least} to 65535")
    return int(text)
