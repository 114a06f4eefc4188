"""What all sessions of a process share."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

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
