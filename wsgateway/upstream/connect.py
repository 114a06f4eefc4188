"""A connection to a target: every address of its name is tried, a quarter of a second apart (RFC 8305)."""

import os
import socket

import trio

from wsgateway.errors import UpstreamError


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
    texts = (os.strerror(attempt.errno) if getattr(attempt, "errno", None) else str(attempt) for attempt in attempts)
    return ", ".join(dict.fromkeys(texts))
