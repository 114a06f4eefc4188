"""Every dialect of WebSocket, without input or output.

    hixie75, hixie76    the drafts of Ian Hickson: text between 00 and FF
    hybi, rfc6455       the drafts of the IETF and the standard, on `frames` and `framing`
    base                what a dialect is made of
    upgrade             what all handshakes share

`DIALECTS` is the one list of them: configuration, tests, documentation and `probe` read it, and nothing else knows it.
"""

from wsgateway.dialects.base import Answer, Answering, Asking, Dialect, Framing, Limits, Offer, by_name
from wsgateway.dialects.hixie75 import HIXIE75
from wsgateway.dialects.hixie76 import HIXIE76
from wsgateway.dialects.hybi import DRAFTS
from wsgateway.dialects.rfc6455 import RFC6455
from wsgateway.dialects.upgrade import check_upgrade
from wsgateway.errors import HandshakeError
from wsgateway.wire.heads import Request

__all__ = ["DIALECTS", "Answer", "Answering", "Asking", "Dialect", "Framing", "Limits", "Offer", "recognise"]

DIALECTS: dict[str, Dialect] = by_name([HIXIE75, HIXIE76, *DRAFTS, RFC6455])


def recognise(request: Request) -> Dialect:
    """The dialect of a request for an upgrade.

    Raises HandshakeError for a request that is none (400, 405, 426), or of a version that nobody speaks (426).
    """
    check_upgrade(request)
    for dialect in DIALECTS.values():
        if dialect.handshake.recognises(request):
            return dialect
    version = request.headers.one("Sec-WebSocket-Version")
    if version is not None:
        known = ", ".join(str(number) for number in sorted(_versions(), reverse=True))
        raise HandshakeError(
            f"Sec-WebSocket-Version is {version!r}, possible are {known}", 426, (("Sec-WebSocket-Version", known),)
        )
    draft = request.headers.one("Sec-WebSocket-Draft")
    if draft is not None:
        raise HandshakeError(f"Sec-WebSocket-Draft is {draft!r}, possible is 0, with two keys")
    raise HandshakeError("a key without its other half: Sec-WebSocket-Key needs Sec-WebSocket-Version, Key1 needs Key2")


def _versions() -> set[int]:
    return {dialect.handshake.version for dialect in DIALECTS.values() if dialect.handshake.version is not None}
