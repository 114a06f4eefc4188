"""The rules that the handshakes of all dialects share: those of an upgrade, and which headers go end to end."""

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire import exchange
from wsgateway.wire.exchange import HOP_BY_HOP, check_target
from wsgateway.wire.heads import Headers, Request, key_of
from wsgateway.wire.oddities import Oddities, Oddity
from wsgateway.wire.repair import is_token, proper_host

# Host and Origin are fields of the Offer. An upgrade has no body, so it needs no Expect.
_DROPPED = HOP_BY_HOP | {"expect", "host", "origin"}
# RFC 9110, 15.5.22: a 426 names the protocol that it requires.
UPGRADE_NEEDED = (("Upgrade", "websocket"),)
# The headers that only a client of WebSocket sends.
_KEYS = frozenset(["sec-websocket-key", "sec-websocket-key1"])
# The prefixes of headers that are made anew on each side of the gateway.
_HANDSHAKE = ("sec-websocket-", "websocket-")


def check_upgrade(request: Request) -> None:
    """Raise HttpRefusal for a request that is no upgrade to WebSocket, or not a valid one.

    What a server after the gateway could read differently is refused and not repaired: a body, a transfer coding, a
    Host or a target that is not valid (RFC 9112, 11.2, request smuggling).
    """
    headers = request.headers
    upgrades = headers.listed("Upgrade")
    if not upgrades:
        check_not_removed(request)
        raise HttpRefusal(
            Reason.UPGRADE_MISSING, "this port speaks WebSocket: the request has no Upgrade", UPGRADE_NEEDED
        )
    if len(upgrades) > 1 or upgrades[0].lower() != "websocket":
        wrong = HttpRefusal(
            Reason.UPGRADE_MISSING, f"Upgrade is {', '.join(upgrades)!r}, only 'websocket' is possible", UPGRADE_NEEDED
        )
        if "websocket" not in headers.tokens("Upgrade"):
            raise wrong
        request.oddities.need(Oddity.UPGRADE_LIST, wrong)
    if "upgrade" not in headers.tokens("Connection"):
        check_not_removed(request)
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, "Upgrade without 'Connection: Upgrade'")
    if request.method != "GET":
        raise HttpRefusal(
            Reason.REQUEST_UNSUPPORTED,
            f"an upgrade by {request.method}, only GET is possible",
            (("Allow", "GET"),),
            405,
        )
    if "Transfer-Encoding" in headers:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, "Transfer-Encoding with an upgrade")
    length = headers.one("Content-Length")
    if length == "8" and "Sec-WebSocket-Key1" in headers and "Sec-WebSocket-Version" not in headers:
        length = None  # Perl's Protocol::WebSocket announces the 8 bytes after a hixie-76 head as a body
    if length not in (None, "0"):
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, f"a body of {length} bytes with an upgrade")
    host = headers.one("Host") or ""
    if proper_host(host) is None:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, "Host is not a host with an optional port")
    for name in ("Origin", "Sec-WebSocket-Origin"):
        origin = headers.one(name) or ""
        if " " in origin or not is_plain(origin):
            raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, f"{name} holds a space, a control or a byte above 7E")
    check_target(request.target)
    try:
        request.raw_target.decode()
    except UnicodeDecodeError:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, "the target is not UTF-8") from None


def check_not_removed(request: Request) -> None:
    """Raise HttpRefusal (426, or 400 beside an Upgrade) for the keys of a WebSocket without `Connection: Upgrade`.

    A proxy has taken these away, as they are for one hop (RFC 9110, 7.6.1), and has no setting that adds its own.
    """
    headers = request.headers
    if not headers.has_any(_KEYS) or "upgrade" in headers.tokens("Connection"):
        return
    if "Upgrade" in headers:
        raise HttpRefusal(Reason.UPGRADE_REMOVED, "Upgrade without 'Connection: Upgrade'", status=400)
    raise HttpRefusal(Reason.UPGRADE_REMOVED, "a WebSocket key without Upgrade", UPGRADE_NEEDED)


def end_to_end(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Return the end-to-end headers: not those of this hop or of the handshake, and no empty ones.

    An old Flash client sends `Cookie:` without a value.
    """
    kept = exchange.end_to_end(headers, _DROPPED)
    return tuple([item for item in kept if item[1] and not key_of(item[0]).startswith(_HANDSHAKE)])


def is_plain(text: str) -> bool:
    """Return whether a value may be repeated unchanged in a reply: printable ASCII without control characters."""
    return text.isascii() and text.isprintable()


def listed_subprotocols(headers: Headers, oddities: Oddities) -> tuple[str, ...]:
    """Return the subprotocols that a client of version 4 to 13 offers, each once.

    RFC 6455, 4.1, allows tokens; the drafts before it allow all characters from U+0021 to U+007E, and clients also send
    spaces. Raise HttpRefusal (400) for other names.
    """
    listed = headers.listed("Sec-WebSocket-Protocol")
    names = tuple(dict.fromkeys(listed))
    if not all(map(is_plain, names)):
        raise HttpRefusal(
            Reason.HANDSHAKE_MALFORMED, "Sec-WebSocket-Protocol lists a name with a control or a byte above 7E"
        )
    if len(names) != len(listed) or not all(map(is_token, names)):
        wrong = HttpRefusal(
            Reason.HANDSHAKE_MALFORMED, "Sec-WebSocket-Protocol lists a name twice, or one that is not a token"
        )
        oddities.need(Oddity.SUBPROTOCOL_NAMES, wrong)
    return names


def visible_subprotocols(names: list[str]) -> tuple[str, ...]:
    """Return the subprotocols of a hixie client that are offered to the upstream, each once.

    A name with a space is left out: the client wants it back unchanged, and an upstream may not know such names.
    """
    return tuple(dict.fromkeys(name for name in names if name and " " not in name and is_plain(name)))


def check_switch(headers: Headers) -> None:
    """Raise HttpRefusal (502) unless a server's 101 switches to WebSocket."""
    if headers.tokens("Upgrade") != {"websocket"}:
        raise HttpRefusal(
            Reason.TARGET_HANDSHAKE_WRONG, f"101 with Upgrade {', '.join(headers.every('Upgrade'))!r}, not 'websocket'"
        )
    if "upgrade" not in headers.tokens("Connection"):
        raise HttpRefusal(Reason.TARGET_HANDSHAKE_WRONG, "101 without 'Connection: Upgrade'")
