"""Translators that go on in another object: whatever is half done at a cut, they say the same as those that stay."""

import hashlib
import random
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import cases
from tests.dialects.test_odd_frames import KEY, LWS, NONCE, covered
from tests.dialects.vectors import MASK_KEY, Vector, distinct, vectors
from tests.fuzz.directions import Case, mask_keys
from tests.fuzz.directions import cases as directions
from tests.fuzz.frames import Inputs
from tests.masks import masked
from wsgateway import native
from wsgateway.dialects import DIALECTS, Decoder, Limits
from wsgateway.dialects.accept import masking_secret
from wsgateway.errors import ProtocolError, RecordError
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.binary import Decode, Encode
from wsgateway.wire.events import Role
from wsgateway.wire.oddities import DEFAULT, Oddities
from wsgateway.wire.utf8 import InvalidUtf8

from .moved import Moved, as_it_is, check
from .passing import USUAL, by
from .spelling import said
from .test_matrix_binary import WAYS as ALL_WAYS
from .ways import Way, every_way, keys, parametrized

IN = ["C", "Python"] if native.step is not None else ["Python"]

WIDE = "\u20ac\u00fc\U0001f600".encode()
# A text of several reads, one in fragments inside of characters with a ping between, and one for the short way.
TEXTS = [
    ("text", b"Hello"), ("begin", WIDE[:1]), ("more", WIDE[1:5]), ("end", WIDE[5:]), ("text", WIDE), ("text", b""),
]  # fmt: skip
WITH_PING = [*TEXTS[:2], ("ping", b"alive?"), *TEXTS[2:], ("pong", b"wsgateway")]
# As base64 some of the frames have no bytes yet when they end; an empty one comes behind them.
BINARY = [
    ("binary", bytes(range(7))), ("begin binary", b"\xff"), ("more", b""), ("more", b"\0\1\2\3"), ("more", b""),
    ("end", b"\x80\x81"), ("binary", b""),
]  # fmt: skip
# What a hixie peer sends beside texts, each with a text behind it.
ODD = {
    "frames with a length": b"\x80\x81\x02ab\x00one\xff",
    "reserved frames": b"\x05reserved\xff\x00one\xff",
    "an empty line": b"\r\n\x00one\xff",
    "no empty line": b"\rtwo\xff\x00one\xff",
    "a length of too many bytes": b"\x80" + b"\x80" * 10,
    "broken text": b"\x00\xed\xa0\x80\xe2\x82\xff\x00one\xff",
}


def stream(way: Way) -> bytes:
    """Return bytes of the source with all that its dialect has."""
    framing = way.source.framing
    words = WITH_PING if framing.carries_ping else TEXTS
    if framing.carries_binary and way.source_takes_binary:
        words = [*words, *BINARY]
    closes = [("close", b"")] if framing.has_close else []
    return said(way.source.name, way.role, *words, *closes)


def cut_and_moved(way: Way, data: bytes, options: TranslationOptions, language: str = "Python") -> None:
    for at in range(len(data) + 1):
        pieces = [(data[:at], False), (data[at:], True)]
        check(lambda mask_keys: way.translator(options, mask_keys), keys(), pieces, language, as_it_is)


@pytest.mark.parametrize("language", IN)
@every_way
def test_a_session_that_moves_at_any_byte_goes_on_as_one_that_stays(way: Way, language: str) -> None:
    if language == "Python" or way.translator().plan is not None:
        cut_and_moved(way, stream(way), by("base64"), language)


@pytest.mark.parametrize("encode", ["base64", "latin-1", "hex"])
@parametrized(ALL_WAYS)
def test_a_session_that_moves_before_every_byte_goes_on_as_one_that_stays(way: Way, encode: Encode) -> None:
    if encode == "base64" or not (way.target_takes_binary and way.target.framing.carries_binary):
        data = stream(way)
        pieces = [(data[at : at + 1], True) for at in range(len(data))]
        check(lambda mask_keys: way.translator(by(encode), mask_keys), keys(), pieces, pass_on=as_it_is)


