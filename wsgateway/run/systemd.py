"""The notify protocol of systemd (sd_notify(3)): a datagram of KEY=value lines to the socket that it names."""

import os
import socket


def notify(state: str) -> None:
    """Tells systemd a state, such as READY=1. Does nothing where no NOTIFY_SOCKET is set. Raises OSError if nobody is
    there to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # in the abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), address)
