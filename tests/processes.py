"""The gateway as a process of its own, for what only a process has: signals, exit codes, a limit of descriptors."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.programs import PATIENCE_SECONDS, STOP_SECONDS, Program
from tests.heads import switching
from tests.openings import Opening


def gateway_command(*arguments: str | Path) -> tuple[str | Path, ...]:
    """Return the command line of a gateway; warnings are errors there, too."""
    return (sys.executable, "-W", "error", "-m", "wsgateway", *arguments)


# What systemd does between fork and exec: descriptors from 3 on, and the process id that it has only then.
_PASS_ON = """\
import fcntl, os, sys
passed = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 100) for fd in sys.argv[1].split(",")]
for at, fd in enumerate(passed):
    os.dup2(fd, 3 + at, inheritable=True)
os.environ["LISTEN_PID"] = os.environ.get("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class GatewayProcess(Program):
    """`wsgateway run` with this configuration, and with sockets that it gets by their names, as from systemd."""

    def __init__(
        self,
        file: Path,
        configuration: str,
        environment: Mapping[str, str] | None = None,
        passed: Sequence[tuple[str, socket.socket]] = (),
    ) -> None:
        file.write_text(configuration)
        command, fds = gateway_command("run", file), [sock.fileno() for _, sock in passed]
        if passed:
            command = (sys.executable, "-c", _PASS_ON, ",".join(map(str, fds)), *command)
            names = ":".join(name for name, _ in passed)
            environment = {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names, **(environment or {})}
        super().__init__(*command, environment=environment, descriptors=fds)

    def address(self) -> tuple[str, int]:
        """Return where it listens, as soon as it does."""
        return "127.0.0.1", int(self.find_line(r"event=listening .*127\.0\.0\.1:(\d+)$")[1])

    @property
    def worker_pid(self) -> int:
        """The process that serves, if there is one worker; `pid` is that of the supervisor."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/children")
        [pid] = [int(pid) for children in threads for pid in children.read_text().split()]
        return pid

    def wait(self) -> int:
        """Return its exit code, when it has ended. Workers of one that was killed end with it."""
        code = self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join(STOP_SECONDS)
        assert self._process.stdout is not None, "it was opened as a pipe"
        self._process.stdout.close()
        return code


@contextmanager
def session(
    address: tuple[str, int], upstream: socket.socket, opening: Opening
) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a session through a gateway, by its client and its upstream."""
    upstream.settimeout(PATIENCE_SECONDS)
    with socket.create_connection(address, PATIENCE_SECONDS) as client:
        client.sendall(opening.request)
        behind, _ = upstream.accept()
        with behind:
            behind.settimeout(PATIENCE_SECONDS)
            behind.sendall(switching(behind.recv(65536)))
            assert client.recv(65536) == opening.reply
            yield client, behind