@cases("decode", ["base64", "latin-1", "hex"])
@parametrized(way for way in ALL_WAYS if way.source.framing.delimits_text and not way.target.framing.delimits_text)
def test_a_text_that_becomes_binary_may_be_cut_anywhere(way: Way, decode: Decode) -> None:
    texts = {"base64": b"AP8Afw==", "latin-1": "\u00ff\u0000a".encode(), "hex": b"00fF7a"}
    data = said(way.source.name, way.role, ("text", texts[decode]), ("begin", texts[decode]), ("end", b""))
    cut_and_moved(way, data, by("reject", decode))


@cases("invalid_utf8", ["replace", "close"])
@cases(("odd", "role", "target"), list(product(ODD, Role, ["hixie-75", "hybi-05", "rfc6455"])))
def test_what_hixie_passes_over_may_be_cut_anywhere(
    odd: str, role: Role, target: str, invalid_utf8: InvalidUtf8
) -> None:
    options = TranslationOptions(invalid_utf8=invalid_utf8)
    way = Way(DIALECTS["hixie-76"], DIALECTS[target], role)
    cut_and_moved(way, ODD[odd], options)


# -- what others wrote ------------------------------------------------------------------------------------------

FRAMES = [each for each in distinct(vectors("frame", "ok", "deviation", "wrong")) if len(each.wire) < 200]


def read(decoder: Decoder, piece: bytes) -> list[object]:
    """Return the bytes of messages, one by one, and the fault behind them."""
    heard: list[object] = []
    try:
        for event in decoder.receive(piece):
            heard += event.data
    except ProtocolError as fault:
        heard.append(str(fault))
    return heard


# Of libwebsockets, which masks with the key of the connection; and behind a Hello that is masked as draft 04 says, by
# which the client has shown its mask once and for all.
OF_LWS = b"".join(bytes.fromhex(frame) for frame, _ in LWS)
_OF_THE_DRAFT = MASK_KEY + masked(b"\x84\x05Hello", hashlib.sha1(MASK_KEY + masking_secret(KEY, NONCE)).digest())


@cases("data", [OF_LWS, _OF_THE_DRAFT + OF_LWS], ids=["of libwebsockets", "of the draft"])
def test_a_client_that_has_shown_its_mask_is_held_to_it_wherever_its_session_moves(data: bytes) -> None:
    for at in range(len(data) + 1):
        stays, before, after = (covered(KEY, NONCE, Oddities(DEFAULT["client"])) for _ in range(3))
        begun = read(before, data[:at])
        as_it_is(before, after)
        assert begun + read(after, data[at:]) == read(stays, data[:at]) + read(stays, data[at:]), at


@cases("vector", FRAMES)
def test_a_decoder_that_moves_at_any_byte_of_a_vector_reads_the_same(vector: Vector) -> None:
    framing = DIALECTS[vector.dialect].framing

    def events(at: int, moves: bool) -> list[object]:
        decoder, heard = framing.decoder(vector.receiver, secret=vector.secret), list[object]()
        try:
            heard += decoder.receive(vector.wire[:at])
            if moves:
                before, decoder = decoder, framing.decoder(vector.receiver, secret=vector.secret)
                as_it_is(before, decoder)
            heard += decoder.receive(vector.wire[at:])
        except ProtocolError as fault:
            heard.append(str(fault))
        return heard

    for at in range(len(vector.wire) + 1):
        assert events(at, moves=True) == events(at, moves=False), at


@cases("vector", [each for each in FRAMES if each.type == "close" and each.status == "ok"])
def test_a_decoder_that_moves_after_a_close_reads_nothing_more(vector: Vector) -> None:
    before, after = (DIALECTS[vector.dialect].framing.decoder(vector.receiver, secret=vector.secret) for _ in range(2))
    assert list(before.receive(vector.wire))
    as_it_is(before, after)
    assert not list(after.receive(vector.wire))


