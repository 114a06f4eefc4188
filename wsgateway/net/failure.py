"""The meaning of a connection's error: whether the peer is disconnected, and a text for it.

In plain TCP the end of a stream and a reset are different, and every version of Python reports them so. In TLS they are
not: the same end is reported as one error or another, depending on the version of Python and of OpenSSL, on what the
socket was doing, and on whether the peer had unread bytes when it closed. A client of TLS 1.3 often has such bytes: it
does not read the session tickets, and its kernel then sends a reset. So code that uses TLS calls `is_gone`, and never
looks at the class, the number or the text of an error itself.
"""

import errno
import re
import ssl

# The kernel's errors for a lost connection: closed or reset by the peer, or unreachable.
_GONE_NUMBERS = frozenset(
    {
        errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN,
        errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET,
    }
)  # fmt: skip
# A close_notify came, or the connection ended without one, or the kernel failed and OpenSSL dropped the number.
_GONE_CLASSES = (ssl.SSLZeroReturnError, ssl.SSLEOFError, ssl.SSLSyscallError)
# OpenSSL 3 has a reason for an end without a close_notify. Python 3.13 reports it as a plain SSLError, too.
_GONE_REASONS = frozenset({"UNEXPECTED_EOF_WHILE_READING"})
# The line in Python's own source, which Python adds to the text of an error of OpenSSL.
_SOURCE_LINE = re.compile(r"\s*\(_ssl\.c:\d+\)$")


def is_gone(error: OSError) -> bool:
    """Return whether an error means that the peer is disconnected, in the TLS handshake or later, reading or writing.

    Return False for faults of the peer (no TLS, no trust, an alert) and for missing resources (descriptors, memory).
    """
    if isinstance(error, _GONE_CLASSES) or error.errno in _GONE_NUMBERS:  # OpenSSL's own numbers are below 32
        return True
    return isinstance(error, ssl.SSLError) and _reason(error) in _GONE_REASONS


def gone() -> ConnectionResetError:
    """Return the one error that a TLS connection raises in place of every error for which `is_gone` is true."""
    return ConnectionResetError(errno.ECONNRESET, "the peer closed the connection")


def in_words(error: OSError) -> str:
    """Return the text of an error for a log line, an error message or a report; the same in all versions of Python.

    For errors of OpenSSL it is the fault of the certificate, or OpenSSL's name for the reason, such as HTTP_REQUEST.
    """
    if isinstance(error, ssl.SSLError):
        named: str | None = getattr(error, "verify_message", None) or _reason(error)
        return named or _SOURCE_LINE.sub("", error.strerror or str(error))
    return error.strerror or str(error)


def _reason(error: ssl.SSLError) -> str | None:
    """Return OpenSSL's name for the reason; None if there is none, as in errors raised by Python code."""
    return getattr(error, "reason", None)
