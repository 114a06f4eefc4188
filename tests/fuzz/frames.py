"""Bytes that a side may send: whole messages, fragments, control frames and damaged ones, in pieces of any size."""

import random
from collections.abc import Iterator

from wsgateway.dialects import Framing
from wsgateway.wire.events import Close, Fragment, Kind, Ping, Pong, Role

# Lengths at which a head has another form or a message reaches the limits of `directions`, and others.
_SIZES = (0, 0, 1, 2, 3, 5, 7, 8, 9, 60, 64, 124, 125, 126, 127, 128, 129, 130, 131, 300, 999, 1000, 1001)
_LARGE_SIZES = (65535, 65536, 65537, 69_999, 70_000, 70_001)
_WRITTEN_LONG = (0, 1, 124, 125, 125, 126)
_TEXTS = (
    b"Hello",
    "\u20ac\u00fc\U0001f600".encode(),
    b"\xed\xa0\x80",  # a lone surrogate, as browsers of 2011 send it
    b"\xe2\x82",  # the beginning of a character
    b"\xc0\xaf",
    b"\xfe",
    b"\0",
)
_CLOSES = (b"\x88\x00", b"\x88\x02\x03\xe8", b"\x88\x01\x03", b"\xff\x00", b"\x88\x80\x01\x02\x03\x04")


class Inputs:
    """A source of random bytes in the frames of a framing, as a peer of ours in `role` sends them."""

    def __init__(self, framing: Framing, role: Role, chance: random.Random) -> None:
        self._chance = chance
        self._framing = framing
        self._role = role
        self._frames = [b"".join(self._frame()) for _ in range(600)]
        self._endings = [*_CLOSES, self._encode(Close(1000)), self._encode(Close())]

    def pieces(self) -> list[bytes]:
        """Return some bytes, cut at random."""
        chance = self._chance
        data = b"".join(chance.choices(self._frames, k=chance.randint(1, 4)))
        trouble = chance.random()
        if trouble < 0.06:
            data = self._damage(data)
        elif trouble < 0.08:
            data += chance.choice(self._endings)
        if len(data) > 2 and chance.random() < 0.002:
            return [data[at : at + 1] for at in range(min(len(data), 2000))] + [data[2000:]] * (len(data) > 2000)
        marks = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
        return [data[start:stop] for start, stop in zip([0, *marks], [*marks, len(data)], strict=True) if start < stop]

    def _damage(self, data: bytes) -> bytes:
        chance = self._chance
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                return data[:at] + data[at + chance.randint(1, 4) :]
            case 1:
                return data[:at] + chance.randbytes(chance.randint(1, 8)) + data[at:]
            case 2:
                return data[:at] + bytes((chance.choice((0, 0x7F, 0x80, 0x81, 0xFE, 0xFF)),)) + data[at + 1 :]
        return bytes((data[0] ^ 1 << chance.randrange(8),)) + data[1:] if data else data

    def _encode(self, event: Fragment | Ping | Pong | Close) -> bytes:
        role = Role.CLIENT if self._role is Role.SERVER else Role.SERVER
        return self._framing.encoder(role, iter(lambda: self._chance.randbytes(4), b""), b"").send(event)

    def _payload(self, kind: Kind) -> bytes:
        chance = self._chance
        size = chance.choice(_SIZES if chance.random() < 0.99 else _LARGE_SIZES)
        if kind is Kind.BINARY:
            return chance.randbytes(size)
        if chance.random() < 0.7:
            text = (b"The quick brown fox " * (size // 20 + 1))[:size]
            at = chance.randrange(size + 1)
            return text if chance.random() < 0.8 else text[:at] + b"\xbf" + text[at + 1 :]
        broken = chance.random() < 0.3
        words = chance.choices(_TEXTS if broken else _TEXTS[:2], k=size // 5)
        if self._framing.delimits_text:
            words = [word for word in words if b"\xff" not in word]
        return b"".join(words)

    def _frame(self) -> Iterator[bytes]:
        chance, kind = self._chance, Kind.TEXT
        if self._framing.delimits_text:
            yield b"\0" + self._payload(kind) + b"\xff" if chance.random() < 0.95 else self._reserved()
            return
        if chance.random() < 0.3:
            kind = Kind.BINARY
        form = chance.random()
        if form < 0.05:
            yield self._encode(chance.choice((Ping, Pong))(chance.choice((b"", b"wsgateway", b"x" * 125))))
        elif form < 0.15:
            yield from self._fragments(kind)
        elif form < 0.18:
            yield self._long_length(kind)
        elif form < 0.2:
            data = self._encode(Fragment(kind, self._payload(kind)))
            yield bytes((data[0] | 0x40,)) + data[1:]  # compressed
        else:
            yield self._encode(Fragment(kind, self._payload(kind)))

    def _fragments(self, kind: Kind) -> Iterator[bytes]:
        role = Role.CLIENT if self._role is Role.SERVER else Role.SERVER
        encoder = self._framing.encoder(role, iter(lambda: self._chance.randbytes(4), b""), b"")
        for _ in range(self._chance.randrange(4)):
            yield encoder.send(Fragment(kind, self._payload(kind)[:200], False))
            if self._chance.random() < 0.2:
                yield encoder.send(Ping(b"between"))
        yield encoder.send(Fragment(kind, self._payload(kind)[:200]))

    def _long_length(self, kind: Kind) -> bytes:
        """Return a frame whose length is written in more bytes than it needs."""
        size = self._chance.choice((2, 8))
        length = self._chance.choice(_WRITTEN_LONG)
        if size == 8 and self._chance.random() < 0.1:
            length = self._chance.choice((65534, 65535))
        data = self._encode(Fragment(kind, b"x" * length))
        head = 2 if length < 126 else 4
        second = data[1] & 0x80 | (126 if size == 2 else 127)
        return data[:1] + bytes((second,)) + length.to_bytes(size, "big") + data[head:]

    def _reserved(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.5:
            return bytes((0x80 | chance.randrange(127), chance.randrange(1, 9))) + chance.randbytes(8)
        return bytes((chance.randrange(1, 0x80),)) + b"reserved\xff"
