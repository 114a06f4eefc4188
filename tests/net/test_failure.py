"""The meaning of connection errors: every report of a disconnected peer means the same, with any Python and OpenSSL."""

import errno
import os
import ssl
from collections.abc import Callable

import pytest
import trio
import trio.testing

from wsgateway.net.channel import Channel, encrypt
from wsgateway.net.failure import gone, in_words, is_gone

from .certificates import Authority
from .ends import ENDS, Peer, connected, shaken

PATIENCE_SECONDS = 30.0
GONE = "the peer closed the connection$"


def by_openssl(error: ssl.SSLError, reason: str | None) -> ssl.SSLError:
    """Return an error as the ssl module makes it."""
    error.reason = reason  # type: ignore[assignment]  # there need not be one
    return error


def of_kernel(number: int) -> OSError:
    return OSError(number, os.strerror(number))


# -- what is said of a peer that is gone -------------------------------------------------------------------------

# As raised by Python 3.11 to 3.14 with OpenSSL 3.0 to 3.6, in a handshake, to a reader and to a writer.
SPELLINGS = {
    "a close_notify": by_openssl(
        ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF) (_ssl.c:992)"), None
    ),
    "an end without one": by_openssl(
        ssl.SSLEOFError(
            8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol (_ssl.c:1006)"
        ),
        "UNEXPECTED_EOF_WHILE_READING",
    ),
    "an end for a writer": by_openssl(ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:2427)"), None),
    "an end that is asked for again": by_openssl(
        ssl.SSLError(5, "[SSL: UNEXPECTED_EOF_WHILE_READING] unexpected eof while reading (_ssl.c:2650)"),
        "UNEXPECTED_EOF_WHILE_READING",
    ),
    "a fault of the kernel": by_openssl(ssl.SSLSyscallError(5, "Some I/O error occurred (_ssl.c:2427)"), None),
    "a reset before the handshake": by_openssl(
        ssl.SSLError(errno.ENOTCONN, "Closed before TLS handshake with data in recv buffer."),
        "Closed before TLS handshake with data in recv buffer.",
    ),
    "made by a program": ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    "ours": gone(),
    **{
        errno.errorcode[number]: of_kernel(number)
        for number in (
            errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN,
            errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET,
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("error", SPELLINGS.values(), ids=SPELLINGS)
def test_every_error_of_a_disconnected_peer_is_recognised(error: OSError) -> None:
    assert is_gone(error)


OTHERS = {
    "no TLS": by_openssl(
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "WRONG_VERSION_NUMBER"
    ),
    "an alert": by_openssl(
        ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)"), "TLSV1_ALERT_UNKNOWN_CA"
    ),
    "no trust": by_openssl(
        ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)"),
        "CERTIFICATE_VERIFY_FAILED",
    ),
    "a fault of ours": by_openssl(ssl.SSLError(1, "[SSL: BAD_LENGTH] bad length (_ssl.c:2427)"), "BAD_LENGTH"),
    "nothing to read": by_openssl(ssl.SSLWantReadError(2, "The operation did not complete (read) (_ssl.c:1006)"), None),
    "no room to write": by_openssl(
        ssl.SSLWantWriteError(3, "The operation did not complete (write) (_ssl.c:2427)"), None
    ),
    "not yet": BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)),
    "without a number": OSError("the service is not offered there"),
    **{errno.errorcode[number]: of_kernel(number) for number in (errno.EMFILE, errno.ENOMEM, errno.EBADF)},
}


@pytest.mark.parametrize("error", OTHERS.values(), ids=OTHERS)
def test_no_other_error_counts_as_a_disconnected_peer(error: OSError) -> None:
    assert not is_gone(error)


UNTRUSTED = by_openssl(ssl.SSLCertVerificationError(1, "certificate verify failed (_ssl.c:1006)"), "X")
UNTRUSTED.verify_message = "certificate has expired"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OTHERS["no TLS"], "WRONG_VERSION_NUMBER"),
        (UNTRUSTED, "certificate has expired"),
        # A reason that is newer than this Python, so that it has no name.
        (by_openssl(ssl.SSLError(1, "unknown error (_ssl.c:1006)"), None), "unknown error"),
        (of_kernel(errno.ECONNRESET), "Connection reset by peer"),
        (OSError("the service is not offered there"), "the service is not offered there"),
        (gone(), "the peer closed the connection"),
    ],
    ids=["by its name", "a certificate", "without a name", "the kernel's", "words alone", "gone"],
)
def test_the_text_of_an_error_contains_no_detail_of_python(error: OSError, words: str) -> None:
    assert in_words(error) == words


# -- every end, as it is -----------------------------------------------------------------------------------------

roles = pytest.mark.parametrize("role", ["client", "server"])
kinds = pytest.mark.parametrize("kind", ["unix", "tcp"])
versions = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name
)
unread = pytest.mark.parametrize("unread", [b"", b"what it will never read"], ids=["all read", "not all read"])
ends = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


