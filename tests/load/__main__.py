"""`python -m tests.load`: what crowds, idlers and floods cost a gateway, in figures. See --help."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio

from .crowd import crowd
from .flood import flood
from .process import many_descriptors
from .reader import reader
from .slow import slow
from .tls import tls

KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "crowd": (
        "5000 clients at once where there is room for 1000",
        lambda folder: trio.run(crowd, folder, 5000, 1000),
    ),
    "slow": (
        "2000 clients that send their head a byte now and then, and 1000 of hixie-76 without a challenge",
        lambda folder: trio.run(slow, folder, 2000, 1000, ""),
    ),
    "flood": (
        "500 clients that never read, behind each an upstream that never stops",
        lambda folder: "\n".join(f"{each}: {trio.run(flood, folder, 500, each)}" for each in ("rfc6455", "hixie-76")),
    ),
    "reader": (
        "a client behind HAProxy that reads 5 kB/s for a minute, before an upstream that never stops",
        lambda folder: trio.run(reader, folder, 5000, 60.0),
    ),
    "tls": (
        "TLS 1.3, the gateway and nginx one after the other: CPU for an echo and for a connection",
        lambda folder: tls(folder, rounds=5),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description="Figures of a gateway under load. It needs 15000 descriptors (ulimit -Hn), HAProxy and nginx.",
        epilog="\n".join(f"{name:8}{what}" for name, (what, _) in KINDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; all if none is given")
    wanted = parser.parse_args().kinds or list(KINDS)
    if unknown := [each for each in wanted if each not in KINDS]:
        parser.error(f"{unknown[0]!r} is none of {', '.join(KINDS)}")
    many_descriptors()
    for name in wanted:
        what, run = KINDS[name]
        print(f"{name}: {what}")
        with tempfile.TemporaryDirectory() as folder:
            print(run(Path(folder)), end="\n\n")
        sys.stdout.flush()


main()
