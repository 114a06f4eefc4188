"""The sockets that listen, by the address as it is configured: what a start opens, and a reload opens and closes."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wsgateway.errors import SettingsError
from wsgateway.serve.listeners import listen
from wsgateway.settings.basics import Bind
from wsgateway.settings.model import Listener, Settings

Sockets = Mapping[Bind, list[socket.socket]]
"""Listening sockets: several for a name that has several addresses, and for port 0, which may be bound many times."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What settings need beyond the sockets that are there."""

    opened: dict[Bind, list[socket.socket]]
    """the new ones, which are the caller's"""
    unneeded: list[Bind]
    """of the sockets that are there"""


def bind(settings: Settings, held: Sockets | None = None) -> Binding:
    """Listens on the addresses that are not held. Raises SettingsError if one cannot be listened on; then no new one
    is."""
    held = held or {}
    wanted = Counter(address for listener in settings.listeners for address in listener.bind)
    opened: dict[Bind, list[socket.socket]] = {}
    try:
        for address, times in wanted.items():
            if address not in held:
                for _ in range(times):
                    opened.setdefault(address, []).extend(listen(address))
    except SettingsError:
        close(opened)
        raise
    return Binding(opened, [address for address in held if address not in wanted])


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
