"""The heads of HTTP/1.1 requests and responses as data: first lines, headers, and the limits for both."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.repair import is_token

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """The bounds of a head: its size in bytes with the blank line, and the number of its headers.

    16 KiB is twice what Apache accepts for one line, and what h11 allows. No browser sends 100 headers.
    """

    head_bytes: int = 16 * 1024
    headers: int = 100

    def check_count(self, count: int, reason: Reason) -> None:
        """Raise HttpRefusal for more headers than are allowed."""
        if count > self.headers:
            raise HttpRefusal(reason, f"{count} headers, at most {self.headers} are allowed")


LIMITS = HeadLimits()
"""the limits where no others are given"""


# Peers send few names, in few spellings, and hardly any is this long. More are kept for nobody who makes them up.
_MOST_NAMES = 256
_MOST_CHARACTERS = 64


class Names(dict[str, Made]):
    """The results of a function of header names, or of short values, kept for a bounded number: `of` returns them."""

    def __init__(self, make: Callable[[str], Made], most_characters: int = _MOST_CHARACTERS) -> None:
        """Take the function; its results for longer texts than `most_characters` are not kept."""
        self._make = make
        self._most_characters = most_characters
        self.of = self.__getitem__

    def __missing__(self, name: str) -> Made:
        made = self._make(name)
        if len(name) <= self._most_characters:
            if len(self) >= _MOST_NAMES:
                self.clear()
            self[name] = made
        return made


key_of = Names(lambda name: name.lower() if is_token(name) else "").of
"""Return the name of a header in lower case; an empty text for what is no name, but something else than a token."""

_members_of = Names(lambda value: [part for each in value.split(",") if (part := each.strip(" \t"))]).of
"""Return the members of a comma-separated list; empty ones do not count. What a header lists is seldom new."""

_tokens_of = Names(lambda value: frozenset(map(str.lower, _members_of(value)))).of
"""Return these members in lower case."""

plain_name = Names(lambda name: name.lower().replace("_", "-")).of
"""Return the name of a header as CGI and WSGI compare names: without regard to case, and an underscore is a hyphen."""


_NO_TOKENS: frozenset[str] = frozenset()


class Headers:
    """Headers in the order of the wire. Names are found in any case; values are the bytes as text (Latin-1)."""

    __slots__ = ("_items", "_keys", "_raw", "_repeated", "_values")

    def __init__(self, items: Iterable[tuple[str, str]], raw: Iterable[str] | None = None) -> None:
        """Take names and trimmed values; for a head that was read also its untrimmed values, in the same order.

        The untrimmed values are iterated when one of them is needed, which is seldom.
        """
        self._items = tuple(items)
        self._raw = raw
        names, values = zip(*self._items, strict=True) if self._items else ((), ())
        self._keys = keys = tuple(map(key_of, names))
        # Both by these keys. Hardly any head has two headers of a name.
        self._values: dict[str, str] = dict(zip(keys, values, strict=True))
        self._repeated: dict[str, list[str]] = {}
        if len(self._values) < len(keys):
            every: dict[str, list[str]] = {}
            for key, value in zip(keys, values, strict=True):
                every.setdefault(key, []).append(value)
            self._repeated = {key: several for key, several in every.items() if len(several) > 1}

    def _places(self, name: str) -> list[int]:
        """Return the positions of the headers of this name."""
        key = name.lower()
        return [at for at, each in enumerate(self._keys) if each == key]

    def _untrimmed(self) -> tuple[str, ...]:
        """Return the untrimmed values of all headers."""
        if self._raw is None:
            return tuple(value for _, value in self._items)
        self._raw = raw = tuple(self._raw)
        return raw

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def has_any(self, keys: frozenset[str]) -> bool:
        """Return whether there is a header of one of these names, which are in lower case."""
        return not keys.isdisjoint(self._values)

    @property
    def are_named(self) -> bool:
        """Whether every name is a token."""
        return "" not in self._values

    def index(self, name: str) -> int | None:
        """Return the position of the first header of this name; None if there is none."""
        key = name.lower()
        return self._keys.index(key) if key in self._values else None

    def every(self, name: str) -> list[str]:
        """Return the trimmed values of all headers of this name."""
        key = name.lower()
        value = self._values.get(key)
        return [] if value is None else self._repeated.get(key) or [value]

    def one(self, name: str) -> str | None:
        """Return the trimmed value, None if there is none. Raise HttpRefusal (400) if there are several headers."""
        key = name.lower()
        if key in self._repeated:
            several = len(self._repeated[key])
            raise HttpRefusal(Reason.REQUEST_MALFORMED, f"{several} {name} headers, at most one is allowed")
        return self._values.get(key)

    def raw(self, name: str) -> str | None:
        """Return the value as `one` does, but with everything that stood after the colon and one space."""
        return None if self.one(name) is None else self._untrimmed()[self._keys.index(name.lower())]

    def sent(self, name: str) -> list[str]:
        """Return the values as `every` does, but with the control characters that have been removed from them."""
        return [self._untrimmed()[at].strip(" \t") for at in self._places(name)]

    def replaced(self, name: str, value: str) -> "Headers":
        """Return these headers with another value for every header of this name."""
        places = self._places(name)
        items = ((each, value) if at in places else (each, old) for at, (each, old) in enumerate(self._items))
        return Headers(items, [value if at in places else old for at, old in enumerate(self._untrimmed())])

    def encoded(self) -> list[tuple[bytes, bytes]]:
        """Return names and values as bytes, the form that h11 takes. Raise UnicodeError if that is not possible."""
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in self._items]

    def listed(self, name: str) -> list[str]:
        """Return the members of a comma-separated list, which may span several headers; empty members do not count."""
        values = self.every(name)
        return [each for value in values for each in _members_of(value)] if values else []

    def tokens(self, name: str) -> frozenset[str]:
        """Return the members of a list in lower case, for a list that is compared without regard to case."""
        key = name.lower()
        if key in self._repeated:
            return _NO_TOKENS.union(*map(_tokens_of, self._repeated[key]))
        value = self._values.get(key)
        return _NO_TOKENS if value is None else _tokens_of(value)


@dataclass(slots=True)
class Request:
    """The head of a request."""

    target: str
    """as h11 read it: percent-encoded, ASCII"""
    headers: Headers
    method: str = "GET"
    raw_target: bytes = b""
    """as the client sent it; empty if that is the same"""
    version: str = "1.1"
    """the version of HTTP"""
    oddities: Oddities = field(default_factory=Oddities, compare=False, repr=False)
    """the oddities that its client is allowed and has shown"""

    @property
    def sent_target(self) -> str:
        """The target exactly as the client sent it, as text of its bytes (Latin-1)."""
        return self.raw_target.decode("latin-1") or self.target


@dataclass(slots=True)
class Response:
    """The head of a response."""

    status: int
    reason: str
    headers: Headers = field(default_factory=lambda: Headers(()))
    oddities: Oddities = field(default_factory=Oddities, compare=False, repr=False)
    """the oddities that its server is allowed and has shown"""


def requests_websocket(headers: Headers) -> bool:
    """Return whether Upgrade names WebSocket, alone or in a list, which the dialects judge.

    An upgrade to anything else is hop-by-hop, and the request is as plain as without it (RFC 9110, 7.8).
    """
    upgrades = headers.tokens("Upgrade")
    return "websocket" in upgrades or any(each.startswith("websocket/") for each in upgrades)
