"""All dialects of WebSocket, without input or output: bytes in, bytes out.

    hixie75, hixie76    the drafts of Ian Hickson, on `delimited`
    hybi, rfc6455       the drafts of the IETF and the standard, on `accept`, `frames` and `framing`
    base                the interfaces that a dialect implements
    upgrade             the rules that all handshakes share
    dissect             explanations of frames, for people

`DIALECTS` is the only list of them: configuration, tests, documentation and `probe` read it, and no other list exists.
All that a program needs can be imported from here. A client of a draft of spring 2011, and a server for it:

    >>> import os
    >>> from wsgateway.dialects import DIALECTS, Answer, Fragment, Kind, Offer, RequestHead, ResponseHead
    >>> from wsgateway.dialects import Role, mask_keys, recognise
    >>> client_handshake = DIALECTS["hybi-06"].handshake.client(Offer("/chat", "example.com"), os.urandom)
    >>> client, server = ResponseHead(), RequestHead()
    >>> request = server.receive(client.request(client_handshake.request) + client_handshake.challenge)

    >>> dialect = recognise(request)
    >>> dialect.name, dialect.spoken_by
    ('hybi-06', 'libwebsockets and Jetty of spring 2011')
    >>> server_handshake = dialect.handshake.server(request, os.urandom)
    >>> reply = server.switch(server_handshake.accept(Answer())) + server_handshake.proof(b"")

    >>> client_handshake.check(client.receive(reply), b"").subprotocol is None
    True
    >>> encoder = dialect.framing.encoder(Role.CLIENT, mask_keys(os.urandom), client_handshake.secret)
    >>> decoder = dialect.framing.decoder(Role.SERVER, secret=server_handshake.secret)
    >>> list(decoder.receive(encoder.send(Fragment(Kind.TEXT, b"Hello"))))
    [Fragment(kind=<Kind.TEXT: 'text'>, data=b'Hello', final=True, remaining=0, in_last_frame=False)]
"""

from wsgateway.dialects.base import (
    Answer,
    ClientHandshake,
    Decoder,
    Dialect,
    Dissector,
    Encoder,
    Framing,
    Handshake,
    Limits,
    Offer,
    Part,
    ServerHandshake,
    Side,
    by_name,
)
from wsgateway.dialects.hixie75 import HIXIE75
from wsgateway.dialects.hixie76 import HIXIE76
from wsgateway.dialects.hybi import DRAFTS
from wsgateway.dialects.rfc6455 import RFC6455
from wsgateway.dialects.upgrade import UPGRADE_NEEDED, check_upgrade
from wsgateway.errors import HttpRefusal, ProtocolError, Reason
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.heads import Headers, HeadLimits, Request, Response
from wsgateway.wire.masking import Entropy, mask_keys
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

__all__ = [
    "DIALECTS",
    "Answer",
    "ClientHandshake",
    "Close",
    "Decoder",
    "Dialect",
    "Dissector",
    "Encoder",
    "Entropy",
    "Event",
    "Fragment",
    "Framing",
    "Handshake",
    "HeadLimits",
    "Headers",
    "HttpRefusal",
    "Kind",
    "Limits",
    "Offer",
    "Part",
    "Ping",
    "Pong",
    "ProtocolError",
    "Request",
    "RequestHead",
    "Response",
    "ResponseHead",
    "Role",
    "ServerHandshake",
    "Side",
    "mask_keys",
    "recognise",
]

DIALECTS: dict[str, Dialect] = by_name([HIXIE75, HIXIE76, *DRAFTS, RFC6455])


def recognise(request: Request) -> Dialect:
    """Return the dialect of an upgrade request.

    Raise HttpRefusal for a request that is no upgrade (400, 405, 426), or that has an unknown version (426).
    """
    check_upgrade(request)
    version = request.headers.one("Sec-WebSocket-Version")
    for dialect in _OF_VERSIONS.get(version, ()):
        if dialect.handshake.recognises(request):
            return dialect
    if version is not None:
        known = ", ".join(str(number) for number in sorted(_versions(), reverse=True))
        raise HttpRefusal(
            Reason.VERSION_UNKNOWN,
            f"Sec-WebSocket-Version is {version!r}, possible are {known}",
            (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", known)),
        )
    draft = request.headers.one("Sec-WebSocket-Draft")
    if draft is not None and not all(f"Sec-WebSocket-Key{number}" in request.headers for number in (1, 2)):
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, "Sec-WebSocket-Draft without Sec-WebSocket-Key1 and -Key2")
    if draft is not None:
        raise HttpRefusal(
            Reason.HANDSHAKE_MALFORMED,
            f"Sec-WebSocket-Draft is {draft!r}, which is not the number of a draft with two keys",
        )
    raise HttpRefusal(
        Reason.HANDSHAKE_MALFORMED,
        "a key without its other half: Sec-WebSocket-Key needs Sec-WebSocket-Version, Key1 needs Key2",
    )


def _of_versions() -> dict[str | None, list[Dialect]]:
    """Return the dialects whose handshakes have a version, by its text, and by None those without one."""
    found: dict[str | None, list[Dialect]] = {}
    for dialect in DIALECTS.values():
        version = dialect.handshake.version
        found.setdefault(None if version is None else str(version), []).append(dialect)
    return found


_OF_VERSIONS = _of_versions()


def _versions() -> set[int]:
    return {dialect.handshake.version for dialect in DIALECTS.values() if dialect.handshake.version is not None}
