"""What all sessions of a process share."""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import trio

from wsgateway.observe.log import Log
from wsgateway.relay.engine import Engine
from wsgateway.serve.counts import Counts, Meters
from wsgateway.serve.tls import server_context
from wsgateway.settings.model import Settings
from wsgateway.upstream.pool import Pools
from wsgateway.wire.masking import mask_keys


@dataclass(slots=True)
class Gateway:
    """The parts that every session uses; there is one in a process."""

    settings: Settings
    log: Log
    mask_keys: Iterator[bytes] = field(default_factory=lambda: mask_keys(os.urandom))
    engine: Engine = field(default_factory=Engine)
    waiting: set[trio.CancelScope] = field(default_factory=set)
    """of clients that have not made their request yet"""
    connections: Counts = field(default_factory=Counts)
    """by what they are counted by: a listener and an address"""
    handshakes: Meters = field(default_factory=Meters)
    """by route and address"""
    pools: Pools = field(init=False)
    server_contexts: dict[str, ssl.SSLContext] = field(init=False)
    """by listener"""

    def __post_init__(self) -> None:
        self.pools = Pools(self.settings.upstreams.values(), self.log)
        self.server_contexts = {
            listener.name: server_context(listener.tls, ["http/1.1"])
            for listener in self.settings.listeners
            if listener.tls is not None
        }

    def stop(self) -> None:
        """Ends all sessions, those that open now as soon as they are open, and sends away who has asked for nothing."""
        self.engine.stop()
        for scope in self.waiting:
            scope.cancel()
