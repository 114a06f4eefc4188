"""Oddities in the frames of old programs: served if they are allowed, and counted."""

from collections.abc import Callable

import pytest

from tests.cases import cases
from tests.masks import masked
from wsgateway.dialects import DIALECTS, Decoder, Role
from wsgateway.dialects.accept import masking_secret
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event
from wsgateway.wire.oddities import DEFAULT, Oddities, Oddity, Tolerance

from .feeding import CUTS, GENEROUS, Heard, hear, text

Cut = Callable[[bytes], list[bytes]]
NONE: Tolerance = frozenset()
EVERY_CUT = cases("cut", CUTS)
HIXIE = cases("name", ["hixie-75", "hixie-76"])
EVERY_CUT = cases("cut", CUTS)

# -- frames-behind-proof -----------------------------------------------------------------------------------------

# CycloneServer 0.4 after its 16 bytes (liris/websocket-client#3, fiorix/cyclone#111), and its first two texts.
CYCLONE = b"\r\n\x00welcome\xff\x00second\xff"


def behind(name: str, oddities: Oddities, role: Role = Role.CLIENT) -> Decoder:
    """Return a decoder for what follows a handshake of hixie."""
    return DIALECTS[name].framing.decoder(role, GENEROUS, oddities=oddities)


@HIXIE
@EVERY_CUT
def test_an_empty_line_behind_the_proof_costs_no_text(name: str, cut: Cut) -> None:
    oddities = Oddities(DEFAULT["upstream"])
    decoder = behind(name, oddities)
    assert hear(decoder, cut(CYCLONE)) == Heard([text("welcome"), text("second")])
    assert (oddities.needed, oddities.passed_over) == ((Oddity.FRAMES_BEHIND_PROOF,), 0)


@HIXIE
def test_an_empty_line_may_come_in_a_read_of_its_own(name: str) -> None:
    decoder = behind(name, Oddities(DEFAULT["upstream"]))
    assert hear(decoder, [b"\r", b"\n", b"", b"\x00welcome\xff"]) == Heard([text("welcome")])
    assert decoder.whole(b"\x00second\xff") == b"second"


@HIXIE
def test_an_empty_line_that_is_not_allowed_counts_as_a_reserved_frame(name: str) -> None:
    oddities = Oddities(NONE)
    assert hear(behind(name, oddities), [CYCLONE]) == Heard([text("second")])
    assert (oddities.needed, oddities.passed_over) == ((), 1)


NOT_BEHIND: dict[str, tuple[bytes, list[Event], int]] = {
    "nothing": (b"\x00welcome\xff", [text("welcome")], 0),
    "a second one": (b"\r\n" + CYCLONE, [text("second")], 1),
    "one behind the first text": (b"\x00one\xff" + CYCLONE, [text("one"), text("second")], 1),
    "a CR alone": (b"\r\x00welcome\xff\x00second\xff", [text("second")], 1),
    "a CR that is a whole frame": (b"\r\xff\x00second\xff", [text("second")], 1),
    "an LF alone": (b"\n\x00welcome\xff\x00second\xff", [text("second")], 1),
    "a frame with a length": (b"\x80\x02\r\n\x00second\xff", [text("second")], 1),
}


@HIXIE
@EVERY_CUT
@cases(("data", "events", "passed_over"), NOT_BEHIND.values(), NOT_BEHIND)
def test_nothing_else_is_taken_for_it(name: str, cut: Cut, data: bytes, events: list[Event], passed_over: int) -> None:
    oddities = Oddities(DEFAULT["upstream"])
    assert hear(behind(name, oddities), cut(data)) == Heard(events)
    assert oddities.passed_over == passed_over


@HIXIE
def test_an_empty_line_of_a_client_is_a_reserved_frame(name: str) -> None:
    oddities = Oddities()
    assert hear(behind(name, oddities, Role.SERVER), [CYCLONE]) == Heard([text("second")])
    assert (oddities.needed, oddities.passed_over) == ((), 1)