# -- limits, across the cut -------------------------------------------------------------------------------------


@every_way
def test_a_message_beyond_the_limit_is_refused_wherever_its_session_moves(way: Way) -> None:
    options = TranslationOptions(Limits(message_bytes=6, fragments=3))
    data = said(way.source.name, way.role, ("text", b"letter"), ("begin", b"six"), ("more", b""), ("end", b"four"))
    cut_and_moved(way, data, options)
    moved = Moved(lambda mask_keys: way.translator(options, mask_keys), keys())
    results = []
    for byte in data:
        moved.move()
        results.append(moved.feed(bytes([byte])))
        if results[-1][2] is not None:
            break
    assert results[-1][2][1] == 1009


@every_way
@cases("options", [USUAL, by("reject", "latin-1")], ids=["as text", "as binary"])
def test_what_is_held_back_is_released_after_the_session_has_moved(way: Way, options: TranslationOptions) -> None:
    held = "\u00fc\u00fc\u00fc".encode()
    data = said(way.source.name, way.role, ("begin", held[:5]))
    stays, moves = (Moved(lambda mask_keys: way.translator(options, mask_keys), keys()) for _ in range(2))
    for each in (stays, moves):
        each.feed(data)
    moves.move()
    assert moves.translator.release() == stays.translator.release()
    rest = said(way.source.name, way.role, ("end", held[5:]))
    assert moves.feed(rest) == stays.feed(rest)


# -- by chance --------------------------------------------------------------------------------------------------

CASES = directions(random.Random(13))


@cache
def inputs_of(at: int) -> tuple[Case, Inputs, random.Random]:
    case, chance = CASES[at], random.Random(13)
    return case, Inputs(case.source, case.role, chance), chance


@pytest.mark.parametrize("language", IN)
@settings(deadline=None, max_examples=200)
@given(at=st.integers(0, len(CASES) - 1), seed=st.integers(0, 2**32), moves=st.integers(0, 2**12))
def test_a_session_that_moves_by_chance_goes_on_as_one_that_stays(
    language: str, at: int, seed: int, moves: int
) -> None:
    case, inputs, chance = inputs_of(at)
    chance.seed(seed)
    pieces = [piece for _ in range(3) for piece in inputs.pieces()]
    moved = [bool(moves >> number % 12 & 1) for number in range(len(pieces))]
    check(case.translator, mask_keys(), zip(pieces, moved, strict=True), language)


# -- states that do not fit -------------------------------------------------------------------------------------


def test_a_state_of_other_frames_is_refused() -> None:
    walks = Way(DIALECTS["rfc6455"], DIALECTS["rfc6455"], Role.SERVER)
    translates = Way(DIALECTS["hixie-76"], DIALECTS["rfc6455"], Role.SERVER)
    with pytest.raises(RecordError, match="is WalkerState, TranslatorState is needed"):
        translates.translator().resume(walks.translator().state())
    backwards = Way(DIALECTS["rfc6455"], DIALECTS["hixie-76"], Role.CLIENT)
    with pytest.raises(RecordError, match="is DelimitedDecoderState, FrameDecoderState is needed"):
        backwards.translator().resume(translates.translator().state())


def test_a_conversion_that_the_route_has_no_more_is_refused() -> None:
    way = Way(DIALECTS["hixie-76"], DIALECTS["rfc6455"], Role.SERVER)
    state = way.translator(by("reject", "base64")).state()
    with pytest.raises(RecordError, match="is BinaryState, Utf8State is needed"):
        way.translator().resume(state)
    same = Way(DIALECTS["hybi-08"], DIALECTS["rfc6455"], Role.SERVER)
    with pytest.raises(RecordError, match="BinaryState of a conversion, and this route has none"):
        same.translator().resume(Way(same.source, same.target, same.role, True, False).translator(by("hex")).state())
    with pytest.raises(RecordError, match="is NoneType, State is needed"):
        Way(same.source, same.target, same.role, True, False).translator(by("hex")).resume(same.translator().state())
