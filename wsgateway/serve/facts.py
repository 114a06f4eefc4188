"""Who a line of the log is about: the client, how it came, what it asked for, and where it went."""

from dataclasses import dataclass

from wsgateway.dialects import Request
from wsgateway.errors import BRIEF_CHARACTERS
from wsgateway.wire.oddities import Oddities, names

# Hosts, origins and user agents are few, however many sessions there are: each is kept once.
MOST_TEXTS = 1024


class Texts:
    """Keep one copy of each text that many sessions have in common."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def shared(self, text: str) -> str:
        """Return the first 200 characters of a text."""
        text = text[:BRIEF_CHARACTERS]
        if len(self._texts) >= MOST_TEXTS:  # somebody makes them up
            self._texts.clear()
        return self._texts.setdefault(text, text)


@dataclass(slots=True, eq=False)
class Facts:
    """What is known of a client and its request. Empty: it is not known, or there is none."""

    client: str
    """its address, or that of the proxy in front"""
    listener: str
    host: str = ""
    path: str = ""
    origin: str = ""
    agent: str = ""
    """User-Agent"""
    http: str = ""
    """the version, if that is 2"""
    forwarded_for: str = ""
    """the client, as a trusted proxy names it"""
    dialect: str = ""
    route: str = ""
    target: str = ""
    address: str = ""
    """of the target, if that is a name"""
    subprotocol: str = ""
    failed: str = ""
    """the targets that were tried before, and why they failed"""

    def take(self, request: Request, host: str, texts: Texts) -> None:
        """Take what a request says of its client; `host` is what counts as its Host."""
        headers = request.headers
        self.path = request.target.partition("?")[0][:BRIEF_CHARACTERS]
        self.host = texts.shared(host)
        # Of several nobody knows which counts: such a request is refused, and has its line all the same.
        origins = headers.every("Origin") or headers.every("Sec-WebSocket-Origin")
        self.origin = texts.shared(origins[0]) if origins else ""
        agents = headers.every("User-Agent")
        self.agent = texts.shared(agents[0]) if agents else ""

    def known(self) -> dict[str, str]:
        """Return what is known, as a line of the log has it."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}


def odd_facts(*peers: Oddities) -> dict[str, str | int]:
    """Return what the log says of the oddities of one or two peers: nothing, if there was none."""
    needed = names(oddity for each in peers for oddity in each.needed)
    passed_over = sum(each.passed_over for each in peers)
    return ({"oddities": needed} if needed else {}) | ({"passed_over": passed_over} if passed_over else {})
