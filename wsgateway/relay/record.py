"""The record of a session that lives: what another process needs to go on with it, beside its two sockets.

    what its peers rely on      the framing of each side, the secret of its handshake, whether its messages may be
                                compressed, how binary and broken text pass
    what is half done           the states of both sides: half a frame, half a message, what waits to be sent
    what has happened           counts, oddities, and times, in seconds that have passed since then, as clocks differ
    who it is                   the client, as far as the log and the census know it
    names                       of listener, route, upstream and target. Their settings are not in it: the reader has
                                its own, which may be newer, and holds the session to their limits and timeouts

As bytes it is a line with its version and a checksum, and JSON. A session has no record if a part of its state is out
of reach: the keys of TLS are inside of OpenSSL. Compression is no such part: the gateway passes on what the peers have
compressed, and only they have its windows.
"""

import json
import re
import zlib
from dataclasses import dataclass

from wsgateway.dialects.delimited import DelimitedDecoderState, DelimitedEncoderState
from wsgateway.dialects.frames import ReaderState
from wsgateway.dialects.framing import FrameDecoderState, FrameEncoderState, WalkerState
from wsgateway.errors import RecordError, brief
from wsgateway.relay.endpoint import EndpointState
from wsgateway.relay.messages import WriterState
from wsgateway.relay.timer import SideTimerState, TimerState
from wsgateway.relay.translate import TranslatorState
from wsgateway.wire.binary import BinaryState, Decode, Encode
from wsgateway.wire.oddities import Oddity
from wsgateway.wire.plain import PlainReader, to_plain
from wsgateway.wire.state import State, StateT
from wsgateway.wire.utf8 import InvalidUtf8, Utf8State

# Raised with every change of what is in a record. A record lives for seconds, so only one version can be read.
VERSION = 1
# Both sides may hold a message of 16 MiB back, the most for `limits.join`, and have another one to be sent; in base64.
MOST_BYTES = 96 * 1024 * 1024
_HEAD = re.compile(rb"wsgateway session ([0-9]{1,9}) ([0-9a-f]{8})\n")
_SHOWN_BYTES = 40


@dataclass(frozen=True, slots=True)
class SideState(State):
    """One side of a session."""

    framing: str
    secret: bytes
    takes_binary: bool
    joins: bool
    shown: tuple[Oddity, ...]
    """the oddities that the peer has shown"""
    passed_over: int
    paused: float
    """for how many seconds it is still left unread"""
    endpoint: EndpointState


@dataclass(frozen=True, slots=True)
class RelayState(State):
    """The relay of a session."""

    client: SideState
    upstream: SideState
    encode: Encode
    decode: Decode
    invalid_utf8: InvalidUtf8
    timer: TimerState | None
    """None: it had no timeouts"""


@dataclass(frozen=True, slots=True)
class Names(State):
    """The settings by which a session was opened, by name."""

    listener: str
    route: str
    upstream: str
    target: str
    """the URL of the target"""
    address: str
    """its address, which is leased"""


@dataclass(frozen=True, slots=True)
class ClientState(State):
    """The identity of a client, and the facts about its request for log and census; as `serve.facts.Facts`."""

    ip: str
    port: int
    secure: bool
    tls_version: str | None
    forwarded_for: str
    host: str
    path: str
    origin: str
    agent: str
    dialect: str
    subprotocol: str
    failed: str


@dataclass(frozen=True, slots=True)
class SessionRecord(State):
    """A session that lives."""

    relay: RelayState
    names: Names
    client: ClientState
    begun: float
    """when it began, in seconds since 1970"""
    tokens: float | None
    """how many messages its client may send at once; None: as many as it wants"""


# All classes whose states may be in a record.
_CLASSES: tuple[type[State], ...] = (
    BinaryState, ClientState, DelimitedDecoderState, DelimitedEncoderState, EndpointState, FrameDecoderState,
    FrameEncoderState, Names, ReaderState, RelayState, SessionRecord, SideState, SideTimerState, TimerState,
    TranslatorState, Utf8State, WalkerState, WriterState,
)  # fmt: skip
_READER = PlainReader(_CLASSES)


def to_bytes(state: State) -> bytes:
    """Return a record, or a part of one, as bytes. Raise RecordError if there are more than `MOST_BYTES`."""
    body = json.dumps(to_plain(state), separators=(",", ":")).encode()
    data = b"wsgateway session %d %08x\n" % (VERSION, zlib.crc32(body)) + body
    _check_size(data)
    return data


def from_bytes(kind: type[StateT], data: bytes) -> StateT:
    """Return the record, or the part of one, that was written as these bytes. Raise RecordError if they are not one."""
    _check_size(data)
    head = _HEAD.match(data)
    if head is None:
        raise RecordError(f"{brief(repr(data[:_SHOWN_BYTES]))} is no session record; one begins with wsgateway session")
    version, checksum = int(head[1]), int(head[2], 16)
    if version != VERSION:
        raise RecordError(f"a session record of version {version}; only version {VERSION} can be read")
    body = data[head.end() :]
    if zlib.crc32(body) != checksum:
        raise RecordError(f"{len(body)} bytes with checksum {zlib.crc32(body):08x}, {checksum:08x} was written")
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"a session record that is no JSON: {error}") from None
    try:
        return _READER.state(kind, plain, "the record")
    except RecursionError:
        raise RecordError("a session record of states within states, deeper than can be read") from None


def _check_size(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise RecordError(f"a session record of {len(data)} bytes, at most {MOST_BYTES} are allowed")
