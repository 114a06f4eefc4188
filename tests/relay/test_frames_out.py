"""The frames of any message between any two dialects: as many as came, and empty only if they came empty.

The frames are read without our code (see `reading`).
"""

import base64
import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.families import FRAMES, HIXIE
from tests.dialects.feeding import other
from tests.wire.cutting import cut
from wsgateway.dialects import DIALECTS, Limits, Side
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.wire.binary import BinaryRule, Decode, Encode
from wsgateway.wire.events import Role
from wsgateway.wire.utf8 import InvalidUtf8

from .passing import SECRETS, UPSTREAM, direction
from .reading import Convert, Frame, expected_frames, frames_of
from .spelling import Word, said

REPAIRED = [name for name in DIALECTS if name not in FRAMES]
JOIN_BYTES = [0, 1, 16, 65536]


@dataclass(frozen=True)
class Message:
    """The fragments of one message that a source sends. In hixie they are only places to cut it."""

    kind: str
    fragments: list[bytes]
    pings: bool
    """whether there is a ping between each two fragments"""


@dataclass(frozen=True)
class Setting:
    """A pair of dialects, in one direction, and the relevant options."""

    source: str
    target: str
    role: Role
    join_bytes: int
    joins: bool
    invalid_utf8: InvalidUtf8
    encode: Encode
    decode: Decode
    source_takes_binary: bool
    target_takes_binary: bool

    @property
    def source_text_only(self) -> bool:
        return self.source in HIXIE or not self.source_takes_binary

    @property
    def target_text_only(self) -> bool:
        return self.target in HIXIE or not self.target_takes_binary

    @property
    def reads_text(self) -> bool:
        """Whether text becomes binary."""
        return self.decode != "none" and self.source_text_only and not self.target_text_only

    def conversion(self, kind: str) -> tuple[str, Convert, bool]:
        """Return the conversion of a message, and whether its length is known from the source's length."""
        length_known = self.source not in HIXIE
        if self.walks:
            return kind, lambda data, _: data, length_known
        if kind == "binary" and self.target_text_only:
            how = {"base64": _to_base64, "hex": lambda data, _: data.hex().encode(), "latin-1": _to_characters}
            return "text", how[self.encode], length_known and self.encode != "latin-1"
        if kind == "text" and self.reads_text:
            return "binary", _READ[self.decode], length_known and self.decode == "hex"
        if kind == "text" and self.source in REPAIRED and self.invalid_utf8 == "replace":
            return "text", _repaired, False
        return kind, lambda data, _: data, length_known

    @property
    def walks(self) -> bool:
        """Whether frames are passed on unchanged."""
        source, target = DIALECTS[self.source].framing, DIALECTS[self.target].framing
        same = source is target and self.source_text_only == self.target_text_only
        return same and source.walker is not None and not self.joins


