"""A gateway in a process of its own, and what it uses."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import GatewayProcess

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def gateway(folder: Path, configuration: str) -> Iterator[tuple[int, GatewayProcess]]:
    """A gateway with one listener on TCP, and its port. It must end well, and without a fault of ours."""
    with GatewayProcess(folder / "gateway.yaml", configuration) as process:
        _, port = process.address()
        yield port, process
        code = process.stop()
        assert code == 0, f"exit code {code}: {process.output[-5:]}"
        assert not [line for line in process.output if "Traceback" in line]


def resident_bytes(pid: int) -> int:
    """All memory of a process that is not swapped out, with what Python keeps for later."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def cpu_seconds(pid: int) -> float:
    """How long a process has been computing, in itself and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def kernel_tcp_bytes() -> int:
    """What the kernel holds for TCP, of all processes in this network."""
    [line] = [line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:")]
    return int(line.split()[-1]) * resource.getpagesize()


def many_descriptors() -> None:
    """Allows as many as the system does: each connection takes one here, and two in the gateway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
