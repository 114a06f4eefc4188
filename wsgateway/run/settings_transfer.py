"""Finished settings on their way from the supervisor, which has read a file once, to its workers.

They are pickled, so that a worker need not read the file again; with thousands of routes that takes seconds. Routes go
in portions, between which a worker does its work. What one process has written another reads only if both run the same
code: a worker may have been started after an upgrade.
"""

import copyreg
import gc
import hashlib
import io
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.settings.regexes import compiled, re2
from wsgateway.settings.routes import Route
from wsgateway.settings.whole import Settings

# Reading them takes about a millisecond.
ROUTES_AT_ONCE = 10


def version_of(package: Path) -> str:
    """Return what differs if the code of a package does, and with it the shape of settings: a hash of all its files."""
    whole = hashlib.sha256(sys.version.encode())
    for file in sorted(package.rglob("*.py")):
        whole.update(file.read_bytes())
    return whole.hexdigest()


# As the files are when the process starts. It runs this code also when others have taken their place.
VERSION = version_of(Path(__file__).parent.parent)


def _dialect(name: str) -> Dialect:
    return DIALECTS[name]


_TABLE: dict[Any, Any] = copyreg.dispatch_table | {Dialect: lambda dialect: (_dialect, (dialect.name,))}
if re2 is not None:
    _TABLE[type(re2.compile("a"))] = lambda regex: (compiled, (regex.pattern,))


def packed(settings: Settings) -> bytes:
    """Return settings as bytes. A thing that stands in them twice is written once."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _TABLE
    pickler.dump(replace(settings, routes=()))
    for at in range(0, len(settings.routes), ROUTES_AT_ONCE):
        pickler.dump(settings.routes[at : at + ROUTES_AT_ONCE])
    pickler.dump(())
    return file.getvalue()


async def unpacked(data: bytes) -> Settings:
    """Return settings of bytes that our own supervisor has packed, with the same code. Others may work meanwhile."""
    # Who can write on the line to a worker can do with it what it likes anyway.
    unpickler = pickle.Unpickler(io.BytesIO(data))
    with _no_collection():
        settings: Settings = unpickler.load()
        routes: list[Route] = []
        while portion := unpickler.load():
            routes += portion
            await trio.lowlevel.checkpoint()
        return replace(settings, routes=tuple(routes))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector away from a block that makes many objects, none of which is garbage.

    It would look through all of them several times, and each time all sessions would wait: a fifth of a second with
    5,000 routes. Behind the block they count as old ones, which it looks at as rarely as ever.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # of all generations,
        gc.unfreeze()  # into the oldest
        gc.enable()
