"""The sockets that listen, by the address as it is configured."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping

from wsgateway.settings.basics import Bind
from wsgateway.settings.model import Listener, Settings

Sockets = Mapping[Bind, list[socket.socket]]
"""Listening sockets: several for a name that has several addresses, and for port 0, which may be bound many times."""


def shares(settings: Settings, sockets: Sockets) -> Iterator[tuple[Listener, socket.socket]]:
    """Which listener has which sockets. Where an address with port 0 stands several times, each gets as many."""
    times = Counter(address for listener in settings.listeners for address in listener.bind)
    begun: Counter[Bind] = Counter()
    for listener in settings.listeners:
        for address in listener.bind:
            there, at = sockets[address], begun[address]
            begun[address] += 1
            for sock in there[len(there) * at // times[address] : len(there) * (at + 1) // times[address]]:
                yield listener, sock


def close(sockets: Sockets) -> None:
    """Closes all of them."""
    for each in sockets.values():
        for sock in each:
            sock.close()
