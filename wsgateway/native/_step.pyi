"""The module in C: `module.c` and its neighbours."""

from collections.abc import Iterator
from select import epoll
from typing import Any

INTERFACE: int
"""raised with every change of what Python and C expect of each other"""

def apply_mask(data: bytes | bytearray, key: bytes) -> bytes: ...

class Lane:
    """One direction of a session: its counts, and whether C may read it."""

    received: int
    """how many bytes have come from its side"""
    passed: int
    """how many messages C has passed on completely"""
    left: int
    """how many bytes of the current frame are still to come, where frames pass unchanged"""
    read_bytes: int
    """the size of the next read"""
    open: bool
    """whether C may read it: nothing about it is unusual, and nothing waits for the other side"""
    @property
    def equipped(self) -> bool:
        """Whether C has what it needs to read it."""

    def equip(self, fd: int, to: int, plan: tuple[object, ...]) -> None:
        """Give C the sockets of both sides, and a `dialects.base.Plan`."""

    def pass_on(self, data: bytes, keys: Iterator[bytes]) -> tuple[int, bytes]:
        """Return how many bytes of the side C takes, and the bytes for the other side, as in a turn."""

class Turn:
    """The turns of one engine: who is ready is served, if its lane is open."""

    full: bool
    """whether the last `take` has found as many ready sockets as it takes, so that there may be more"""

    def __init__(
        self, epoll: epoll, lanes: dict[int, Any], keys: Iterator[bytes], read_bytes: int, small_bytes: int
    ) -> None:
        """Prepare turns: `lanes` has the lanes by their sockets; larger data than `small_bytes` are sent at once."""

    def take(self) -> list[tuple[int, Any, Any]]:
        """Serve what is ready, without waiting. Return what is not usual, as (what, lane, value).

        READY     epoll reports these events, and nothing was read
        BYTES     these bytes were read, and are not passed on: what was before them is
        FAILED    a read raised this OSError
        BROKEN    a mask key raised this exception, and what was read is lost
        SHORT     these bytes could not be sent to the lane's own side; such events come first
        OTHER     epoll reports this descriptor, which has no lane
        """
