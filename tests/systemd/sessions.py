"""Clients that know how their session ends, and the server behind the gateway, which sends back what it gets."""

import os
import queue
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from wsgateway.dialects import (
    DIALECTS,
    Answer,
    Close,
    Event,
    Fragment,
    HttpRefusal,
    Kind,
    Offer,
    Ping,
    Pong,
    ProtocolError,
    RequestHead,
    ResponseHead,
    Role,
    mask_keys,
    recognise,
)

# One of each kind: delimited, masked by an early draft, and of today.
SPOKEN = ("hixie-76", "hybi-08", "rfc6455")
# For whatever has to happen. A machine that is emulated may stand still for long.
PATIENCE_SECONDS = 120.0
READ_BYTES = 65536


@dataclass(eq=False)
class Session:
    """A session of one client. What comes is read by a thread of its own, so that a goodbye is seen when it comes."""

    dialect: str
    sock: socket.socket
    early: bytes
    secret: bytes
    ending: str | None = None
    """how it ended: a Close as the dialect has it, or `cut`; None as long as it lives"""
    _heard: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)
    _ended: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        framing = DIALECTS[self.dialect].framing
        self._encoder = framing.encoder(Role.CLIENT, mask_keys(os.urandom), self.secret)
        self._decoder = framing.decoder(Role.CLIENT, secret=self.secret)
        self.port: int = self.sock.getsockname()[1]
        # Of the certificate, which cannot be asked for any more when the session is over.
        self.certificate = self.sock.getpeercert(True) if isinstance(self.sock, ssl.SSLSocket) else None
        threading.Thread(target=self._listen, daemon=True).start()

    def works(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Say whether a message comes back in time."""
        word = os.urandom(8).hex().encode()
        try:
            self._send(Fragment(Kind.TEXT, word))
            return self._heard.get(timeout=seconds) == word
        except (OSError, queue.Empty):
            return False

    def end(self, seconds: float = PATIENCE_SECONDS) -> str:
        """Wait for the end of it, and return how it came: `lives` if it does not come in time."""
        self._ended.wait(seconds)
        return self.ending or "lives"

    def close(self) -> None:
        """Leave without a word."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads: as long as that waits nothing is closed
        self._ended.wait(PATIENCE_SECONDS)
        self.sock.close()

    def _listen(self) -> None:
        try:
            self.ending = self._until_the_end()
        except (OSError, ValueError, ProtocolError):  # ValueError: we have closed it
            self.ending = "cut"
        self._ended.set()
        self._heard.put(None)  # whoever waits for a message waits for nothing

    def _until_the_end(self) -> str:
        parts, data = b"", self.early
        while True:
            for event in self._decoder.receive(data):
                match event:
                    case Fragment():
                        parts += event.data
                        if event.final:
                            self._heard.put(parts)
                            parts = b""
                    case Ping():
                        self._send(Pong(event.data))
                    case Close():
                        self._send(Close(event.code))
                        return "goodbye" if event.code is None else str(event.code)
            data = self._receive()
            if not data:
                return "cut"

    def _send(self, event: Event) -> None:
        with self._turn:
            self.sock.sendall(self._encoder.send(event))

    def _receive(self) -> bytes:
        # OpenSSL must not read and write one connection at the same time.
        select.select([self.sock], [], [])
        with self._turn:
            return self.sock.recv(READ_BYTES)


def opened(dialect: str, port: int, path: str = "/chat", context: ssl.SSLContext | None = None) -> Session:
    """Open a session through the gateway. Raises OSError if it is refused, or cut before there is an answer."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    try:
        if context is not None:
            sock = context.wrap_socket(sock, server_hostname="localhost")
        offer = Offer(path, f"localhost:{port}", f"http://localhost:{port}", secure=context is not None)
        client_handshake = DIALECTS[dialect].handshake.client(offer, os.urandom)
        head = ResponseHead()
        sock.sendall(head.request(client_handshake.request) + client_handshake.challenge)
        while (response := head.receive(_some(sock))) is None:
            continue
        if response.status != 101:
            raise ConnectionError(f"answered {response.status}")
        early = head.rest
        while len(early) < client_handshake.proof_bytes:
            early += _some(sock)
        client_handshake.check(response, early[: client_handshake.proof_bytes])
        sock.settimeout(None)
    except HttpRefusal as error:
        sock.close()
        raise ConnectionError(str(error)) from None
    except BaseException:
        sock.close()
        raise
    return Session(dialect, sock, early[client_handshake.proof_bytes :], client_handshake.secret)


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(READ_BYTES)
    if not data:
        raise ConnectionError("closed before an answer")
    return data


class Knocker:
    """Opens a session every second, and counts what becomes of it. A context: it knocks as long as that."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._knock)
        self.served = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _knock(self) -> None:
        while not self._over.wait(1.0):
            try:
                session = opened("rfc6455", self._port)
            except OSError as error:
                self.failed.append(f"{type(error).__name__}: {error}")
            else:
                self.served += 1
                session.close()

    def __str__(self) -> str:
        return f"{self.served} served, {len(self.failed)} not" + (f" ({self.failed[0]})" if self.failed else "")


class Echo:
    """The server behind the gateway: RFC 6455 alone, a thread for each connection. A context, to stop it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                self._talk(sock)
            except (OSError, ProtocolError, HttpRefusal):
                return  # the gateway has left

    def _talk(self, sock: socket.socket) -> None:
        head = RequestHead()
        while (request := head.receive(_some(sock))) is None:
            continue
        server_handshake = recognise(request).handshake.server(request, os.urandom)
        sock.sendall(head.switch(server_handshake.accept(Answer())))
        framing = DIALECTS["rfc6455"].framing
        decoder, encoder = framing.decoder(Role.SERVER), framing.encoder(Role.SERVER, mask_keys(os.urandom))
        data = head.rest
        while True:
            for event in decoder.receive(data):
                sock.sendall(encoder.send(_answer(event)))
                if isinstance(event, Close):
                    return
            data = _some(sock)


def _answer(event: Event) -> Event:
    match event:
        case Ping(data):
            return Pong(data)
        case Close(code):
            return Close(code)
    return event


def until(happens: object, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until a function says yes, and return whether it has in time."""
    assert callable(happens)
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(1.0)
    return True
