"""A gateway in a process of its own, and what it uses."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import GatewayProcess


@contextmanager
def gateway(folder: Path, configuration: str) -> Iterator[tuple[int, GatewayProcess]]:
    """Yield a gateway with one listener on TCP, and its port. It must end well, and without a fault of ours."""
    with GatewayProcess(folder / "gateway.yaml", configuration) as process:
        _, port = process.address()
        yield port, process
        code = process.stop()
        assert code == 0, f"exit code {code}: {process.output[-5:]}"
        assert not [line for line in process.output if "Traceback" in line]


def tree(pid: int) -> list[int]:
    """Return a process and all that it and its children have started."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def resident_bytes(*pids: int) -> int:
    """Return all memory of processes that is not swapped out, with what Python keeps for later."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * resource.getpagesize()


def cpu_seconds(*pids: int) -> float:
    """Return how long processes have been computing, in themselves and in the kernel (clock_getcpuclockid(3))."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def kernel_tcp_bytes() -> int:
    """Return what the kernel holds for TCP, of all processes in this network."""
    [line] = [line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:")]
    return int(line.split()[-1]) * resource.getpagesize()


def many_descriptors() -> None:
    """Allow as many as the system does: each connection takes one here, and two in the gateway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
