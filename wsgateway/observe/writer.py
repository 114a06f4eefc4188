"""The standard error stream of a process, written by a thread of its own.

A reader that stops must not stop the process: a pager, a stuck log driver, a terminal after Ctrl-S. So `write` never
waits. Lines wait in a queue of bounded size. Lines that do not fit are dropped and counted, and so are lines that
cannot be written, on a full disk or to a pipe without a reader.
"""

import atexit
import io
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

STANDARD_ERROR = 2
# Some thousand lines: the log of some seconds, by which a reader may be late.
QUEUE_BYTES = 1024 * 1024
# For the last lines of a process that ends: less than the second that a supervisor gives its workers to end.
LAST_LINES_SECONDS = 0.5
# Lines that come within this time are written together: waking the thread for each of them would cost the loop of the
# relay more than making it.
GATHER_SECONDS = 0.02
# A pipe accepts this much in one piece (PIPE_BUF), so lines of several processes do not mix.
_AT_ONCE_BYTES = select.PIPE_BUF


class Writer(io.TextIOBase):
    """A text stream whose `write` never waits. Any thread may write."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, fd: int, queue_bytes: int = QUEUE_BYTES) -> None:
        """Write to a descriptor, which stays the caller's; `queue_bytes` may be changed at any time."""
        self.queue_bytes = queue_bytes
        self.dropped = 0
        """the number of lost lines"""
        self.flowing: Callable[[int], object] = lambda lost: None
        """called with the number of lost lines, in the writer's thread, when lines can be written again"""
        self._fd = fd
        # A signal handler may write while its own thread holds the lock.
        self._news = threading.Condition(threading.RLock())
        self._queue: deque[bytes] = deque()
        self._waiting_bytes = 0  # of the queue, and of what is being written
        self._unfinished = ""  # the beginning of a line
        self._told = 0  # of the dropped lines
        self._broken = False  # whether the last thing that was written is half a line
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._idle = False  # whether the thread waits for a first line
        self._hurries = 0  # callers that wait until all lines are written

    @classmethod
    @contextmanager
    def of_process(cls) -> Iterator["Writer"]:
        """Use a writer for standard error, also for Python's warnings and tracebacks.

        At the end the remaining lines have half a second to be read. A bug that leaves the block ends the process, and
        its traceback still goes through the writer.
        """
        _open_standard_streams()
        writer, before = cls(STANDARD_ERROR), sys.stderr
        sys.stderr = cast(TextIO, writer)
        atexit.register(writer.drain)
        bug = False
        try:
            yield writer
        except Exception:
            bug = True
            raise
        finally:
            if not bug:
                writer.drain()
                sys.stderr = before
                atexit.unregister(writer.drain)

    @property
    def is_journal(self) -> bool:
        """Whether systemd's journal reads the stream; `<4>` before a line is then its priority (sd-daemon(3))."""
        try:
            stream = os.fstat(self._fd)
        except OSError:
            return False
        return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be written."""
        return self._waiting_bytes

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Put text into the queue, line by line; the beginning of a line waits for its end. Never waits."""
        with self._news:
            *lines, self._unfinished = (self._unfinished + text).split("\n")
            for line in lines:
                self._put(line + "\n")
            if len(self._unfinished) > _AT_ONCE_BYTES:
                self._put_unfinished()
        return len(text)

    def flush(self) -> None:
        """Do nothing: what is written is on its way."""

    def drain(self, seconds: float = LAST_LINES_SECONDS) -> bool:
        """Wait until all lines are written, at most this many seconds. Return whether they are."""
        with self._news:
            self._put_unfinished()
            self._hurries += 1
            self._news.notify_all()
            try:
                return self._news.wait_for(lambda: not self._waiting_bytes, seconds)
            finally:
                self._hurries -= 1

    def stop(self) -> None:
        """Wait as `drain` does, and end the thread, if it does not wait for a reader. More lines start another one."""
        self.drain()
        with self._news:
            thread = self._thread
            self._stopping = thread is not None
            self._news.notify_all()
        if thread is not None:
            thread.join(LAST_LINES_SECONDS)

    def _put_unfinished(self) -> None:
        text, self._unfinished = self._unfinished, ""
        if text:
            self._put(text)

    def _put(self, text: str) -> None:
        data = text.encode(self.encoding, self.errors)
        if self._waiting_bytes + len(data) > self.queue_bytes:
            self.dropped += 1
            return
        self._queue.append(data)
        self._waiting_bytes += len(data)
        if self._idle or self._hurries or self._half_full:
            self._news.notify_all()
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system allows no more threads; the next line tries again
                return
            self._thread = thread

    def _run(self) -> None:
        while True:
            with self._news:
                self._idle = True
                self._news.wait_for(lambda: self._queue or self._stopping)
                self._idle = False
                self._news.wait_for(lambda: self._hurries or self._stopping or self._half_full, GATHER_SECONDS)
                if not self._queue:
                    self._thread, self._stopping = None, False
                    return
                lines = self._take()
            written = self._written(b"".join(lines))
            with self._news:
                self._waiting_bytes -= sum(map(len, lines))
                self._news.notify_all()
                if not written:
                    self.dropped += len(lines)
                    continue
                lost = self.dropped - self._told
                if not lost or self._half_full:
                    continue
                self._told = self.dropped
            self.flowing(lost)

    @property
    def _half_full(self) -> bool:
        return self._waiting_bytes > self.queue_bytes // 2

    def _take(self) -> list[bytes]:
        lines = [self._queue.popleft()]
        size = len(lines[0])
        while self._queue and (size := size + len(self._queue[0])) <= _AT_ONCE_BYTES:
            lines.append(self._queue.popleft())
        return lines

    def _written(self, data: bytes) -> bool:
        """Write all bytes, however long that takes. Return False if they cannot be written."""
        if self._broken:
            data = b"\n" + data
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:  # another process has made the shared stream non-blocking
                room = select.poll()
                room.register(self._fd, select.POLLOUT)
                room.poll()
            except OSError:
                self._broken = self._broken or len(left) < len(data)
                return False
        self._broken = False
        return True


def _open_standard_streams() -> None:
    """Open standard streams that are closed, to no file: otherwise the next file or socket would get their number."""
    for fd in range(STANDARD_ERROR + 1):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number: this one
