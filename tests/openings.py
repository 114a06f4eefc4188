"""How clients of each dialect open a connection, to the byte: the drafts' examples and recorded browsers."""

from dataclasses import dataclass

from tests.support import head_of

# hixie-76, 1.2: the example of the draft; the proof is its answer, too.
CHALLENGE = b"^n:ds[4U"
PROOF = b"8jKS'y:G*Co,Wxa-"
KEY1 = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5"
KEY2 = "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00"
# RFC 6455, 1.3. The two other answers below were made with `openssl sha1`.
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

_UPGRADE = ("Upgrade: WebSocket", "Connection: Upgrade")
_HYBI_UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")

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
    """all that comes back; behind the head, in hixie-76, once the challenge is here"""
    challenge: bytes = b""
    """what the client sends behind its head"""
    # RFC 6455, 5.7: "Hello" in one frame, masked and not.
    hello: bytes = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
    hello_back: bytes = b"\x81\x05Hello"
    goodbye: bytes = bytes.fromhex("88 02 03e9")
    """what it hears when the gateway stops"""

    @property
    def request(self) -> bytes:
        return self.head + self.challenge

    def __str__(self) -> str:
        return self.dialect


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
        head_of(
            "HTTP/1.1 101 Switching Protocols", *_HYBI_UPGRADE, "Sec-WebSocket-Accept: a0nyM64D16W27Chda1gmuNfpAqQ="
        ),
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
        head_of(
            "HTTP/1.1 101 Switching Protocols", *_HYBI_UPGRADE, "Sec-WebSocket-Accept: 3ee8Zo5szukQEYtPKOLyzzlDjHs="
        ),
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
        head_of("HTTP/1.1 101 Switching Protocols", *_HYBI_UPGRADE, ACCEPT),
    ),
]
BY_DIALECT = {opening.dialect: opening for opening in OPENINGS}
