"""The writer of a process: nothing waits for the reader of the log, and lost lines are counted and reported."""

import fcntl
import os
import select
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from wsgateway.observe import writer as writer_module
from wsgateway.observe.writer import Writer

PATIENCE_SECONDS = 30.0
# The least that Linux makes of a pipe.
PIPE_BYTES = 4096


@dataclass
class Pipe:
    """A pipe that the test reads."""

    reader: int
    writer: int

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += self.read()
        return data

    def read(self) -> bytes:
        assert select.select([self.reader], [], [], PATIENCE_SECONDS)[0], "nothing is written"
        return os.read(self.reader, 65536)

    def fill(self) -> int:
        """Fill the pipe. Return how many bytes are in it now."""
        os.set_blocking(self.writer, False)
        count = 0
        try:
            while True:
                count += os.write(self.writer, b"x")
        except BlockingIOError:
            os.set_blocking(self.writer, True)
        return count

    def empty(self, count: int) -> None:
        while count:
            count -= len(os.read(self.reader, count))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield Pipe(reader, writer)
    for fd in (reader, writer):
        os.close(fd)


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    for each in ("one\n", "two\nthree\n"):
        assert writer.write(each) == len(each)
    assert pipe.read_until(b"three\n") == b"one\ntwo\nthree\n"


