"""A connection to a target: every address of its name is tried, a quarter of a second apart (RFC 8305)."""

import os
import socket
import ssl
from collections.abc import Iterable

import trio

from wsgateway.errors import UpstreamError
from wsgateway.net.channel import Channel, encrypt
from wsgateway.settings.model import Target, TargetTls


async def reach(target: Target, seconds: float, preface: bytes = b"") -> socket.socket:
    """As `connect`, for a target: with TLS, if it wants that, behind a preface in clear.

    Raises UpstreamError, for a target that cannot be trusted, too.
    """
    sock = await connect(target.host, target.port, seconds)
    if not preface and not target.secure:
        return sock
    missing = f"no {'TLS with' if target.secure else 'connection to'} {target.url}"
    try:
        with trio.fail_after(seconds):
            await Channel(sock).send(preface)
            if target.secure:
                name = target.tls.server_name or target.host
                sock = await encrypt(sock, _known_context(target.tls), name)
    except trio.TooSlowError:
        sock.close()
        raise UpstreamError(f"{missing} within {seconds:g} s", 504) from None
    except OSError as error:
        sock.close()
        why = getattr(error, "verify_message", None) or getattr(error, "reason", None) or error.strerror or error
        raise UpstreamError(f"{missing}: {why}") from None
    except BaseException:
        sock.close()
        raise
    return sock


_contexts: dict[TargetTls, ssl.SSLContext] = {}


def client_contexts(several: Iterable[TargetTls]) -> None:
    """Reads the files anew that connections to targets from now on need. Raises OSError for one that cannot be read;
    nothing has changed then."""
    anew = {tls: _context(tls) for tls in several}
    _contexts.clear()
    _contexts.update(anew)


def _known_context(tls: TargetTls) -> ssl.SSLContext:
    """A target of settings that are not those of now may still be called, and its files read."""
    if tls not in _contexts:
        _contexts[tls] = _context(tls)
    return _contexts[tls]


def _context(tls: TargetTls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.private_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connected, non-blocking socket that is the caller's to close.

    Raises UpstreamError: 504 if nothing answered in time, 502 if all addresses refused or the name has none.
    """
    try:
        with trio.fail_after(seconds):
            stream = await trio.open_tcp_stream(host, port)
    except trio.TooSlowError:
        raise UpstreamError(f"no connection to {host}:{port} within {seconds:g} s", 504) from None
    except OSError as error:
        raise UpstreamError(f"no connection to {host}:{port}: {_reasons(error)}") from None
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    return sock


def _reasons(error: OSError) -> str:
    """What went wrong, for each address once. Trio keeps the attempts as the cause."""
    cause = error.__cause__
    attempts = cause.exceptions if isinstance(cause, BaseExceptionGroup) else [cause or error]
    return ", ".join(dict.fromkeys(map(_reason, attempts)))


def _reason(attempt: BaseException) -> str:
    """Trio puts the address into the text of an error; the caller has named it already."""
    number = attempt.errno if isinstance(attempt, OSError) else None
    return os.strerror(number) if number is not None and number > 0 else str(attempt)
