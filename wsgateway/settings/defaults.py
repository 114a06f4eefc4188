"""The section `defaults`: what holds for the sessions of all routes, unless a route says otherwise."""

from typing import Literal

from wsgateway.dialects import DIALECTS, Limits
from wsgateway.settings.declare import List, key, section
from wsgateway.settings.dialects import ranges
from wsgateway.settings.values import (
    Count,
    Dialects,
    Duration,
    DurationOrNone,
    Flag,
    JoinSize,
    MessageSize,
    OriginPattern,
    RateOrNone,
    SomeDialects,
    Subprotocols,
)
from wsgateway.wire.binary import BinaryRule, Decode, Encode
from wsgateway.wire.utf8 import InvalidUtf8

LocationScheme = Literal["auto", "ws", "wss"]
Extensions = Literal["forward", "none"]
Fragments = Literal["keep", "join"]
OverRate = Literal["close", "delay"]
Permission = Literal["allow", "refuse"]


@section
class Binary(BinaryRule):
    """Translate binary messages where one side, client or upstream, has only text."""

    encode: Encode = key(
        "Text that a binary message to that side becomes.",
        default="reject",
        values={
            "reject": "none; the sender gets a Close 1003",
            "base64": "as RFC 4648 has it, padded",
            "latin-1": "a character U+0000 to U+00FF for each byte",
            "hex": "two digits for each byte",
        },
    )
    decode: Decode = key(
        "Code by which text messages from that side become binary: base64, latin-1 or hex. none: they stay text.",
        default="none",
    )
    text_only: Dialects = key(
        "More dialects whose clients get only text, such as the browsers of 2011.",
        default=[],
        example=["hybi-07..08"],
    )


@section
class Origins:
    """Choose the pages that clients may come from. Clients of other pages are answered 403."""

    allow: List[OriginPattern] = key(
        "Origins that are allowed, with *. before a host for all hosts below it, or * for all origins.",
        default=["*"],
        example=["https://app.example.com", "https://*.example.com"],
    )
    missing: Permission = key(
        "Whether clients without an Origin are allowed. Programs send none, browsers do.", default="allow"
    )
    opaque: Permission | None = key(
        "Whether the Origin null is allowed. Pages from local files have it, as on kiosks, and every page can have it,"
        " by a sandboxed frame. If it is left out: allow where `allow` has *, else refuse.",
        default=None,
        example="refuse",
        old_names=("null",),
    )

    @property
    def opaque_allowed(self) -> bool:
        """Whether the Origin null is allowed. Any page can have it, so by default it is as good as *."""
        return "*" in self.allow if self.opaque is None else self.opaque == "allow"


@section
class Timeouts:
    """Limit how long a session waits. Each time is more than 0s."""

    handshake_seconds: Duration = key(
        "From the client's connection to our 101. The timeout of a route counts from when the head is read.",
        name="handshake",
        default="10s",
    )
    challenge_seconds: Duration = key(
        "For the 8 bytes that a hixie-76 client sends behind its head.", name="challenge", default="5s"
    )
    connect_seconds: Duration = key("For an upstream to accept a connection.", name="connect", default="5s")
    idle_seconds: DurationOrNone = key(
        "For either side to send anything, a ping too. none: no limit.", name="idle", default="none"
    )
    close_seconds: Duration = key(
        "For each step of the end of a session: a peer's Close, the rest of a message when the gateway stops, the last"
        " answer of an upstream. All steps together may take four times this.",
        name="close",
        default="5s",
    )
    send_seconds: Duration = key(
        "For a peer to take any of what it is sent: its kernel must acknowledge some of it.", name="send", default="30s"
    )
    lifetime_seconds: DurationOrNone = key(
        "For a whole session. Then the gateway closes it. none: no limit.", name="lifetime", default="none"
    )
    response_seconds: DurationOrNone = key(
        "For plain HTTP: until an upstream begins its answer, and between pieces of it, as of polls and event streams."
        " none: no limit.",
        name="response",
        default="120s",
    )


