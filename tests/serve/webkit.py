"""A WebKit of 2011 as in PhantomJS 1.9.8: its requests, recorded, and the replies that it accepts."""

from dataclasses import dataclass

from tests.heads import head_of
from tests.peers import Peer
from tests.support import Running, Upstream

UPGRADE = ("Upgrade: WebSocket", "Connection: Upgrade")


@dataclass(frozen=True)
class WebKit:
    """A recorded request of PhantomJS 1.9.8."""

    key1: str
    key2: str
    challenge: str
    proof: str
    target: bytes = b"/demo?x=1"
    origin: str = "http://app.test"
    protocol: str | None = None
    host: str = "127.0.0.1:34829"

    @property
    def request(self) -> bytes:
        lines = [*UPGRADE, f"Host: {self.host}", f"Origin: {self.origin}"]
        if self.protocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.protocol}")
        lines += [f"Sec-WebSocket-Key1: {self.key1}", f"Sec-WebSocket-Key2: {self.key2}"]
        return head_of(f"GET {self.target.decode('latin-1')} HTTP/1.1", *lines) + bytes.fromhex(self.challenge)

    @property
    def reply(self) -> bytes:
        """Return the reply that it accepts, byte for byte."""
        lines = [
            *UPGRADE,
            f"Sec-WebSocket-Origin: {self.origin}",
            f"Sec-WebSocket-Location: ws://{self.host}{self.target.decode('latin-1')}",
        ]
        if self.protocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.protocol}")
        return head_of("HTTP/1.1 101 WebSocket Protocol Handshake", *lines) + bytes.fromhex(self.proof)

    async def opened(self, upstream: Upstream, gateway: Running, *agreed: str) -> tuple[Peer, Peer]:
        """Open its session; the upstream answers with these headers, too. Return both ends."""
        client = await gateway.connect(self.request)
        behind, _ = await upstream.agree(*agreed)
        assert await client.exactly(len(self.reply)) == self.reply
        return client, behind


PHANTOMJS = WebKit(
    "A cgv1 72  62no7e  [  O52y [_04",
    "1> 915w    9    3 PdL _424)T",
    "be524fe9b55f5e31",
    "c717f3eb435bf896dcfd63f34d18b2c8",
)
