"""What all sessions of a process share."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import trio

from wsgateway.observe.log import Log
from wsgateway.relay.engine import Engine
from wsgateway.settings.model import Settings
from wsgateway.wire.masking import mask_keys


@dataclass(slots=True)
class Gateway:
    """The parts that every session uses; there is one in a process."""

    settings: Settings
    log: Log
    engine: Engine = field(default_factory=Engine)
    mask_keys: Iterator[bytes] = field(default_factory=lambda: mask_keys(os.urandom))
    waiting: set[trio.CancelScope] = field(default_factory=set)
    """of clients that have not made their request yet"""

    def stop(self) -> None:
        """Ends all sessions, those that open now as soon as they are open, and sends away who has asked for nothing."""
        self.engine.stop()
        for scope in self.waiting:
            scope.cancel()
