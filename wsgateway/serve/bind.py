"""Open listening sockets. The supervisor does it, and serves nobody: so it loads nothing else of this part."""

import errno
import os
import socket
import stat

from wsgateway.errors import Problem, Reason, SettingsError
from wsgateway.settings.basics import Address, UnixAddress

# Clients that wait to be accepted: after an outage all come at once. The kernel's somaxconn limits it too.
BACKLOG = 4096
# The user of the gateway and its group may connect to a Unix socket; a proxy can be a member of the group.
UNIX_MODE = 0o660


def listen(address: Address | UnixAddress, unix_mode: int = UNIX_MODE) -> list[socket.socket]:
    """Return non-blocking sockets that listen on every address of the host, or on a Unix socket with this file mode.

    Raise SettingsError, which names the address.
    """
    socks: list[socket.socket] = []
    try:
        if isinstance(address, UnixAddress):
            socks.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            _bind_unix(socks[0], address.path, unix_mode)
            socks[0].listen(BACKLOG)
            socks[0].setblocking(False)
            return socks
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, name in infos:
            sock = socket.socket(family, kind, protocol)
            socks.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(name)
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError as error:
        for sock in socks:
            sock.close()
        problem = Problem(str(address), 0, 0, f"cannot listen: {error.strerror or error}")
        raise SettingsError([problem], Reason.ADDRESS_UNAVAILABLE) from None
    return socks


def _bind_unix(sock: socket.socket, path: str, mode: int) -> None:
    """Create the file of a Unix socket. Replace only a socket on which no process listens any more."""
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of this name that is no socket") from None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)
            if caller.connect_ex(path) != errno.ECONNREFUSED:
                raise
        os.unlink(path)
        sock.bind(path)
    os.chmod(path, mode)  # independent of the umask; nobody can connect before the socket listens


def address_of(sock: socket.socket) -> Address | UnixAddress:
    """Return the address at which a socket listens."""
    name = sock.getsockname()
    return UnixAddress(name) if sock.family == socket.AF_UNIX else Address(*name[:2])
