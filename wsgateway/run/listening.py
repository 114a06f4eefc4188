"""The listening sockets of a gateway: opened once, shared by its workers, passed on by a hot restart."""

import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import trio

from wsgateway.errors import Problem, Reason, SettingsError
from wsgateway.run.requests import default_address
from wsgateway.serve.bind import address_of, listen
from wsgateway.settings.addresses import admin_address, bind_address
from wsgateway.settings.basics import Address, Bind, SystemdSocket, UnixAddress
from wsgateway.settings.listeners import Listener
from wsgateway.settings.whole import Settings

Sockets = Mapping[Bind, list[socket.socket]]
"""Listening sockets by their address in the configuration: several for a name that has several addresses, and for port
0, which may be bound many times."""

# Only the gateway's user may connect to the control socket. The server checks SO_PEERCRED, too.
CONTROL_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Own:
    """An address for queries and commands, and not for clients."""

    kind: Literal["admin", "control"]
    bind: Address | UnixAddress

    def __str__(self) -> str:
        return f"{self.kind} {self.bind}"


Where = Bind | Own
Groups = Mapping[Where, list[list[socket.socket]]]
"""The sockets of each address, in a list for each time that the configuration names it: a host may have several
addresses, and port 0 is another port each time."""


def shares(settings: Settings, sockets: Sockets) -> Iterator[tuple[Listener, socket.socket]]:
    """Yield each listener with each of its sockets.

    If an address stands several times, as with port 0, each listener gets its part of the sockets.
    """
    times = Counter(address for listener in settings.listeners for address in listener.bind)
    begun: Counter[Bind] = Counter()
    for listener in settings.listeners:
        for address in listener.bind:
            there, at = sockets[address], begun[address]
            begun[address] += 1
            for sock in there[len(there) * at // times[address] : len(there) * (at + 1) // times[address]]:
                yield listener, sock


def addresses_of(settings: Settings, listening: "Listening") -> dict[str, list[str]]:
    """Return where each listener listens: for port 0 with the port that the system has chosen.

    A listener whose sockets are closed, as in a drain, listens nowhere.
    """
    found: dict[str, list[str]] = {listener.name: [] for listener in settings.listeners}
    for listener, sock in shares(settings, listening.shared()):
        if sock.fileno() >= 0:
            found[listener.name].append(str(address_of(sock)))
    return found


def close(sockets: Sockets) -> None:
    """Close all sockets."""
    for each in sockets.values():
        for sock in each:
            sock.close()


def differences(before: Settings, after: Settings) -> dict[str, str]:
    """Return the names of the listeners that are new, and of those that are removed, for the log."""
    names, new = ([listener.name for listener in each.listeners] for each in (before, after))
    told = {
        "listeners_added": ", ".join(name for name in new if name not in names),
        "listeners_removed": ", ".join(name for name in names if name not in new),
    }
    return {key: text for key, text in told.items() if text}


class Listening:
    """The open sockets for a configuration. Two configurations may share sockets.

    Closing a Unix socket removes its file, in the process that owns it.
    """

    def __init__(self, groups: Groups, owns_files: bool = True) -> None:
        self._groups = dict(groups)
        self.owns_files = owns_files
        """whether closing removes the files of Unix sockets; false while another process serves at them"""
        self._removed: set[Where] = set()  # their files are gone, and another process may use the same names

    def fitted(self, settings: Settings) -> "Listening":
        """Return the sockets for a configuration: those that exist, and others opened now. Close none.

        Sockets of systemd stay, needed or not. Raise SettingsError if one cannot be opened; then the new ones are
        closed again.
        """
        opened: list[tuple[Where, socket.socket]] = []
        groups: dict[Where, list[list[socket.socket]]]
        groups = {where: group for where, group in self._groups.items() if isinstance(where, SystemdSocket)}
        try:
            for where in _wanted(settings):
                mine = groups.setdefault(where, [])
                if isinstance(where, SystemdSocket):
                    self._check_passed(where)
                elif len(mine) < len(self._groups.get(where, [])):
                    mine.append(self._groups[where][len(mine)])
                else:
                    mine.append(_listen(where))
                    opened += [(where, sock) for sock in mine[-1]]
            self._add_default_control(settings, groups)
        except SettingsError:
            for where, sock in opened:
                _remove_file(where)
                sock.close()
            raise
        return Listening(groups, self.owns_files)

    async def fitted_beside(self, settings: Settings) -> "Listening":
        """Return what `fitted` does, made by a thread: a name to listen on may hang in the resolver.

        If it is cancelled, it does not wait for the thread, and what that still opens is closed again.
        """
        found: Future[Listening] = Future()

        def fit() -> None:
            listening = self.fitted(settings)
            try:
                found.set_result(listening)
            except InvalidStateError:  # the caller was cancelled
                listening.close_what_is_not_in(self)

        try:
            await trio.to_thread.run_sync(fit, abandon_on_cancel=True)
        except trio.Cancelled:
            if not found.cancel():
                found.result().close_what_is_not_in(self)
            raise
        return found.result()

    def _add_default_control(self, settings: Settings, groups: dict[Where, list[list[socket.socket]]]) -> None:
        """Add the control socket that no configuration names, if there is a directory for it.

        If another gateway has it, this one serves without.
        """
        if settings.control != "auto":
            return
        address = default_address()
        where = Own("control", address)
        if where in self._groups:
            groups[where] = self._groups[where]
        elif os.access(os.path.dirname(address.path), os.W_OK):
            with suppress(SettingsError):
                groups[where] = [_listen(where)]

    def _check_passed(self, where: SystemdSocket) -> None:
        if not self._groups.get(where):
            names = [each.name for each in self._groups if isinstance(each, SystemdSocket)]
            passed = f"it has passed on {', '.join(names)}" if names else "it has passed on none"
            problem = Problem(str(where), 0, 0, f"systemd has no socket of this name for us; {passed}")
            raise SettingsError([problem], Reason.ADDRESS_UNAVAILABLE)

    def close_what_is_not_in(self, other: "Listening") -> None:
        """Close the sockets that another configuration does not share."""
        kept = {sock for _, sock in other.every()}
        self._close((where, sock) for where, sock in self.every() if sock not in kept)

    def close(self) -> None:
        """Close all sockets."""
        self._close(self.every())

    def _close(self, sockets: Iterable[tuple[Where, socket.socket]]) -> None:
        for where, sock in sockets:
            self._remove_file(where)
            sock.close()

    def _remove_file(self, where: Where) -> None:
        """Remove the file of a Unix socket, once, whether it is closed already or not."""
        if self.owns_files and where not in self._removed:
            self._removed.add(where)
            _remove_file(where)

    def every(self) -> list[tuple[Where, socket.socket]]:
        """Return all sockets, with their addresses in the configuration."""
        return [(where, sock) for where, groups in self._groups.items() for group in groups for sock in group]

    def close_listeners(self) -> None:
        """Close the sockets of listeners."""
        self._close((where, sock) for where, sock in self.every() if not isinstance(where, Own))

    def remove_listener_files(self) -> None:
        """Remove the files of the listeners' Unix sockets, which stay open, so that no more clients connect."""
        for where in self._groups:
            if not isinstance(where, Own):
                self._remove_file(where)

    def own(self, kind: Literal["admin", "control"]) -> list[socket.socket]:
        """Return the sockets of the admin pages, or of control."""
        return [sock for where, sock in self.every() if isinstance(where, Own) and where.kind == kind]

    # -- on the way to another process ------------------------------------------------------------------------------

    def description(self, settings: Settings | None = None) -> tuple[list[tuple[str, int]], list[socket.socket]]:
        """Return a description for a message and its sockets: those of the listeners alone, or all of them."""
        wanted = None if settings is None else {each for listener in settings.listeners for each in listener.bind}
        groups = [
            (str(where), group)
            for where, groups in self._groups.items()
            if wanted is None or where in wanted
            for group in groups
        ]
        return [(name, len(group)) for name, group in groups], [sock for _, group in groups for sock in group]

    @classmethod
    def described(cls, told: list[tuple[str, int]], sockets: list[socket.socket]) -> "Listening":
        """Return the sockets that another process has described."""
        groups: dict[Where, list[list[socket.socket]]] = {}
        rest = iter(sockets)
        for name, count in told:
            groups.setdefault(_where(name), []).append([next(rest) for _ in range(count)])
        return cls(groups)

    def known_from(self, older: "Listening") -> "Listening":
        """Return the same sockets, with an older descriptor in the place of a new one for the same socket."""
        known = {os.fstat(sock.fileno()).st_ino: sock for _, sock in older.every()}

        def one(sock: socket.socket) -> socket.socket:
            there = known.get(os.fstat(sock.fileno()).st_ino)
            if there is None:
                return sock
            sock.close()
            return there

        return Listening({where: [list(map(one, group)) for group in groups] for where, groups in self._groups.items()})

    def shared(self) -> Sockets:
        """Return the sockets of listeners, in the form that a service takes."""
        return {where: list(chain(*groups)) for where, groups in self._groups.items() if isinstance(where, Bind)}


def _where(name: str) -> Where:
    """Return the address that a name in a message stands for."""
    kind, _, address = name.partition(" ")
    match kind:
        case "admin" | "control" if address:
            return Own(kind, admin_address(address))
    return bind_address(name)


def _wanted(settings: Settings) -> list[Where]:
    wanted: list[Where] = [each for listener in settings.listeners for each in listener.bind]
    if settings.admin.bind is not None:
        wanted.append(Own("admin", settings.admin.bind))
    if isinstance(settings.control, UnixAddress):
        wanted.append(Own("control", settings.control))
    return wanted


def _listen(where: Address | UnixAddress | Own) -> list[socket.socket]:
    if not isinstance(where, Own):
        return listen(where)
    return listen(where.bind, CONTROL_MODE) if where.kind == "control" else listen(where.bind)


def _remove_file(where: Where) -> None:
    """Remove the file of a Unix socket. Do nothing for any other address, or if there is no file."""
    address = where.bind if isinstance(where, Own) else where
    if isinstance(address, UnixAddress):
        with suppress(OSError):
            os.unlink(address.path)
