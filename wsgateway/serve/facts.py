"""The facts about a client and its request for a line of the log: addresses, headers, route and target."""

from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Protocol

from wsgateway.dialects import Request
from wsgateway.errors import BRIEF_CHARACTERS
from wsgateway.wire.oddities import Oddities, Oddity, names

# There are few different hosts, origins and user agents, however many sessions: each text is kept once.
MOST_TEXTS = 1024


class Texts:
    """A store that keeps one copy of each text that many sessions share."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def shared(self, text: str) -> str:
        """Return the first 200 characters of a text."""
        text = text[:BRIEF_CHARACTERS]
        if len(self._texts) >= MOST_TEXTS:  # some client makes them up
            self._texts.clear()
        return self._texts.setdefault(text, text)


class Connection(Protocol):
    """The connection of a client. As a text it is the client's address, or that of the proxy before it."""

    ip: str
    """that address alone; UNIX if there is none"""

    alpn: str | None
    """the protocol that was negotiated in TLS"""
    secure: bool
    """whether it is encrypted, to us or to its proxy"""
    tls_version: str | None
    """the version of that encryption; None if it is not known"""


@dataclass(slots=True, eq=False)
class Facts:
    """The known facts about a client and its request. Empty: not known, or there is none."""

    client: Connection
    """a PROXY header may give it another address later"""
    listener: str
    host: str = ""
    path: str = ""
    origin: str = ""
    agent: str = ""
    """User-Agent"""
    forwarded_for: str = ""
    """the client, as a trusted proxy names it"""
    dialect: str = ""
    route: str = ""
    target: str = ""
    address: str = ""
    """the address of the target, if the target is a host name"""
    subprotocol: str = ""
    failed: str = ""
    """the targets that were tried before, and why they failed"""

    def take(self, request: Request, host: str, texts: Texts) -> None:
        """Take the facts of a request about its client; `host` is what counts as its Host."""
        headers = request.headers
        self.path = request.target.partition("?")[0][:BRIEF_CHARACTERS]
        self.host = texts.shared(host)
        # With several it is not clear which one counts: such a request is refused, but has its line in the log.
        origins = headers.every("Origin") or headers.every("Sec-WebSocket-Origin")
        self.origin = texts.shared(origins[0]) if origins else ""
        agents = headers.every("User-Agent")
        self.agent = texts.shared(agents[0]) if agents else ""

    def profile(self, oddities: tuple[Oddity, ...]) -> tuple[object, ...]:
        """Return what the census counts a client with these oddities under: a `Profile` without names."""
        client = self.client
        tls = (client.tls_version or "of a proxy") if client.secure else ""
        return (self.dialect, self.route, self.listener, self.host, self.origin, self.agent, tls, oddities)

    @property
    def client_ip(self) -> str:
        """The address of the client itself; UNIX if it is not known."""
        return self.forwarded_for or self.client.ip

    def known(self) -> dict[str, str]:
        """Return the known facts as fields of a log line."""
        values = _values_of(self)
        facts = dict(compress(zip(_NAMES, values, strict=True), values))  # without the empty ones
        facts["client"] = str(self.client)
        if self.client.alpn == "h2":
            facts["http"] = "2"
        return facts


_NAMES = Facts.__slots__
_values_of = attrgetter(*_NAMES)


def odd_facts(*peers: Oddities) -> dict[str, str | int]:
    """Return the fields of a log line about the oddities of one or two peers; none if there are none."""
    facts: dict[str, str | int] = {}
    if any(each.needed for each in peers):
        facts["oddities"] = names(oddity for each in peers for oddity in each.needed)
    if passed_over := sum([each.passed_over for each in peers]):
        facts["passed_over"] = passed_over
    return facts