@HIXIE
def test_a_server_may_close_without_sending_anything(name: str) -> None:
    assert behind(name, Oddities()).finish() == Close()
    decoder = behind(name, Oddities())
    assert hear(decoder, [b"\r\n"]) == Heard([])
    assert decoder.finish() == Close()
    decoder = behind(name, Oddities())
    assert hear(decoder, [b"\r"]) == Heard([])
    with pytest.raises(ProtocolError, match="the connection ended in a reserved frame"):
        decoder.finish()


def test_a_closing_frame_is_skipped_only_by_a_dialect_without_one() -> None:
    for name, passed_over in (("hixie-76", 0), ("hixie-75", 1)):
        oddities = Oddities()
        hear(behind(name, oddities), [b"\x00a\xff\xff\x00"])
        assert oddities.passed_over == passed_over


# -- key-mask-04 -------------------------------------------------------------------------------------------------

# libwebsockets of April 2011 (4b6fbe125), recorded. Its frames are masked with the key of the connection.
KEY, NONCE = "4k0MB1AEJFgegjUtd+U8PA==", "AAECAwQFBgcICQoLDA0ODw=="
LWS = [
    ("c4019bbf695c04f05c41e4255bd02806bdf8d28eb7b9db32da73", "c #334873 277 136 7;"),
    ("e3d434c8695c04f05c47e2245ba25806bcf7d38ebebfcd23da73", "c #5558EC 386 85 17;"),
    ("c6eb814d695c04f05c45925554a65906bcf9d78eb7bddc32d473", "c #7ED7AB 362 171 9;"),
]
# Draft 04, 4.3: Hello, masked by the key and the nonce of the draft's own example.
SAMPLE = "dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC=="
HELLO = bytes.fromhex("37fa213d 06457dc9392a52")


def covered(key: str, nonce: str, oddities: Oddities) -> Decoder:
    """Return a decoder for the frames of a client of hybi-04."""
    secret = masking_secret(key, nonce)
    return DIALECTS["hybi-04"].framing.decoder(Role.SERVER, GENEROUS, secret, oddities)


@EVERY_CUT
def test_frames_masked_with_the_key_of_the_connection_are_read(cut: Cut) -> None:
    oddities = Oddities(DEFAULT["client"])
    data = b"".join(bytes.fromhex(frame) for frame, _ in LWS)
    assert hear(covered(KEY, NONCE, oddities), cut(data)) == Heard([text(said) for _, said in LWS])
    assert oddities.needed == (Oddity.KEY_MASK_04,)


@cases(("frame", "said"), LWS)
def test_a_whole_first_frame_masked_with_that_key_is_read_too(frame: str, said: str) -> None:
    assert covered(KEY, NONCE, Oddities(DEFAULT["client"])).whole(bytes.fromhex(frame)) == said.encode()


def test_frames_masked_with_that_key_are_a_fault_if_not_allowed() -> None:
    oddities = Oddities(NONE)
    heard = hear(covered(KEY, NONCE, oddities), [b"".join(bytes.fromhex(frame) for frame, _ in LWS)])
    assert (heard.fault, heard.events, oddities.needed) == (1002, [], ())


@EVERY_CUT
def test_a_client_that_masks_as_in_the_draft_is_read_as_usual(cut: Cut) -> None:
    oddities = Oddities(DEFAULT["client"])
    assert hear(covered(*SAMPLE, oddities), cut(HELLO * 2)) == Heard([text("Hello")] * 2)
    assert oddities.needed == ()


def test_a_client_that_began_as_in_the_draft_cannot_change_its_masks() -> None:
    secret = masking_secret(*SAMPLE)
    other = b"\x00\x00\x00\x00" + masked(b"\x84\x02hi", secret)
    oddities = Oddities(DEFAULT["client"])
    assert hear(covered(*SAMPLE, oddities), [other]) == Heard([text("hi")])
    assert oddities.needed == (Oddity.KEY_MASK_04,)
    heard = hear(covered(*SAMPLE, Oddities(DEFAULT["client"])), [HELLO, other])
    assert (heard.events, heard.fault) == ([text("Hello")], 1002)
    heard = hear(covered(*SAMPLE, Oddities(DEFAULT["client"])), [other, HELLO])
    assert (heard.events, heard.fault) == ([text("hi")], 1002)