@section
class Keepalive:
    """Ask a silent peer whether it is still there: by a ping, or by TCP where a dialect has no ping."""

    interval_seconds: DurationOrNone = key(
        "Silence before a peer is asked. none: it is not asked.", name="interval", default="30s"
    )
    timeout_seconds: Duration = key("Time for any answer.", name="timeout", default="20s")


@section
class SessionLimits(Limits):
    """Limit what a client or an upstream may send, and how often a client may."""

    message_bytes: MessageSize = key("Payload of a message.", name="message_size", default="16MiB")
    fragments: Count = key(
        "Frames in which a message may come. In how many it leaves is the key `fragments` outside of `limits`.",
        default=65536,
        unit="frames",
    )
    join_bytes: JoinSize = key(
        "Part of a message that is held back so that the message leaves as one frame, where the length of the other"
        " side's frame cannot be known before, as of text from hixie. A longer message leaves in fragments. 0B: nothing"
        " is held back.",
        name="join",
        default="64KiB",
    )
    message_rate: RateOrNone = key(
        "Messages of the client in a session. none: no limit.", default="none", example="100/s"
    )
    message_rate_action: OverRate = key(
        "What happens to a client that sends more.",
        default="close",
        values={"close": "a Close 1008 ends its session", "delay": "it is read more slowly"},
    )
    handshake_rate: RateOrNone = key(
        "Handshakes of one address. More are answered 429. none: no limit.", default="none", example="10/s"
    )


@section(kw_only=True)
class Defaults:
    """Set what holds for all routes that do not say otherwise."""

    dialects: SomeDialects = key(
        "Dialects that clients may speak: names, and ranges. Clients of other dialects are answered 426 with the"
        " versions that are possible if their dialect knows versions, and 400 if not.",
        default=ranges(DIALECTS),
    )
    binary: Binary = key(default={})
    subprotocols: Subprotocols | None = key(
        "Subprotocols that the upstream is told by another name. The client is answered by its own name, and routes"
        " match that name. If it is left out, base64 becomes binary for clients that have only text, where `encode` and"
        " `decode` are base64: noVNC of 2011 to 2015 requests base64, and servers of today know only binary.",
        default=None,
        example={"base64": "binary"},
    )
    invalid_utf8: InvalidUtf8 = key(
        "Text that is not UTF-8, in dialects before hybi-07. Old WebKits send halves of characters.",
        default="replace",
        values={"replace": "the broken part becomes U+FFFD", "close": "the session ends with 1007"},
    )
    location_scheme: LocationScheme = key(
        "Scheme of the address that the gateway repeats to hixie clients, which refuse another one than their own."
        " auto: as the client's connection is. Behind a proxy that ends TLS it must be wss.",
        default="auto",
    )
    origins: Origins = key(default={})
    extensions: Extensions = key(
        "Whether client and upstream may agree on permessage-deflate, where both speak rfc6455.",
        default="forward",
        values={"forward": "they may", "none": "they may not"},
    )
    fragments: Fragments = key(
        "How a message that comes in several frames leaves for the client. `limits.fragments` limits their number.",
        default="keep",
        values={
            "keep": "in the same frames",
            "join": "in one frame, for clients that take each frame for a message. A message longer than `limits.join`"
            " is refused (1009), and no compression is agreed",
        },
    )
    unprefixed_headers: Flag = key(
        "Whether the reply to hixie-76 has WebSocket-Origin and WebSocket-Location beside those with Sec-, for clients"
        " that were written after tutorials with these names.",
        default=False,
    )
    timeouts: Timeouts = key(default={})
    keepalive: Keepalive = key(default={})
    limits: SessionLimits = key(default={})

    @property
    def joins(self) -> bool:
        """Whether messages to the client leave as one frame each."""
        return self.fragments == "join"
