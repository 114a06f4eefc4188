"""draft-hixie-thewebsocketprotocol-75: no proof, text between 00 and FF, no closing frame.

The first three lines of the reply are exact to the byte, because WebKit compared them so: order, spelling and the
reason matter. The client's Origin and the requested address are repeated as they were sent.
"""

from dataclasses import dataclass

from wsgateway.dialects.base import Answer, ClientHandshake, Dialect, Offer, ServerHandshake
from wsgateway.dialects.delimited import delimited_framing
from wsgateway.dialects.upgrade import check_switch, end_to_end, is_plain, visible_subprotocols
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import Oddity


@dataclass(frozen=True)
class HixieNames:
    """The names that differ between hixie-75 and -76."""

    reason: str
    prefix: str

    def header(self, name: str) -> str:
        """Return the full name of a handshake header."""
        return f"{self.prefix}WebSocket-{name}"


NAMES_75 = HixieNames("Web Socket Protocol Handshake", "")


class HixieServerHandshake:
    """The server's side of both hixie handshakes; 75 has no challenge."""

    challenge_bytes = 0
    secret = b""

    def __init__(self, request: Request, names: HixieNames) -> None:
        headers = request.headers
        origin = headers.one("Origin")
        if origin is None:
            request.oddities.need(
                Oddity.NO_ORIGIN, HttpRefusal(Reason.HANDSHAKE_MALFORMED, "no Origin, which the reply must repeat")
            )
        self._names = names
        self._request = request
        self._origin = origin
        # websocket-ruby's client sends WebSocket-Protocol in 76 too.
        self._requested = headers.one(names.header("Protocol")) or headers.one("WebSocket-Protocol") or None
        if not is_plain(self._requested or ""):
            raise HttpRefusal(
                Reason.HANDSHAKE_MALFORMED, f"{names.header('Protocol')} holds a control or a byte above 7E"
            )
        members = [name.strip(" \t") for name in (self._requested or "").split(",")]
        self.offer = Offer(
            target=request.target,
            host=headers.one("Host") or "",
            origin=origin,
            subprotocols=visible_subprotocols(members),
            headers=end_to_end(headers),
        )

    def accept(self, answer: Answer) -> Response:
        request = self._request
        location = f"{_scheme(answer.secure)}://{answer.host or request.headers.one('Host')}{request.sent_target}"
        names = self._names
        items = [("Upgrade", "WebSocket"), ("Connection", "Upgrade")]  # Opera 12 compares the case
        for each in (names, NAMES_75) if answer.unprefixed and names.prefix else (names,):
            if self._origin is not None:
                items.append((each.header("Origin"), self._origin))
            items.append((each.header("Location"), location))
        if self._requested is not None:
            items.append((names.header("Protocol"), self._subprotocol(self._requested, answer)))
        # These clients read the head strictly, and use hardly any other header of it but cookies.
        items += [(name, value) for name, value in answer.headers if name.lower() == "set-cookie"]
        return Response(101, names.reason, Headers(items))

    def _subprotocol(self, requested: str, answer: Answer) -> str:
        """Return the subprotocol header for a client that sent one: it refuses every reply that lacks its own."""
        if self.offer.subprotocols and answer.subprotocol is None:
            raise HttpRefusal(
                Reason.SUBPROTOCOL_MISSING,
                f"none of the subprotocols {requested!r} was chosen, and the client insists on one",
            )
        # WebKit joins its list with commas and expects all of it back. A value that is not a list is repeated as well.
        return requested

    def proof(self, challenge: bytes) -> bytes:
        return b""


