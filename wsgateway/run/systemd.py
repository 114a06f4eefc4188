"""The interface of systemd: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)."""

import os
import socket
import time

from wsgateway.errors import Problem, Reason, SettingsError
from wsgateway.observe.log import Log

_FIRST_FD = 3
# The variables that are for one process, and not for its children.
OWN = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID")
# The variables that are for the supervisor, and not for workers.
TOLD_BY_THE_SUPERVISOR = ("NOTIFY_SOCKET", "WATCHDOG_USEC")


def notify(state: str) -> None:
    """Send systemd a state, such as READY=1; do nothing if NOTIFY_SOCKET is not set.

    Raise OSError if nothing listens there.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # in the abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
        sock.sendto(state.encode(), address)


def reloading() -> str:
    """Return the state at the beginning of a reload, with the time, which systemd requires."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


class Manager:
    """The notifications to systemd, if it has started this process.

    A gateway serves also if systemd cannot be notified (sd_notify(3)).
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._failed = False
        self._stopped = False

    def leave_to_another(self) -> None:
        """Send nothing more, because another process does that now."""
        self._stopped = True

    def tell(self, *states: str) -> None:
        """Send some states together. Log a failure once, until sending works again."""
        if self._stopped:
            return
        try:
            notify("\n".join(states))
        except OSError as error:
            if not self._failed:
                self._log.warning("systemd not notified", state=states[0], why=str(error))
            self._failed = True
        else:
            self._failed = False


def watchdog_seconds() -> float | None:
    """Return the time within which systemd expects WATCHDOG=1 from this process; None if it does not."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000


def listening_sockets() -> dict[str, list[socket.socket]]:
    """Return the sockets that systemd has opened for this process, by their names.

    Raise SettingsError if one of them is not a listening stream socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    passed: dict[str, list[socket.socket]] = {}
    for at in range(int(os.environ.get("LISTEN_FDS", "0"))):
        name = names[at] if at < len(names) and names[at] else "unknown"
        passed.setdefault(name, []).append(_socket(_FIRST_FD + at, name))
    return passed


def _socket(fd: int, name: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise _wrong(name, f"descriptor {fd} is no socket: {error.strerror}") from None
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise _wrong(name, "it is no stream that listens; ListenStream= makes one, with Accept=no")
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock


def _wrong(name: str, message: str) -> SettingsError:
    return SettingsError([Problem(f"systemd:{name}", 0, 0, message)], Reason.ADDRESS_UNAVAILABLE)
