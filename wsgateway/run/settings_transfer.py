"""The transfer of settings from the supervisor to its workers.

The supervisor has read the file, which takes seconds with thousands of routes, and sends the result pickled. Routes are
in portions, so that a worker can do other work between them. A worker reads them only if it runs the same code: it may
have been started after an upgrade.
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

import trio

from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.settings.routes import Route
from wsgateway.settings.whole import Settings

# Reading this many takes about a millisecond.
ROUTES_AT_ONCE = 10


def version_of(package: Path) -> str:
    """Return a hash of all files of a package: if it differs, so may the shape of settings."""
    whole = hashlib.sha256(sys.version.encode())
    for file in sorted(package.rglob("*.py")):
        whole.update(file.read_bytes())
    return whole.hexdigest()


# Of the files at the start of the process, whose code it runs also if the files are replaced.
VERSION = version_of(Path(__file__).parent.parent)


def _dialect(name: str) -> Dialect:
    return DIALECTS[name]


def packed(settings: Settings) -> bytes:
    """Return settings as bytes. An object that occurs twice in them is written once."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = copyreg.dispatch_table | {Dialect: lambda dialect: (_dialect, (dialect.name,))}
    pickler.dump(replace(settings, routes=()))
    for at in range(0, len(settings.routes), ROUTES_AT_ONCE):
        pickler.dump(settings.routes[at : at + ROUTES_AT_ONCE])
    pickler.dump(())
    return file.getvalue()


async def unpacked(data: bytes) -> Settings:
    """Return the settings in bytes that the supervisor has packed with the same code. Other tasks run meanwhile."""
    # A process that can write to a worker's connection controls that worker anyway, so pickle adds no risk.
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
    """Switch the garbage collector off for a block that makes many objects, none of which is garbage.

    It would check all of them several times, and each time all sessions would wait: a fifth of a second with 5,000
    routes. After the block they count as old objects, which are checked rarely, and so do those that `garbage` froze
    before. They stay unfrozen: a replaced configuration that referred to itself would otherwise never be freed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # moves the objects of all generations out,
        gc.unfreeze()  # and into the oldest one
        gc.enable()