def _to_base64(data: bytes, final: bool) -> bytes:
    return base64.b64encode(data if final else data[: len(data) // 3 * 3])


def _to_characters(data: bytes, _: bool) -> bytes:
    return "".join(map(chr, data)).encode()


def _from_characters(data: bytes, final: bool) -> bytes:
    return codecs.getincrementaldecoder("utf-8")().decode(data, final).encode("latin-1")


def _repaired(data: bytes, final: bool) -> bytes:
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data, final).encode()


_READ: dict[str, Convert] = {
    "base64": lambda data, _: base64.b64decode(data[: len(data) // 4 * 4]),
    "hex": lambda data, _: bytes.fromhex(data[: len(data) // 2 * 2].decode()),
    "latin-1": _from_characters,
}
_WRITTEN = {
    "base64": base64.b64encode,
    "hex": lambda data: data.hex().encode(),
    "latin-1": lambda data: _to_characters(data, True),
}

SETTINGS = st.builds(
    Setting,
    source=st.sampled_from(list(DIALECTS)),
    target=st.sampled_from(list(DIALECTS)),
    role=st.sampled_from(Role),
    join_bytes=st.sampled_from(JOIN_BYTES),
    joins=st.sampled_from([False, False, True]),
    invalid_utf8=st.sampled_from(["replace", "close"]),
    encode=st.sampled_from(["base64", "latin-1", "hex"]),
    decode=st.sampled_from(["none", "base64", "latin-1", "hex"]),
    source_takes_binary=st.booleans(),
    target_takes_binary=st.booleans(),
)
PAYLOADS = st.text("a\u00e9\u20ac\U0001f600", max_size=12).map(str.encode) | st.binary(max_size=40).map(bytes)


@st.composite
def messages(draw: st.DrawFn, setting: Setting) -> Message:
    """Draw a message that the source may send, and that can be converted."""
    kind = "text" if setting.source in HIXIE else draw(st.sampled_from(["text", "binary"]))
    if kind == "binary":
        data = draw(st.binary(max_size=40))
    elif setting.reads_text:
        data = _WRITTEN[setting.decode](draw(st.binary(max_size=30)))
    elif setting.source in REPAIRED and setting.invalid_utf8 == "replace" and not setting.walks:
        data = draw(PAYLOADS).replace(b"\xff", b"\xfe")
    else:
        data = draw(st.text("a\u00e9\u20ac\U0001f600", max_size=12)).encode()
    marks = draw(st.lists(st.integers(0, 60), max_size=4))
    return Message(kind, cut(data, marks)[:] if marks else [data], draw(st.booleans()))


def words(setting: Setting, message: Message) -> Iterator[Word]:
    """Return what the source sends."""
    if setting.source in HIXIE:
        yield "text", b"".join(message.fragments)
        return
    *before, last = message.fragments
    begins = "begin" if message.kind == "text" else "begin binary"
    for number, fragment in enumerate(before):
        yield (begins if number == 0 else "more"), fragment
        if message.pings:
            yield "ping", b"p"
    yield ("end" if before else message.kind), last


def check(setting: Setting, message: Message, frames: list[Frame], refused: bool) -> None:
    """Compare the frames of one message, without the pings, with the rules."""
    kind, convert, length_known = setting.conversion(message.kind)
    whole = convert(b"".join(message.fragments), True)
    if setting.joins:
        assert refused is (len(whole) > setting.join_bytes)
        assert frames == ([] if refused else [Frame(kind, True, whole)])
        return
    assert not refused
    if setting.target in HIXIE:
        assert frames == [Frame("text", True, whole)]
        return
    fragments = [b"".join(message.fragments)] if setting.source in HIXIE else message.fragments
    expected = list(expected_frames(kind, fragments, convert))
    if length_known or all(len(frame.payload) <= setting.join_bytes for frame in expected):
        assert frames == expected
        return
    assert b"".join(frame.payload for frame in frames) == whole
    assert [frame.opcode for frame in frames] == [kind, *["more"] * (len(frames) - 1)]
    assert [frame.final for frame in frames] == [*[False] * (len(frames) - 1), True]
    assert sum(not frame.payload for frame in frames) <= sum(not frame.payload for frame in expected)
    assert frames[0].payload or not fragments[0]
    assert frames[-1].payload or not fragments[-1]


@settings(max_examples=400, database=None)
@given(data=st.data(), setting=SETTINGS)
def test_as_many_frames_are_sent_as_came_and_only_empty_ones_are_empty(data: st.DataObject, setting: Setting) -> None:
    message = data.draw(messages(setting))
    source, target = DIALECTS[setting.source].framing, DIALECTS[setting.target].framing
    theirs = other(setting.role)
    keys = (number.to_bytes(4) for number in count(0x37FA213D, 0x01030507))
    direction = translator(
        Side(source, setting.role, SECRETS[setting.role], setting.source_takes_binary),
        Side(target, theirs, SECRETS[theirs], setting.target_takes_binary, joins=setting.joins),
        TranslationOptions(
            Limits(join_bytes=setting.join_bytes), BinaryRule(setting.encode, setting.decode), setting.invalid_utf8
        ),
        keys,
    )
    received = said(setting.source, setting.role, *words(setting, message))
    left = b""
    refused = False
    for piece in cut(received, data.draw(st.lists(st.integers(0, 200), max_size=12))):
        step = direction.feed(piece)
        left += step.forward
        frames, rest = frames_of(setting.target, theirs, left)
        assert direction.inside() is bool(rest)
        assert step.held <= setting.join_bytes
        if step.ending is not None:
            refused = True
            break
    if not refused:
        assert not rest
        assert direction.unfinished() == 0
        assert direction.messages == 1
    pings = message.pings * (len(message.fragments) - 1) if setting.source not in HIXIE else 0
    told = [frame for frame in frames if frame.opcode == "ping"]
    if setting.target not in HIXIE and not refused:
        assert told == [Frame("ping", True, b"p")] * pings
    check(setting, message, [frame for frame in frames if frame.opcode != "ping"], refused)


@pytest.mark.parametrize("cut_at", range(1, 11))
def test_an_empty_frame_leaves_as_one_wherever_the_frame_before_it_is_cut(cut_at: int) -> None:
    received = bytes.fromhex("01 05 48656c6c6f  00 00  80 01 21")
    passing = direction("rfc6455", "hybi-04", UPSTREAM)
    left = passing.feed(received[:cut_at]).forward + passing.feed(received[cut_at:]).forward
    assert left == bytes.fromhex("04 05 48656c6c6f  00 00  80 01 21")
