"""What an error of a connection means: that the peer is gone, or something else; and the words for it.

In plain TCP an end and a reset are two things, and every Python says so. In TLS they are not: the same end is one error
or another by the version of Python, by that of OpenSSL, by what the socket was doing, and by whether the peer had bytes
to read when it closed. A client of TLS 1.3 often has: it reads no session tickets, and its kernel sends a reset then.
Whoever uses TLS asks `is_gone` therefore, and never looks at the class, the number or the text of an error itself.
"""

import errno
import re
import ssl

# What the kernel says of a connection that is lost: closed or reset by the peer, or cut on the way.
_GONE_NUMBERS = frozenset(
    {
        errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN,
        errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET,
    }
)  # fmt: skip
# A close_notify came, the connection ended without one, or the kernel failed and OpenSSL has not kept its number.
_GONE_CLASSES = (ssl.SSLZeroReturnError, ssl.SSLEOFError, ssl.SSLSyscallError)
# OpenSSL 3 has a reason for an end without a close_notify. Python 3.13 gives it in a plain SSLError, too.
_GONE_REASONS = frozenset({"UNEXPECTED_EOF_WHILE_READING"})
# The line of Python's own source, at the end of what it says of an error of OpenSSL.
_SOURCE_LINE = re.compile(r"\s*\(_ssl\.c:\d+\)$")


def is_gone(error: OSError) -> bool:
    """Return whether this error says that the peer is gone, in the handshake of TLS or later, to a reader or a writer.

    False for what the peer does wrong (no TLS, no trust, an alert), and for what we lack (descriptors, memory).
    """
    if isinstance(error, _GONE_CLASSES) or error.errno in _GONE_NUMBERS:  # OpenSSL's own numbers are below 32
        return True
    return isinstance(error, ssl.SSLError) and _reason(error) in _GONE_REASONS


def gone() -> ConnectionResetError:
    """Return the one error that a TLS connection raises for all that `is_gone` knows."""
    return ConnectionResetError(errno.ECONNRESET, "the peer closed the connection")


def in_words(error: OSError) -> str:
    """Return what an error says, for a log line, an error message or a report; the same on all versions of Python.

    For OpenSSL's errors: what is wrong with the certificate, or OpenSSL's name for the reason, as HTTP_REQUEST.
    """
    if isinstance(error, ssl.SSLError):
        named: str | None = getattr(error, "verify_message", None) or _reason(error)
        return named or _SOURCE_LINE.sub("", error.strerror or str(error))
    return error.strerror or str(error)


def _reason(error: ssl.SSLError) -> str | None:
    """Return OpenSSL's name for it; None if there is none, as in errors that Python code makes."""
    return getattr(error, "reason", None)
