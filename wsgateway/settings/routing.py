"""Which requests a route takes, and what it changes of them: parts of the configuration, complete and frozen."""

from dataclasses import dataclass
from typing import Literal

from wsgateway.settings.regexes import Regex

PathForm = Literal["as_sent", "normalised"]
Permission = Literal["allow", "refuse"]


@dataclass(frozen=True, slots=True)
class Origins:
    """From which pages clients may come."""

    allow: tuple[str, ...] = ("*",)
    """scheme://host[:port], scheme://*.host[:port], or * for all"""
    missing: Permission = "allow"
    """for clients that send no Origin, as programs do"""
    opaque: Permission = "allow"
    """for the Origin null: of pages from files, and of frames that any page puts into a sandbox"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    """Which paths a route takes: exactly one of them is set."""

    prefix: str | None = None
    """whole segments: /chat takes /chat and /chat/x, not /chatter; a slash at its end makes no difference"""
    exact: str | None = None
    """nothing but this path"""
    regex: Regex | None = None
    """which must match all of it"""

    def matches(self, path: str) -> bool:
        """Takes a path without its query, normalised as the prefix and the exact path are (`wsgateway.wire.paths`)."""
        if self.regex is not None:
            return self.regex.fullmatch(path) is not None
        if self.prefix is None:
            return path == self.exact
        stem = self.prefix.rstrip("/")
        return path == stem or path.startswith(stem + "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a route takes: those for which all of it is true. Empty: that does not matter."""

    path: PathMatch
    hosts: tuple[str, ...] = ()
    """names in lower case without port, or *.name"""
    subprotocols: tuple[str, ...] = ()
    """one of which the client must offer"""
    headers: tuple[tuple[str, str], ...] = ()
    """all of which it must send, values as they stand; * for any value"""
    listeners: tuple[str, ...] = ()
    """one of which it must have come by"""
    upgrade: bool | None = None
    """whether it must ask for WebSocket, or must not"""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """How the path changes on its way to the upstream."""

    strip_prefix: str = ""
    """whole segments at its beginning that are taken away; normalised"""
    add_prefix: str = ""
    """what is put in front then"""
    path: PathForm = "as_sent"
    """how the rest of it goes on: as the client sent it, or as it was compared with the routes"""


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """What becomes of the headers on their way to the upstream."""

    set: tuple[tuple[str, str], ...] = ()
    """in the place of any of that name; {dialect}, {client_ip}, {listener} and {route} are filled in"""
    remove: tuple[str, ...] = ()
    """in lower case; with a star at the end all that begin so"""
    keep: tuple[str, ...] | None = None
    """as `remove`: nothing else but the handshake goes on, and what is set; None: all does"""
    underscores: tuple[str, ...] = ()
    """in lower case: the headers of clients with an underscore in their name, and Proxy, that may go on"""