def test_lines_that_come_together_are_written_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "GATHER_SECONDS", PATIENCE_SECONDS)
    with ExitStack() as ends:
        written, read = map(ends.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        writer = Writer(written.fileno())
        for number in range(9):
            writer.write(f"{number}\n")
        assert writer.drain()  # it does not wait until the time is over
        assert read.recv(99) == b"".join(b"%d\n" % number for number in range(9))
        writer.stop()


def test_a_line_that_comes_in_pieces_is_written_as_one(pipe: Pipe) -> None:
    # print() writes the end of a line for itself, and another thread may write in between.
    writer = Writer(pipe.writer)
    writer.write("half")
    assert not select.select([pipe.reader], [], [], 0)[0]
    writer.write(" a line\n")
    assert pipe.read() == b"half a line\n"


def test_half_a_line_is_written_at_the_end(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    writer.write("no line")
    assert writer.drain(PATIENCE_SECONDS)
    assert pipe.read() == b"no line"


def test_characters_that_cannot_be_encoded_are_spelled_out(pipe: Pipe) -> None:
    Writer(pipe.writer).write("Zo\xeb \udc80\n")
    assert pipe.read_until(b"\n") == b"Zo\xc3\xab \\udc80\n"


def test_a_writer_does_not_wait_for_its_reader_and_reports_how_many_lines_were_lost(pipe: Pipe) -> None:
    writer, told = Writer(pipe.writer, queue_bytes=100), []
    flows = threading.Event()

    def flowing(lost: int) -> None:
        told.append(lost)
        flows.set()

    writer.flowing = flowing
    full = pipe.fill()
    for number in range(30):
        writer.write(f"line {number:04}\n")  # 10 bytes
    assert writer.dropped == 20
    assert not told
    pipe.empty(full)
    assert pipe.read_until(b"0009\n") == b"".join(b"line %04d\n" % number for number in range(10))
    assert flows.wait(PATIENCE_SECONDS)
    assert told == [20]
    # And what comes then is written again.
    writer.write("line 0030\n")
    assert pipe.read() == b"line 0030\n"
    assert (writer.dropped, told) == (20, [20])


def test_a_line_that_is_larger_than_the_queue_is_lost_alone(pipe: Pipe) -> None:
    writer = Writer(pipe.writer, queue_bytes=100)
    writer.write("x" * 100 + "\n")
    writer.write("next\n")
    assert pipe.read() == b"next\n"
    assert writer.dropped == 1


def test_the_end_of_a_process_waits_for_a_reader_for_a_limited_time(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    full = pipe.fill()
    writer.write("last\n")
    assert not writer.drain(0.0)
    pipe.empty(full)
    assert writer.drain(PATIENCE_SECONDS)


def test_a_stream_that_another_process_made_non_blocking_loses_nothing(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    full = pipe.fill()
    os.set_blocking(pipe.writer, False)
    writer.write("a\n")
    assert not writer.drain(0.0)
    pipe.empty(full)
    assert pipe.read_until(b"a\n") == b"a\n"
    assert writer.dropped == 0


def test_a_closed_pipe_costs_lines_of_the_log_and_nothing_else(pipe: Pipe) -> None:
    reader, fd = os.pipe()
    os.close(reader)
    writer = Writer(fd)
    for _ in range(3):
        writer.write("lost\n")
    assert writer.drain(PATIENCE_SECONDS)
    assert writer.dropped == 3
    os.close(fd)


def test_a_full_disk_costs_lines_of_the_log_and_nothing_else() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    writer = Writer(fd)
    writer.write("lost\n")
    assert writer.drain(PATIENCE_SECONDS)
    assert writer.dropped == 1
    os.close(fd)


def test_after_a_half_line_the_next_line_begins_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a disk that has room for a part of it, and then for more.
    written, room = [], [b"half", b"", b"more"]

    def write(fd: int, data: memoryview) -> int:
        taken = room.pop(0) if room else bytes(data)
        if not taken:
            raise OSError(28, "No space left on device")
        written.append(bytes(data[: len(taken)]))
        return len(taken)

    monkeypatch.setattr(os, "write", write)
    writer = Writer(-1)
    writer.write("half a line\n")
    assert writer.drain(PATIENCE_SECONDS)
    writer.write("next\n")
    assert writer.drain(PATIENCE_SECONDS)
    assert b"".join(written) == b"half\nnext\n"


def test_a_closed_stream_is_not_taken_for_that_of_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert not Writer(-1).is_journal


# -- of a process ------------------------------------------------------------------------------------------------


def with_writer(code: str) -> str:
    """Return a program with a writer for its standard error."""
    block = textwrap.indent(code, "    ")
    return f"import sys\nfrom wsgateway.observe.writer import Writer\nwith Writer.of_process() as writer:\n{block}"


def ended(code: str, stderr: int) -> int:
    """Return the exit status of a program with a writer."""
    command = [sys.executable, "-c", with_writer(code)]
    return subprocess.run(command, stderr=stderr, timeout=PATIENCE_SECONDS, check=False).returncode


def test_a_traceback_is_written_after_all_lines(pipe: Pipe) -> None:
    assert ended("print('line', file=sys.stderr)\nraise ValueError('a bug')", pipe.writer) == 1
    said = pipe.read_until(b"ValueError: a bug\n")
    assert said.startswith(b"line\nTraceback (most recent call last):\n")


def test_a_process_ends_with_its_own_status_if_nobody_reads_its_traceback(pipe: Pipe) -> None:
    pipe.fill()
    assert ended("raise ValueError('a bug')", pipe.writer) == 1


def test_standard_streams_that_are_closed_at_the_start_are_replaced_and_not_passed_on() -> None:
    # Else the first socket would get what is written to them.
    code = """\
import os, stat, sys
assert [stat.S_ISCHR(os.fstat(fd).st_mode) for fd in range(3)] == [True] * 3
assert os.open(os.devnull, os.O_RDWR) > 2
print("nothing", file=sys.stderr)
assert writer.drain(10)
assert not writer.dropped
os.execv(sys.executable, [sys.executable, "-c", "import os; os.fstat(2)"])
"""
    command = ["sh", "-c", 'exec "$0" -c "$1" 0<&- 1>&- 2>&-', sys.executable, with_writer(code)]
    done = subprocess.run(command, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0


def test_a_writer_that_is_stopped_has_no_thread_until_there_is_another_line() -> None:
    def threads() -> int:
        return sum(each.name == "log" for each in threading.enumerate())

    reader, fd = os.pipe()
    before = threads()
    writer = Writer(fd)
    for line in ("one\n", "two\n"):
        writer.write(line)
        assert threads() == before + 1
        writer.stop()
        assert threads() == before
        assert os.read(reader, 100) == line.encode()
    writer.stop()
    os.close(fd)
    os.close(reader)
