"""How clients of each dialect open a connection and write, to the byte: the drafts' examples and recorded programs.

What the gateway sends is compared with literals. What a client sends is masked here, by the few lines that a draft
needs for it and not by the code under test, with the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

import hashlib
import re
from dataclasses import dataclass

import pytest

from tests.dialects.families import COVERED, FRAMES, HIXIE, MORE
from tests.heads import head_of, values
from tests.masks import masked
from tests.peers import Peer
from tests.support import Running, Upstream

# hixie-76, 1.2: the example of the draft; the proof is its answer, too.
CHALLENGE = b"^n:ds[4U"
PROOF = b"8jKS'y:G*Co,Wxa-"
KEY1 = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5"
KEY2 = "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00"
# RFC 6455, 1.3. The other answers to keys below were made with `openssl sha1`.
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
# Stands in a reply of hybi-04 where the server's own 16 bytes are, which nobody knows before.
NONCE = "AAAAAAAAAAAAAAAAAAAAAA=="
MASK_KEY = bytes.fromhex("37fa213d")
_OF_SERVERS = re.compile(rb"(?:Date|Server): [^\r]*\r\n")

_UPGRADE = ("Upgrade: WebSocket", "Connection: Upgrade")
_HYBI_UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
_SWITCHING = ("HTTP/1.1 101 Switching Protocols", *_HYBI_UPGRADE)

# What the head of each dialect needs, for tests that add to it: begins with Host, so that they can leave that out.
HIXIE75 = ("Host: example.com", *_UPGRADE, "Origin: http://example.com")
HIXIE76 = (*HIXIE75, KEY1, KEY2)
RFC6455 = ("Host: example.com", *_HYBI_UPGRADE, KEY, "Sec-WebSocket-Version: 13")


@dataclass(frozen=True)
class Opening:
    """A client that opens a connection to an upstream that accepts and adds nothing, and says Hello."""

    dialect: str
    head: bytes
    reply: bytes
    """all that comes back; behind the head, in hixie-76 and to hybi-03, once the challenge is here"""
    challenge: bytes = b""
    """what the client sends behind its head"""
    # RFC 6455, 5.7: "Hello" in one frame, masked and not.
    hello: bytes = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
    """in hybi-04 it depends on the reply, and this is the draft's example: see `Session`"""
    hello_back: bytes = b"\x81\x05Hello"
    goodbye: bytes = bytes.fromhex("88 02 03e9")
    """what it hears when the gateway stops"""
    answer: bytes = bytes.fromhex("88 02 03e9")
    """what it says to that, before it is masked"""

    @property
    def request(self) -> bytes:
        return self.head + self.challenge

    def __str__(self) -> str:
        return self.dialect

    async def accepted(self, client: Peer) -> bytes:
        """Read the reply, which must be the right one; a server may have added its name and the time.

        Returns what the reply leaves for the frames: something in hybi-04 alone.
        """
        head = await client.head()
        expected, end, _ = self.reply.partition(b"\r\n\r\n")
        reply = _OF_SERVERS.sub(b"", head)
        for nonce in values(reply, "sec-websocket-nonce"):
            reply = reply.replace(nonce.encode(), NONCE.encode())
        assert reply == expected + end
        return await self.proven(client, head)

    async def proven(self, client: Peer, head: bytes) -> bytes:
        """Read what comes behind the head of a reply, which must be the right proof; return as `accepted`."""
        _, _, proof = self.reply.partition(b"\r\n\r\n")
        assert await client.exactly(len(proof)) == proof
        nonces = values(head, "sec-websocket-nonce")
        if not nonces:
            return b""
        # hybi-04, 4.3.
        [key] = values(self.head, "sec-websocket-key")
        joined = f"{key}{nonces[0]}61AC5F19-FBBA-4540-B96F-6561F1AB40A8"
        return hashlib.sha1(joined.encode(), usedforsecurity=False).digest()

    def spelled(self, frame: bytes) -> bytes:
        """Return a frame of RFC 6455, unmasked, with the first byte that this dialect of hybi has for it."""
        if self.dialect in FRAMES:
            return frame
        first = frame[0] & 0xF0 | {0x0: 0x0, 0x1: 0x4, 0x2: 0x5, 0x8: 0x1, 0x9: 0x2, 0xA: 0x3}[frame[0] & 0x0F]
        return bytes([first ^ 0x80 if self.dialect in MORE else first]) + frame[1:]

    def written(self, frame: bytes, secret: bytes = b"") -> bytes:
        """Return a short frame as the client sends it; take it as a server would. `secret` comes from `accepted`."""
        if self.dialect in (*HIXIE, *MORE):
            return frame
        if self.dialect in COVERED:
            key = hashlib.sha1(MASK_KEY + secret, usedforsecurity=False).digest() if secret else MASK_KEY
            return MASK_KEY + masked(frame, key)
        length = {126: 4, 127: 10}.get(frame[1], 2)
        return bytes([frame[0], 0x80 | frame[1]]) + frame[2:length] + MASK_KEY + masked(frame[length:], MASK_KEY)

    async def message(self, client: Peer) -> bytes:
        """Return the next message that the client gets, in short frames, however many."""
        if self.dialect in HIXIE:
            assert await client.exactly(1) == b"\x00"
            return (await client.until(b"\xff"))[:-1]
        whole, last = b"", False
        while not last:
            first, payload = await client.frame()
            whole += payload
            last = bool(first & 0x80) is not (self.dialect in MORE)
        return whole


