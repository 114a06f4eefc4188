"""The bodies of HTTP/1.1 messages as h11 reads them, and what is said of what it refuses."""

import re

import h11

from wsgateway.errors import HttpRefusal

_BYTES_OF_H11 = re.compile(r": (?:bytearray\()?b['\"]")


def read_body(http: h11.Connection, what: str, status: int) -> tuple[bytes, bool]:
    """The body in what h11 has been given since the last time, and whether that was the end of it.

    Must not be called again then. Raises HttpRefusal with this status if it is malformed; `what` names it.
    """
    pieces = []
    try:
        while isinstance(event := http.next_event(), h11.Data):
            pieces.append(event.data)
    except h11.RemoteProtocolError as error:
        raise HttpRefusal(malformed(what, error), status) from None
    return b"".join(pieces), isinstance(event, h11.EndOfMessage)


def malformed(what: str, error: h11.RemoteProtocolError) -> str:
    """What h11 says, without the bytes that it repeats."""
    return f"malformed {what}: {_BYTES_OF_H11.split(str(error))[0]}"