class HixieClientHandshake:
    """The client's side of both hixie handshakes; 75 has no challenge."""

    challenge = b""
    proof_bytes = 0
    secret = b""
    is_hixie = True
    """whether this is hixie itself, and not a draft of hybi, whose servers choose a subprotocol more carefully"""

    def __init__(self, offer: Offer, names: HixieNames) -> None:
        self._names = names
        self._origin = offer.origin or f"http://{offer.host}"
        self._location = f"{_scheme(offer.secure)}://{offer.host}{offer.target}"
        self._subprotocols = offer.subprotocols
        items = [
            ("Upgrade", "WebSocket"),
            ("Connection", "Upgrade"),
            ("Host", offer.host),
            ("Origin", self._origin),
        ]
        if offer.subprotocols:
            items.append((names.header("Protocol"), ",".join(offer.subprotocols)))
        self.request = Request(offer.target, Headers([*items, *self.keys(), *offer.headers]))

    def keys(self) -> list[tuple[str, str]]:
        """Return the headers that carry the keys of a challenge; none in 75."""
        return []

    def notes(self) -> dict[str, str]:
        header = self._names.header
        return {
            header("Origin").lower(): f"our Origin, repeated: {self._origin} is right",
            header("Location").lower(): f"the address that we requested, repeated: {self._location} is right",
            header("Protocol").lower(): "what we offered, and one of it or all of it in the answer",
        }

    def check(self, response: Response, proof: bytes) -> Answer:
        headers, names = response.headers, self._names
        try:
            check_switch(headers)
            origin = headers.one(names.header("Origin"))
            location = headers.one(names.header("Location"))
            subprotocol = headers.one(names.header("Protocol")) or None
        except HttpRefusal as error:
            raise HttpRefusal(Reason.TARGET_HANDSHAKE_WRONG, str(error)) from None
        if origin != self._origin:
            raise HttpRefusal(
                Reason.TARGET_HANDSHAKE_WRONG, f"{names.header('Origin')} {origin!r}, ours is {self._origin!r}"
            )
        # Perl's Protocol::WebSocket repeats wss for any X-Forwarded-Proto, whatever its value.
        if location is None or _without_scheme(location) != _without_scheme(self._location):
            raise HttpRefusal(
                Reason.TARGET_HANDSHAKE_WRONG,
                f"{names.header('Location')} {location!r}, we requested {self._location!r}",
            )
        # The drafts require an answer to every offer; em-websocket and faye's driver give none.
        allowed = (None, *self._subprotocols, ",".join(self._subprotocols))
        if subprotocol not in allowed:
            wrong = HttpRefusal(
                Reason.TARGET_HANDSHAKE_WRONG,
                f"subprotocol {subprotocol!r}, we offered {', '.join(self._subprotocols)!r}",
            )
            if not self.is_hixie:
                raise wrong
            response.oddities.need(Oddity.UNASKED_SUBPROTOCOL, wrong)
            subprotocol = None
        # A server that repeats a whole list accepts every member; the client then gets its first choice.
        repeated = subprotocol is not None and subprotocol not in self._subprotocols
        chosen = self._subprotocols[0] if repeated else subprotocol
        return Answer(chosen, (), end_to_end(headers))


def _without_scheme(location: str) -> str:
    return location.partition(":")[2]


def _scheme(secure: bool) -> str:
    return "wss" if secure else "ws"


class Hixie75Handshake:
    """The handshake without key and version: it recognises a request that no other dialect recognises."""

    version = None

    def recognises(self, request: Request) -> bool:
        return not request.headers.has_any(_OF_OTHERS)

    def server(self, request: Request, entropy: Entropy) -> ServerHandshake:
        return HixieServerHandshake(request, NAMES_75)

    def client(self, offer: Offer, entropy: Entropy) -> ClientHandshake:
        return HixieClientHandshake(offer, NAMES_75)


_OF_OTHERS = frozenset(
    [
        "sec-websocket-version",
        "sec-websocket-key",
        "sec-websocket-key1",
        "sec-websocket-key2",
        "sec-websocket-draft",
    ]
)

HIXIE75 = Dialect(
    name="hixie-75",
    handshake=Hixie75Handshake(),
    framing=delimited_framing("hixie-75", closing_frame=b""),
    spoken_by="Chrome 4 and 5, Safari 5.0.0, web-socket-js (Flash) before June 2010",
)