def _with_keys(draft: int, key1: str, key2: str, challenge: str, proof: str) -> Opening:
    """Return what websocket-ruby 1.2.9 sends as a client of hybi-01 to hybi-03, and its server's proof, as recorded.

    Its frames in 01 and 02 are not those of the drafts; these are the drafts' own, of pywebsocket too.
    """
    return Opening(
        f"hybi-0{draft}",
        head_of(
            "GET /demo?x=1 HTTP/1.1",
            *_UPGRADE,
            "Host: example.com:8080",
            "Origin: http://example.com",
            f"Sec-WebSocket-Key1: {key1}",
            f"Sec-WebSocket-Key2: {key2}",
            f"Sec-WebSocket-Draft: {draft}",
        ),
        head_of(
            "HTTP/1.1 101 WebSocket Protocol Handshake",
            *_UPGRADE,
            "Sec-WebSocket-Origin: http://example.com",
            "Sec-WebSocket-Location: ws://example.com:8080/demo?x=1",
        )
        + bytes.fromhex(proof),
        challenge=bytes.fromhex(challenge),
        hello=b"\x04\x05Hello",
        hello_back=b"\x04\x05Hello",
        goodbye=b"\x01\x00",
        answer=b"\x01\x00",
    )


OPENINGS = [
    Opening(
        "hixie-75",
        # WebKit of early 2010.
        head_of("GET /demo?x=1 HTTP/1.1", *_UPGRADE, "Host: example.com", "Origin: http://example.com"),
        head_of(
            "HTTP/1.1 101 Web Socket Protocol Handshake",
            *_UPGRADE,
            "WebSocket-Origin: http://example.com",
            "WebSocket-Location: ws://example.com/demo?x=1",
        ),
        hello=b"\x00Hello\xff",
        hello_back=b"\x00Hello\xff",
        goodbye=b"",
        answer=b"",
    ),
    Opening(
        "hixie-76",
        # hixie-76, 1.2, without its subprotocol.
        head_of("GET /demo HTTP/1.1", *HIXIE76),
        head_of(
            "HTTP/1.1 101 WebSocket Protocol Handshake",
            *_UPGRADE,
            "Sec-WebSocket-Origin: http://example.com",
            "Sec-WebSocket-Location: ws://example.com/demo",
        )
        + PROOF,
        challenge=CHALLENGE,
        hello=b"\x00Hello\xff",
        hello_back=b"\x00Hello\xff",
        goodbye=b"\xff\x00",
        answer=b"\xff\x00",
    ),
    _with_keys(
        1,
        "3   8t  3 00 0541  3R",
        "3 '~98199$5~   4 75y",
        "b3296c76e0c379b1",
        "3635910649708b859c4f45a7692baf07",
    ),
    _with_keys(
        2,
        "4  03   ;   4 9 52 6 36M/",
        "H1 1m5E  40 [    6 )2q818",
        "2fef9cc879310588",
        "059ad22388be6f2ab26b1780e6aad9e8",
    ),
    _with_keys(
        3,
        "1      /818 4 >62    972",
        "6776 | 3 8  9  F6y2",
        "e8eadd16caf9d366",
        "59a78432af2ed9966620a40b8e1c7359",
    ),
    Opening(
        "hybi-04",
        # pywebsocket of March 2011, recorded, without its subprotocols.
        head_of(
            "GET /demo?x=1 HTTP/1.1",
            "Host: example.com:8080",
            *_HYBI_UPGRADE,
            KEY,
            "Sec-WebSocket-Origin: http://example.com",
            "Sec-WebSocket-Version: 4",
        ),
        head_of(*_SWITCHING, ACCEPT, f"Sec-WebSocket-Nonce: {NONCE}"),
        # The draft's own, for the nonce AQIDBAUGBwgJCgsMDQ4PEC==.
        hello=bytes.fromhex("37fa213d 06457dc9392a52"),
        hello_back=b"\x84\x05Hello",
        goodbye=b"\x81\x00",
        answer=b"\x81\x00",
    ),
    Opening(
        "hybi-05",
        # libwebsockets of February 2011, recorded, without its subprotocol.
        head_of(
            "GET / HTTP/1.1",
            "Host: 127.0.0.1",
            *_HYBI_UPGRADE,
            "Sec-WebSocket-Key: Hs/JcCKn6oJsuHncDdkQ/w==",
            "Sec-WebSocket-Origin: 127.0.0.1",
            "Sec-WebSocket-Version: 5",
        ),
        head_of(*_SWITCHING, "Sec-WebSocket-Accept: gzf2I1XSqs2JiNro4mrC62dXPZs="),
        hello=bytes.fromhex("37fa213d b3ff69585b964e"),
        hello_back=b"\x84\x05Hello",
        goodbye=b"\x81\x01S",
        answer=b"\x81\x01C",
    ),
    Opening(
        "hybi-06",
        # pywebsocket of March 2011, recorded.
        head_of(
            "GET /demo?x=1 HTTP/1.1",
            "Host: example.com:8080",
            *_HYBI_UPGRADE,
            KEY,
            "Sec-WebSocket-Origin: http://example.com",
            "Sec-WebSocket-Version: 6",
        ),
        head_of(*_SWITCHING, ACCEPT),
        hello=bytes.fromhex("37fa213d b3ff69585b964e"),
        hello_back=b"\x84\x05Hello",
        goodbye=bytes.fromhex("81 02 03e9"),
        answer=bytes.fromhex("81 02 03e9"),
    ),
    Opening(
        "hybi-07",
        # Firefox 6, recorded.
        head_of(
            "GET / HTTP/1.1",
            "Host: 81.0.231.149:81",
            "User-Agent: Mozilla/5.0 (Windows NT 6.1; WOW64; rv:6.0) Gecko/20100101 Firefox/6.0",
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language: sk,cs;q=0.8,en-us;q=0.5,en;q=0.3",
            "Accept-Encoding: gzip, deflate",
            "Accept-Charset: ISO-8859-2,utf-8;q=0.7,*;q=0.7",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Version: 7",
            "Sec-WebSocket-Origin: http://html5.bauglir.dev",
            "Sec-WebSocket-Key: HgBKcPfdBSzjCYxGnWCO3g==",
            "Pragma: no-cache",
            "Cache-Control: no-cache",
            "Upgrade: websocket",
            "Cookie: __utma=1",
        ),
        head_of(*_SWITCHING, "Sec-WebSocket-Accept: a0nyM64D16W27Chda1gmuNfpAqQ="),
    ),
    Opening(
        "hybi-08",
        # Chrome 14, recorded.
        head_of(
            "GET / HTTP/1.1",
            *_HYBI_UPGRADE,
            "Host: 81.0.231.149:81",
            "Sec-WebSocket-Origin: http://html5.bauglir.dev",
            "Sec-WebSocket-Key: Q9ceXTuzjdF2o23CRYvnuA==",
            "Sec-WebSocket-Version: 8",
        ),
        head_of(*_SWITCHING, "Sec-WebSocket-Accept: 3ee8Zo5szukQEYtPKOLyzzlDjHs="),
    ),
    Opening(
        "rfc6455",
        # RFC 6455, 1.2, without its subprotocols.
        head_of(
            "GET /chat HTTP/1.1",
            "Host: server.example.com",
            *_HYBI_UPGRADE,
            KEY,
            "Origin: http://example.com",
            "Sec-WebSocket-Version: 13",
        ),
        head_of(*_SWITCHING, ACCEPT),
        goodbye=bytes.fromhex("88 02 03f4"),
        answer=bytes.fromhex("88 02 03f4"),
    ),
]
every_dialect = pytest.mark.parametrize("opening", OPENINGS, ids=str)
BY_DIALECT = {opening.dialect: opening for opening in OPENINGS}


@dataclass
class Session:
    """A session from both ends, whose client's handshake is over; the upstream speaks RFC 6455."""

    opening: Opening
    client: Peer
    behind: Peer
    secret: bytes

    def masked(self, *frames: bytes) -> bytes:
        """Return short frames as this client sends them."""
        return b"".join(self.opening.written(frame, self.secret) for frame in frames)

    @property
    def hello(self) -> bytes:
        """Hello, as this client sends it."""
        return self.masked(self.opening.hello_back)

    async def works(self) -> None:
        """Ask and answer once."""
        await self.client.send(self.hello)
        assert await self.behind.frame() == (0x81, b"Hello")
        await self.behind.send(b"\x81\x05Hello")
        assert await self.client.exactly(len(self.opening.hello_back)) == self.opening.hello_back

    async def ends(self) -> None:
        """Close the connections of both peers, so that the gateway waits for neither."""
        await self.client.close()
        await self.behind.close()


async def opened(upstream: Upstream, gateway: Running, opening: Opening) -> Session:
    """Return a session that a client of this dialect has just opened."""
    client = await gateway.connect(opening.request)
    behind, _ = await upstream.agree()
    return Session(opening, client, behind, await opening.accepted(client))
