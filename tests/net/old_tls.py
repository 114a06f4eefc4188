"""A server of TLS 1.2 as before RFC 5746 (2010), which does not announce secure renegotiation.

OpenSSL always announces it, so this is written by hand after RFC 5246, 5288 and 8422, for one cipher:
TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
"""

import hashlib
import hmac
import os

import trio
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CHANGE, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_SERVER_HELLO, _CERTIFICATE, _KEY_EXCHANGE, _HELLO_DONE, _FINISHED = 2, 11, 12, 14, 20
_VERSION = b"\x03\x03"
_CIPHER = b"\xc0\x2f"


def _prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """Return the key material of RFC 5246, 5."""
    whole, chain = b"", label + seed
    while len(whole) < size:
        chain = hmac.digest(secret, chain, "sha256")
        whole += hmac.digest(secret, chain + label + seed, "sha256")
    return whole[:size]


class OldServer:
    """One connection."""

    def __init__(self, stream: trio.SocketStream, certificate: bytes, key: rsa.RSAPrivateKey) -> None:
        self._stream = stream
        self._certificate, self._key = certificate, key
        self._heard = b""
        self._said = b""
        """all messages of the handshake, of both sides"""
        self._pending = b""
        self._write: AESGCM | None = None
        self._read: AESGCM | None = None
        self._sent = self._received = 0

    async def shake_hands(self) -> None:
        """Do the handshake of RFC 5246, 7.3."""
        client_random = (await self._message())[6:38]
        server_random = os.urandom(32)
        await self._say(_SERVER_HELLO, _VERSION + server_random + b"\0" + _CIPHER + b"\0")  # and no extensions
        chain = len(self._certificate).to_bytes(3) + self._certificate
        await self._say(_CERTIFICATE, len(chain).to_bytes(3) + chain)
        ours = ec.generate_private_key(ec.SECP256R1())
        point = ours.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        params = b"\x03\x00\x17" + bytes([len(point)]) + point
        signature = self._key.sign(client_random + server_random + params, padding.PKCS1v15(), SHA256())
        await self._say(_KEY_EXCHANGE, params + b"\x04\x01" + len(signature).to_bytes(2) + signature)
        await self._say(_HELLO_DONE, b"")
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), (await self._message())[5:])
        shared = ours.exchange(ec.ECDH(), theirs)
        master = _prf(shared, b"master secret", client_random + server_random, 48)
        keys = _prf(master, b"key expansion", server_random + client_random, 40)
        assert (await self._record())[0] == _CHANGE
        self._read, self._read_iv = AESGCM(keys[:16]), keys[32:36]
        expected = _prf(master, b"client finished", hashlib.sha256(self._said).digest(), 12)
        assert (await self._message())[4:] == expected
        await self._send(_CHANGE, b"\x01")
        self._write, self._write_iv = AESGCM(keys[16:32]), keys[36:40]
        await self._say(_FINISHED, _prf(master, b"server finished", hashlib.sha256(self._said).digest(), 12))

    async def receive(self) -> bytes:
        """Return the data that the client sends; nothing at the end of the stream."""
        kind, data = await self._record()
        return data if kind == _DATA else b""

    async def send(self, data: bytes) -> None:
        for at in range(0, len(data), 16384):
            await self._send(_DATA, data[at : at + 16384])

    async def _say(self, kind: int, content: bytes) -> None:
        message = bytes([kind]) + len(content).to_bytes(3) + content
        self._said += message
        await self._send(_HANDSHAKE, message)

    async def _message(self) -> bytes:
        while len(self._heard) < 4 or len(self._heard) < 4 + int.from_bytes(self._heard[1:4]):
            kind, data = await self._record()
            if kind != _HANDSHAKE:
                raise trio.BrokenResourceError(f"a record of type {kind}: {data.hex()}")
            self._heard += data
        end = 4 + int.from_bytes(self._heard[1:4])
        message, self._heard = self._heard[:end], self._heard[end:]
        self._said += message
        return message

    async def _send(self, kind: int, data: bytes) -> None:
        if self._write is not None:
            count = self._sent.to_bytes(8)
            bound = count + bytes([kind]) + _VERSION + len(data).to_bytes(2)
            data = count + self._write.encrypt(self._write_iv + count, data, bound)
            self._sent += 1
        await self._stream.send_all(bytes([kind]) + _VERSION + len(data).to_bytes(2) + data)

    async def _record(self) -> tuple[int, bytes]:
        while len(self._pending) < 5 or len(self._pending) < 5 + int.from_bytes(self._pending[3:5]):
            more = await self._stream.receive_some()
            if not more:
                return _ALERT, b""
            self._pending += more
        end = 5 + int.from_bytes(self._pending[3:5])
        kind, data, self._pending = self._pending[0], self._pending[5:end], self._pending[end:]
        if self._read is not None:
            count = self._received.to_bytes(8)
            bound = count + bytes([kind]) + _VERSION + (len(data) - 24).to_bytes(2)
            data = self._read.decrypt(self._read_iv + data[:8], data[8:], bound)
            self._received += 1
        return kind, data
