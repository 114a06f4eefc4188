"""The signals that end a command which runs until it is ended."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import trio


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt in this task at SIGTERM, too, and nowhere inside Trio, as Trio does it at Ctrl-C.

    What the command has begun is finished then: files of a recording, the screen of a terminal.
    """
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        before = signal.signal(signal.SIGTERM, lambda *_: token.run_sync_soon(scope.cancel))
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
    if scope.cancelled_caught:
        raise KeyboardInterrupt
