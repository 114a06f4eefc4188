"""The clients and the upstream of the bench: two programs in C, which cost less than any gateway."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.programs import Program, tool
from tests.load.process import cpu_seconds
from tests.openings import BY_DIALECT

from .subjects import Subject

# Thousands of sessions take their time on a busy machine.
OPEN_SECONDS = 320.0
# In a time that is too short nothing may have been done; a ratio to nothing is no figure.
LEAST_CPU_US = 0.01


@dataclass(frozen=True)
class Crowd:
    """Clients, and what they do."""

    sessions: int = 100
    ahead: int = 1
    """how many messages of a session are on their way at the same time"""
    size: int = 64
    """of a message, in bytes"""
    fragments: int = 1
    """into which a message is cut"""
    pause_ms: int = 0
    """between an answer and the next message of a session"""
    at_once: int = 100
    """how many connections open at the same time"""


@dataclass(frozen=True)
class Figures:
    """What a measurement found."""

    count: int
    """messages that came back, or sessions that were opened"""
    wrong: int = 0
    """sessions that were refused or lost"""
    p50_us: int = 0
    """how long a message took there and back"""
    p99_us: int = 0
    most_us: int = 0
    cpu_us: float = field(default=0.0, kw_only=True)
    """CPU time of all processes of the subject for one of `count`"""


def compiled(folder: Path) -> None:
    """Compile both programs into a folder."""
    for name in ("load", "echo"):
        source = Path(__file__).parent / f"{name}.c"
        subprocess.run([tool("cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-o", folder / name, source], check=True)


@contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """Yield the port of the upstream."""
    with Program(folder / "echo") as program:
        yield int(program.find_line(r"^(\d+)$")[1])


class Clients:
    """Clients of a subject, which a program in C plays."""

    def __init__(self, program: Program, subject: Subject) -> None:
        self.program = program
        self._subject = subject

    def open(self) -> Figures:
        """Open all sessions."""
        return self._measured("open")

    def echo(self, seconds: float) -> Figures:
        """Send messages, and wait for their answers, for so long."""
        return self._measured(f"echo {seconds}")

    def connect(self, count: int) -> Figures:
        """Open so many sessions, and close each at once."""
        return self._measured(f"connect {count}")

    def cut(self) -> None:
        """Reset all sessions."""
        self._measured("cut")

    def _measured(self, command: str) -> Figures:
        pids = self._subject.pids
        before = cpu_seconds(*pids)
        self.program.tell(command)
        numbers = self.answer(command.split()[0])
        used = cpu_seconds(*pids) - before
        return Figures(*numbers, cpu_us=max(LEAST_CPU_US, used / max(1, numbers[0]) * 1e6))

    def answer(self, command: str) -> list[int]:
        """Wait for the answer to a command, and return its numbers."""
        found = self.program.find_line(rf"^{command} ([\d ]+)$", OPEN_SECONDS)
        return list(map(int, found[1].split()))


@contextmanager
def clients(programs: Path, subject: Subject, dialect: str, crowd: Crowd) -> Iterator[Clients]:
    """Yield clients that have no connection yet. `programs` is the folder of the programs."""
    with TemporaryDirectory() as folder:
        for name, data in _bytes(dialect, crowd).items():
            (Path(folder) / name).write_bytes(data)
        words = (subject.port, crowd.sessions, crowd.at_once, crowd.ahead, crowd.pause_ms)
        with Program(programs / "load", *map(str, words), folder, listens=True) as program:
            yield Clients(program, subject)


def _bytes(dialect: str, crowd: Crowd) -> dict[str, bytes]:
    """Return what the program in C needs: what is sent, and what must come back."""
    opening = BY_DIALECT[dialect]
    _, _, proof = opening.reply.partition(b"\r\n\r\n")
    accept = re.search(rb"Sec-WebSocket-Accept: (\S+)", opening.reply)
    message, answer = _message(dialect, crowd)
    return {
        "request": opening.request,
        "in_head": b"101" if accept is None else accept[1],
        "behind_head": proof,
        "message": message,
        "answer": answer,
    }


def _message(dialect: str, crowd: Crowd) -> tuple[bytes, bytes]:
    """Return a message as a client sends it, and as it comes back."""
    letters = bytes(ord("a") + at % 26 for at in range(26)) * (crowd.size // 26 + 1)
    if dialect.startswith("hixie"):
        framed = b"\x00" + letters[: crowd.size] + b"\xff"
        return framed, framed
    opening, size = BY_DIALECT[dialect], crowd.size // crowd.fragments
    frames = [_frame(letters[:size], first=at == 0, last=at == crowd.fragments - 1) for at in range(crowd.fragments)]
    return b"".join(map(opening.written, frames)), b"".join(frames)


def _frame(payload: bytes, first: bool, last: bool) -> bytes:
    """Return a frame of RFC 6455, 5.2, without a mask."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
    return bytes([0x80 * last | first]) + length + payload
