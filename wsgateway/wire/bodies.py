"""The bodies of HTTP/1.1 messages as h11 reads them, and the error texts for messages that h11 refuses."""

import re

import h11

from wsgateway.errors import HttpRefusal, Reason

_BYTES_OF_H11 = re.compile(r": (?:bytearray\()?b['\"]")


def read_body(http: h11.Connection, what: str, reason: Reason) -> tuple[bytes, bool]:
    """Return the part of a body that h11 has read since the last call, and whether the body has ended.

    Must not be called again after the end. Raise HttpRefusal for `reason` if the body is malformed; `what` names the
    message in its text ("request" or "response").
    """
    pieces = []
    try:
        while isinstance(event := http.next_event(), h11.Data):
            pieces.append(event.data)
    except h11.RemoteProtocolError as error:
        raise HttpRefusal(reason, malformed(what, error)) from None
    return b"".join(pieces), isinstance(event, h11.EndOfMessage)


def malformed(what: str, error: h11.RemoteProtocolError) -> str:
    """Return the text of an error of h11 without the bytes of the peer that it repeats."""
    return f"malformed {what}: {_BYTES_OF_H11.split(str(error))[0]}"
