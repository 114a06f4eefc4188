"""Connections to servers. The addresses of one name are tried at intervals of a quarter of a second (RFC 8305)."""

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice

import trio

from wsgateway.errors import ExhaustedError, Reason, UntrustedError, UpstreamError
from wsgateway.net.channel import EXHAUSTED, Channel
from wsgateway.net.failure import in_words
from wsgateway.settings.basics import Address
from wsgateway.settings.findings import shown
from wsgateway.settings.upstreams import Target
from wsgateway.upstream.names import Names
from wsgateway.upstream.resolve import addresses
from wsgateway.upstream.tls import Contexts, explained, name_of, trusted

# How long to wait for an address before the next one of its name is tried as well (RFC 8305, 8).
_HEAD_START_SECONDS = 0.25


async def connect(host: str, port: int, seconds: float) -> socket.socket:
    """Connect as `connect_to` does, to any address of a name. The look-up counts towards `seconds`."""
    refused: dict[int, str] = {}
    with _as_upstream_error(str(Address(host, port)), seconds, refused):
        _, sock = await _race(await addresses(Names(), host, port), refused)
        return sock


async def connect_to(
    where: Iterable[Address], name: str, seconds: float, refused: dict[int, str]
) -> tuple[int, socket.socket]:
    """Return the index of the first address that accepted, and its socket: connected, non-blocking, the caller's.

    An address is taken from `where`, which must have at least one, when it is its turn. Put the addresses that did not
    accept into `refused`, with their reasons. Raise UpstreamError, which names the addresses by `name`: 504 if none
    accepted in time, 502 if all refused. Raise ExhaustedError if none could be tried.
    """
    with _as_upstream_error(name, seconds, refused):
        rest = iter(where)
        first = list(islice(rest, 2))
        return (0, await _dial(first[0])) if len(first) == 1 else await _race(chain(first, rest), refused)


@contextmanager
def _as_upstream_error(name: str, seconds: float, refused: dict[int, str]) -> Iterator[None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise too_slow(name, seconds) from None
    except OSError as error:
        raise unreachable(name, refused.values() or [in_words(error)]) from None


def too_slow(name: str, seconds: float) -> UpstreamError:
    """Return the error for addresses of which none has accepted in time."""
    return UpstreamError(Reason.TARGET_CONNECT_TIMEOUT, f"no connection to {name} within {seconds:.3g} s")


def unreachable(name: str, reasons: Iterable[str]) -> UpstreamError:
    """Return the error for addresses that have all refused."""
    return UpstreamError(Reason.TARGET_UNREACHABLE, f"no connection to {name}: {', '.join(dict.fromkeys(reasons))}")


async def _race(where: Iterable[Address], refused: dict[int, str]) -> tuple[int, socket.socket]:
    """Try each address after the one before has failed, or has had its time. Raise OSError if all fail."""
    won: list[tuple[int, socket.socket]] = []
    exhausted: ExhaustedError | None = None

    async def run(at: int, address: Address, over: trio.Event) -> None:
        nonlocal exhausted
        try:
            sock = await _dial(address)
        except ExhaustedError as error:
            exhausted = error
            over.set()
        except OSError as error:
            refused[at] = in_words(error)
            over.set()
        else:
            won.append((at, sock))
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for at, address in enumerate(where):
                over = trio.Event()
                nursery.start_soon(run, at, address, over)
                with trio.move_on_after(_HEAD_START_SECONDS):
                    await over.wait()
        for _, late in won[1:]:
            late.close()
    except BaseException:
        for _, sock in won:
            sock.close()
        raise
    if not won:
        raise exhausted or OSError
    return won[0]


async def _dial(where: Address) -> socket.socket:
    """Connect to one address. Raise OSError, or ExhaustedError."""
    sock, connected = begin_to_connect(where)
    try:
        if not connected:
            await trio.lowlevel.wait_writable(sock)
            check_connected(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def begin_to_connect(where: Address) -> tuple[socket.socket, bool]:
    """Return a socket that connects to an address, and whether it is connected already.

    Otherwise call `check_connected` when it is writable. Raise OSError, or ExhaustedError.
    """
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise ExhaustedError(in_words(error)) from None
        raise
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        failed = sock.connect_ex((where.host, where.port))
        if failed == errno.EINPROGRESS:  # an address of this machine has answered by now, as another call tells
            failed = sock.connect_ex((where.host, where.port))
        if failed and failed != errno.EALREADY:
            raise OSError(failed, os.strerror(failed))
    except BaseException:
        sock.close()
        raise
    return sock, not failed


def check_connected(sock: socket.socket) -> None:
    """Raise OSError if the connection has failed."""
    failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failed:
        raise OSError(failed, os.strerror(failed))


async def prepare(
    sock: socket.socket, target: Target, seconds: float, preface: bytes, contexts: Contexts
) -> socket.socket:
    """Send a preface in clear and start TLS, if a target needs that. Return the socket to use from now on.

    The given socket must not be used any more; it is closed if this fails. Raise UpstreamError, also for a target that
    is not trusted.
    """
    if not preface and not target.url.secure:
        return sock
    missing = f"no {'TLS with' if target.url.secure else 'connection to'} {target.url.text}"
    try:
        with trio.fail_after(seconds):
            await Channel(sock).send(preface)
            if target.url.secure:
                sock = await trusted(sock, contexts[target.tls], name_of(target), target.tls.pin)
    except trio.TooSlowError:
        sock.close()
        raise UpstreamError(Reason.TARGET_CONNECT_TIMEOUT, f"{missing} within {seconds:.3g} s") from None
    except UntrustedError as error:
        raise UpstreamError(error.reason, f"{missing}: {error}") from None
    except OSError as error:
        sock.close()
        reason, why = Reason.TARGET_UNREACHABLE, in_words(error)
        if target.url.secure:
            reason, why = explained(error, target.tls.profile, "targets[].tls.profile:")
            # OpenSSL names the host that the certificate is not for, which may come from an environment variable.
            why = why.replace(name_of(target) or "\0", shown(target.tls.server_name or target.url.host))
        raise UpstreamError(reason, f"{missing}: {why}") from None
    except BaseException:
        sock.close()
        raise
    return sock
