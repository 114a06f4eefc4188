"""What the system says of the processes of a gateway: proc(5), getrlimit(2)."""

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping

from wsgateway.native import ENGINE
from wsgateway.observe.status import BuildStatus, ProcessFigures
from wsgateway.version import __version__

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# When the system was started. It stays as it is when the clock is set: otherwise all processes would seem to be new.
_BOOTED = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
# Fields of /proc/PID/stat behind the name of the program.
_USER, _SYSTEM, _STARTED, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21


def build() -> BuildStatus:
    """Return which program this is."""
    return {"version": __version__, "python": ".".join(map(str, sys.version_info[:3])), "relay": ENGINE}


def figures(pids: Mapping[str, int | None]) -> list[ProcessFigures]:
    """Return the figures of processes by their names; those that have ended, or may not be seen, are left out."""
    return list(_figures(pids))


def _figures(pids: Mapping[str, int | None]) -> Iterator[ProcessFigures]:
    for name, pid in pids.items():
        if pid is None:
            continue
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            open_fds = os.stat(f"/proc/{pid}/fd").st_size or _listed(pid)  # 0 before Linux 6.2
            max_fds = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
        except OSError:
            continue
        yield {
            "process": name,
            "cpu_seconds": (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
            "resident_bytes": int(fields[_RESIDENT]) * _PAGE_BYTES,
            "virtual_bytes": int(fields[_VIRTUAL]),
            "open_fds": open_fds,
            "max_fds": max_fds,
            "started": round(_BOOTED + int(fields[_STARTED]) / _TICKS, 2),
        }


def _listed(pid: int) -> int:
    """Return how many descriptors are listed, without the one that reads the list."""
    return len(os.listdir(f"/proc/{pid}/fd")) - (pid == os.getpid())