@roles
@kinds
@versions
@unread
@ends
async def test_receiving_from_a_disconnected_peer_returns_the_end_of_the_stream(
    authority: Authority, role: str, kind: str, version: ssl.TLSVersion, unread: bytes, end: Callable[[Peer], None]
) -> None:
    with connected(kind) as pair:
        ours, peer = shaken(authority, pair, role, version)
        with ours, trio.fail_after(PATIENCE_SECONDS):
            channel = Channel(ours)
            if unread:
                await channel.send(unread)
            end(peer)
            assert await channel.receive(100) == b""
            # Every later call says the same, although OpenSSL then raises another error.
            assert await channel.receive(100) == b""
            assert channel.ready(100) == b""


@roles
@kinds
@versions
@ends
async def test_what_ends_with_the_connection_is_whole_by_a_close_notify_alone(
    authority: Authority, role: str, kind: str, version: ssl.TLSVersion, end: Callable[[Peer], None]
) -> None:
    with connected(kind) as pair:
        ours, peer = shaken(authority, pair, role, version)
        with ours, trio.fail_after(PATIENCE_SECONDS):
            channel = Channel(ours)
            end(peer)
            if end is Peer.end:
                assert await channel.receive_whole(100) == b""
            else:
                with pytest.raises(ConnectionResetError, match=r"TLS ended without a close_notify$"):
                    await channel.receive_whole(100)


@kinds
@versions
@ends
async def test_data_of_a_peer_comes_before_its_end(
    authority: Authority, kind: str, version: ssl.TLSVersion, end: Callable[[Peer], None]
) -> None:
    with connected(kind) as pair:
        ours, peer = shaken(authority, pair, "server", version)
        with ours, trio.fail_after(PATIENCE_SECONDS):
            channel = Channel(ours)
            await channel.send(b"what it will never read")
            peer.tls.write(b"bye")
            peer.flush()
            end(peer)
            assert await channel.receive(100) == b"bye"
            assert await channel.receive(100) == b""


@roles
@kinds
@versions
@unread
@ends
async def test_sending_to_a_disconnected_peer_always_raises_the_same_error(
    authority: Authority, role: str, kind: str, version: ssl.TLSVersion, unread: bytes, end: Callable[[Peer], None]
) -> None:
    async def send_on(channel: Channel) -> None:
        while True:  # the kernel may accept some data before it knows
            await channel.send(b"news")

    with connected(kind) as pair:
        ours, peer = shaken(authority, pair, role, version)
        with ours, trio.fail_after(PATIENCE_SECONDS):
            channel = Channel(ours)
            if unread:
                await channel.send(unread)
            end(peer)
            with pytest.raises(ConnectionResetError, match=GONE):
                await send_on(channel)
            assert await channel.receive(100) == b""


@roles
@kinds
@versions
@ends
def test_ending_towards_a_disconnected_peer_raises_only_that_error(
    authority: Authority, role: str, kind: str, version: ssl.TLSVersion, end: Callable[[Peer], None]
) -> None:
    with connected(kind) as pair:
        ours, peer = shaken(authority, pair, role, version)
        with ours:
            end(peer)
            try:
                Channel(ours).end()
            except ConnectionResetError as error:
                assert in_words(error) == "the peer closed the connection"  # noqa: PT017  it may raise nothing, too


@roles
@kinds
@pytest.mark.parametrize("said", [b"", bytes.fromhex("160301 0200 01")], ids=["nothing", "the head of a record"])
@pytest.mark.parametrize("reads", [True, False], ids=["all read", "not all read"])
@pytest.mark.parametrize("way", [Peer.close, Peer.reset], ids=["closed", "reset"])
@pytest.mark.parametrize("early", [True, False], ids=["before it begins", "inside"])
async def test_a_peer_that_disconnects_in_the_handshake_is_recognised(
    authority: Authority, role: str, kind: str, said: bytes, reads: bool, way: Callable[[Peer], None], early: bool
) -> None:
    with connected(kind) as (ours, theirs):
        peer = Peer(
            theirs,
            authority.server.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True),
            ssl.MemoryBIO(),
            ssl.MemoryBIO(),
        )
        context = authority.client() if role == "client" else authority.server

        async def go() -> None:
            if not early:
                await trio.testing.wait_all_tasks_blocked()
            theirs.send(said)
            if reads:
                peer.read()
            way(peer)

        async with trio.open_nursery() as nursery:
            if early:
                await go()
            else:
                nursery.start_soon(go)
            with trio.fail_after(PATIENCE_SECONDS), pytest.raises(ConnectionResetError, match=GONE):
                await encrypt(ours, context, "localhost" if role == "client" else None)
        assert ours.fileno() == -1
