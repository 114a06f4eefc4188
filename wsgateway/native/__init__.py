"""The part of the relay that is in C, if it was built; otherwise its counterpart in Python.

C makes the usual step of a session: it reads a socket, and passes whole messages on. It is chosen where it is there;
the environment variable `WSGATEWAY_ENGINE` chooses otherwise, by the value `python` or `c`. Both do the same. What is
built, and when it is not, says `build.py`.
"""

import os
import select
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

_VARIABLE = "WSGATEWAY_ENGINE"
# The most sockets of which epoll tells at once. Each is read once then, so no socket waits long.
MOST_READY = 64


# A module of another number was built from other sources, as in a checkout that was updated and not installed again.
_INTERFACE = 3


def _load() -> ModuleType | None:
    """Return the module in C; None if it is not there or not wanted. Raise ImportError if it is wanted alone."""
    wanted = os.environ.get(_VARIABLE, "")
    if wanted not in ("", "c", "python"):
        raise ImportError(f"{_VARIABLE} is {wanted!r}; allowed are c and python")
    if wanted == "python":
        return None
    try:
        module = import_module("wsgateway.native._step")
        built = getattr(module, "INTERFACE", 1)
        if built != _INTERFACE:
            raise ImportError(
                f"it was built for interface {built}, and {_INTERFACE} is needed: install wsgateway again"
            )
        return module
    except ImportError as error:
        if wanted == "c":
            raise ImportError(f"{_VARIABLE} is c, but the module in C cannot be loaded: {error}") from error
        return None


# What `Turn.take` says of an endpoint, with its value; `lane.h` has the same numbers.
READY, BYTES, FAILED, BROKEN, SHORT, OTHER = range(6)


class _Lane:
    """The counterpart of `Lane` in C: one direction of a session. It is never equipped."""

    __slots__ = ("left", "open", "passed", "read_bytes", "received")

    equipped = False

    def __init__(self) -> None:
        self.received = self.passed = self.left = self.read_bytes = 0
        self.open = False


class _Turn:
    """The counterpart of `Turn` in C, which serves no socket itself."""

    def __init__(self, epoll: select.epoll, lanes: dict[int, _Lane], *sizes: object) -> None:
        self._epoll = epoll
        self._lanes = lanes
        self.full = False

    def take(self) -> list[tuple[int, _Lane | None, object]]:
        found = [(self._lanes.get(fd), fd, events) for fd, events in self._epoll.poll(0, MOST_READY)]
        self.full = len(found) == MOST_READY
        return [(OTHER, None, fd) if lane is None else (READY, lane, events) for lane, fd, events in found]


step = _load()
"""the module in C; None: the engine in Python does all"""
ENGINE = "Python" if step is None else "C"
"""the language of the engine, for people"""

if TYPE_CHECKING:
    from wsgateway.native._step import Lane as Lane
    from wsgateway.native._step import Turn as Turn
elif step is None:
    Lane, Turn = _Lane, _Turn
else:
    Lane, Turn = step.Lane, step.Turn
