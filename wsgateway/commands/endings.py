"""The end of a command that lasts until it is stopped."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from wsgateway.commands import GOOD
from wsgateway.run.stop_signals import STOP_SIGNALS


@contextmanager
def good_end() -> Iterator[None]:
    """End the process with success at a stop signal, also before the program watches signals, and after."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: os._exit(GOOD))
    yield
    for number in STOP_SIGNALS:
        # The interpreter restores the default handlers when it ends, and these would kill the process.
        signal.signal(number, signal.SIG_IGN)
