"""What all sessions of a process share."""

import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import trio

from wsgateway.errors import HandshakeError
from wsgateway.observe.log import Log
from wsgateway.relay.engine import Engine
from wsgateway.serve.counts import Counts, Meters
from wsgateway.serve.tls import server_context
from wsgateway.settings.model import Listener, Settings
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
    """by what they are counted by: a listener and an address, an upstream"""
    handshakes: Meters = field(default_factory=Meters)
    """by route and address"""
    server_contexts: dict[str, ssl.SSLContext] = field(init=False)
    """by listener"""

    def __post_init__(self) -> None:
        self.server_contexts = {
            listener.name: server_context(listener.tls, ["h2", "http/1.1"] if listener.tls.http2 else ["http/1.1"])
            for listener in self.settings.listeners
            if listener.tls is not None
        }

    def enter(self, listener: Listener) -> Callable[[], None]:
        """Counts a connection of a listener, until what it returns is called; streams of HTTP/2 count as such.

        Raises HandshakeError (503) if there are as many as it may have.
        """
        full = HandshakeError("too many connections", 503)
        return self.connections.one_more((listener.name, None), listener.max_connections, full)

    def stop(self) -> None:
        """Ends all sessions, those that open now as soon as they are open, and sends away who has asked for nothing."""
        self.engine.stop()
        for scope in self.waiting:
            scope.cancel()
