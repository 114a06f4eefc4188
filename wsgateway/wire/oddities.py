"""The oddities: deviations from drafts and RFCs that peers in the field have, each with a name.

This table is the only place with the names: configuration, log, metrics, tests and documentation read it. An oddity is
allowed or refused where it is detected. A deviation that could make two hops disagree about where a message ends has no
name: it is refused with every setting.
"""

import enum
from collections.abc import Iterable
from typing import Literal, Self

from wsgateway.errors import HttpRefusal

PeerRole = Literal["client", "upstream"]
# The configuration keys that allow an oddity, for each side.
KEYS: dict[PeerRole, str] = {"client": "listeners[].tolerance", "upstream": "upstreams.X.tolerance"}


class Oddity(enum.Enum):
    """One deviation: its name, the side that has it, whether it is allowed by default, and a description."""

    ABSOLUTE_TARGET = (
        "absolute-target", "client", True,
        "The request line has a whole address of http, https, ws or wss. Its host and port count, and its name must be"
        " that of Host.",
    )  # fmt: skip
    EMPTY_LINES = "empty-lines", "client", True, "1 to 4 empty lines (CR LF) stand before a request."
    RAW_TARGET = (
        "raw-target", "client", True,
        "The target has bytes above 7F. They are percent-encoded for the upstream; Location has them as they came.",
    )  # fmt: skip
    KEY_FORM = (
        "key-form", "client", True,
        "Sec-WebSocket-Key is not base64 of 16 bytes (in drafts 04 to 08: no base64), but 1 to 256 visible characters.",
    )  # fmt: skip
    SUBPROTOCOL_NAMES = (
        "subprotocol-names", "client", True,
        "Sec-WebSocket-Protocol lists names that are no tokens, but printable ASCII, or lists a name twice.",
    )  # fmt: skip
    NO_ORIGIN = (
        "no-origin", "client", True,
        "A request of hixie-75 or -76 has no Origin. Then the reply has none. `origins.missing` must allow it, too.",
    )  # fmt: skip
    HEADER_CONTROLS = (
        "header-controls", "client", True,
        "A header that the gateway neither reads nor repeats has control characters. They are taken out.",
    )  # fmt: skip
    HOST_FORM = (
        "host-form", "client", True,
        "Host ends in a colon without a port, or is an IPv6 address without brackets, which it gets.",
    )  # fmt: skip
    UPGRADE_LIST = "upgrade-list", "client", True, "Upgrade names websocket in a list, or twice."
    BARE_LF = "bare-lf", "client", False, "The lines of an upgrade end in LF alone."
    HTTP_1_0 = "http-1.0", "client", False, "An upgrade says HTTP/1.0."
    NO_HOST = (
        "no-host", "client", False,
        "An upgrade has no Host. The address of the listener is taken as its Host, also for Location.",
    )  # fmt: skip
    FRAMES_BEHIND_PROOF = (
        "frames-behind-proof", "upstream", True,
        "A server of hixie-75 or -76 sends one empty line (CR LF) between its handshake and its first frame.",
    )  # fmt: skip
    UNASKED_SUBPROTOCOL = (
        "unasked-subprotocol", "upstream", True,
        "A server of hixie-75 or -76 names a subprotocol that was not offered. It means none.",
    )  # fmt: skip
    KEY_MASK_04 = (
        "key-mask-04", "client", True,
        "A client of hybi-04 masks its frames with the key of the connection instead of a key of the frame.",
    )  # fmt: skip

    def __init__(self, label: str, side: PeerRole, default: bool, what: str) -> None:
        self.label = label
        """the name, as the configuration, the log and the metrics have it"""
        self.side = side
        """the side that has it"""
        self.default = default
        """whether it is allowed where the configuration does not say"""
        self.what = what
        """the description for people"""

    def __str__(self) -> str:
        return self.label

    @classmethod
    def of(cls, side: PeerRole) -> dict[str, Self]:
        """Return the oddities of one side by their names, in the order of the table."""
        return {each.label: each for each in cls if each.side == side}


Tolerance = frozenset[Oddity]
"""the oddities that a peer is allowed"""

EVERY: dict[PeerRole, Tolerance] = {side: frozenset(Oddity.of(side).values()) for side in KEYS}
DEFAULT: dict[PeerRole, Tolerance] = {
    side: frozenset(each for each in every if each.default) for side, every in EVERY.items()
}


class Oddities:
    """The oddities that one peer is allowed and those that it has shown, in its request or response and its session."""

    __slots__ = ("allowed", "needed", "passed_over")

    def __init__(self, allowed: Tolerance = DEFAULT["client"] | DEFAULT["upstream"], needed: tuple[Oddity, ...] = ()):
        self.allowed = allowed
        self.needed = needed
        """the allowed oddities that the peer has shown, each once, in the order in which they were detected"""
        self.passed_over = 0
        """how many frames without a meaning were skipped, as the hixie drafts require"""

    def need(self, oddity: Oddity, refusal: HttpRefusal) -> None:
        """Note that the peer has shown this oddity. Raise `refusal` if it is not allowed.

        The refusal then names, for the log alone, the oddity and the key that would allow it.
        """
        if oddity not in self.allowed:
            refusal.remark = f"{KEYS[oddity.side]}: {oddity} would allow it"
            raise refusal
        self.note(oddity)

    def note(self, oddity: Oddity) -> None:
        """Note an oddity that the peer is allowed and has shown."""
        if oddity not in self.needed:
            self.needed = (*self.needed, oddity)


def names(oddities: Iterable[Oddity]) -> str:
    """Return the names of oddities as one value of the log, separated by commas."""
    return ",".join(map(str, oddities))
