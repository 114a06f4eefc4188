"""The payload of a Close (RFC 6455, 5.5.1 and 7.4): before draft 06 none or a letter; then a code and a reason."""

from collections.abc import Callable

from tests.cases import cases
from wsgateway.dialects import DIALECTS
from wsgateway.wire.events import Close, Role

from .feeding import CUTS, Heard, Passed, decoder_of, encoder_of, hear, text, walk, walker_of
from .layouts import LAYOUTS, has_walker, with_layout

EVERY_CUT = cases("cut", CUTS)
ORDER = list(LAYOUTS)


def since(name: str, first: str) -> bool:
    """Return whether a draft is this one or a later one."""
    return ORDER.index(name) >= ORDER.index(first)


WITH_CODES = cases(("name", "role"), with_layout(lambda name: since(name, "hybi-06")))
WITHOUT_CODES = cases(("name", "role"), with_layout(lambda name: not since(name, "hybi-06")))


def closing(name: str, role: Role, payload: bytes) -> bytes:
    """Return a Close with this payload, as a peer sends it; `role` is ours."""
    layout = LAYOUTS[name]
    return layout.to(role, layout.first("close"), payload)


def check(name: str, role: Role, payload: bytes, cut: Callable[[bytes], list[bytes]], outcome: Close | int) -> None:
    """Check what we read from a Close between a text and more bytes: a Close, or the code of a fault."""
    layout = LAYOUTS[name]
    before, close = layout.said(role, ("text", True, b"last")), closing(name, role, payload)
    heard = hear(decoder_of(name, role), cut(before + close + b"\xff\x00"))
    if isinstance(outcome, Close):
        assert heard == Heard([text("last"), outcome])
    else:
        assert heard == Heard([text("last")], fault=outcome)
    if has_walker(name):
        forward = before + (close if isinstance(outcome, Close) else b"")
        assert walk(walker_of(name, role), cut(before + close)) == Passed(forward, outcome, 1)


def test_codes_came_with_draft_06() -> None:
    assert [name for name in ORDER if DIALECTS[name].framing.close_codes] == ORDER[ORDER.index("hybi-06") :]


# -- read ------------------------------------------------------------------------------------------------------


@EVERY_CUT
@WITHOUT_CODES
@cases("payload", [b"", b"C", b"S", b"\x03", b"\x03\xe8", b"\x03\xee", b"bye", b"\xff" * 125])
def test_before_draft_06_the_payload_of_a_close_has_no_meaning(
    name: str, role: Role, payload: bytes, cut: Callable[[bytes], list[bytes]]
) -> None:
    """In 05 it names the side that closes first; peers leave it out, or repeat ours."""
    check(name, role, payload, cut, Close())


READ = {
    b"": Close(),
    b"\x03\xe8": Close(1000),
    b"\x03\xe9bye": Close(1001, "bye"),
    # Codes of the standard are accepted in the drafts, too: their last programs had them.
    b"\x03\xef\xe2\x82\xac": Close(1007, "\u20ac"),
    b"\x03\xf1": Close(1009),
    b"\x03\xf3oops": Close(1011, "oops"),
    b"\x03\xf6" + b"x" * 123: Close(1014, "x" * 123),
    b"\x0b\xb8": Close(3000),
    b"\x13\x87": Close(4999),
}


@EVERY_CUT
@WITH_CODES
@cases(("payload", "close"), READ.items())
def test_a_close_is_read(
    name: str, role: Role, payload: bytes, close: Close, cut: Callable[[bytes], list[bytes]]
) -> None:
    check(name, role, payload, cut, close)


FAULTS: dict[str, tuple[bytes, int]] = {
    "half a code (5.5.1)": (b"\x03", 1002),
    "code 0 (7.4.2)": (b"\0\0", 1002),
    "code 999 (7.4.2)": ((999).to_bytes(2, "big"), 1002),
    "code 1005 (7.4.1)": ((1005).to_bytes(2, "big"), 1002),
    "code 1006 (7.4.1)": ((1006).to_bytes(2, "big") + b"bye", 1002),
    "code 1015 (7.4.1)": ((1015).to_bytes(2, "big"), 1002),
    "code 2000 (7.4.2)": ((2000).to_bytes(2, "big"), 1002),
    "code 5000 (7.4.2)": ((5000).to_bytes(2, "big"), 1002),
    "code 65535 (7.4.2)": (b"\xff\xff", 1002),
    "a reason that is not UTF-8 (5.5.1)": (b"\x03\xe8\xff", 1007),
    "a reason with a lone surrogate (5.5.1)": (b"\x03\xe8\xed\xa0\x80", 1007),
    "a reason that ends inside a character (5.5.1)": (b"\x03\xe8\xe2\x82", 1007),
}


@WITH_CODES
@cases(("payload", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_close_against_the_rules_is_a_fault(name: str, role: Role, payload: bytes, code: int) -> None:
    for cut in CUTS:
        check(name, role, payload, cut, code)


@WITH_CODES
def test_a_message_that_was_too_big_had_another_number_up_to_draft_10(name: str, role: Role) -> None:
    """It was 1004. Draft 11, which is version 8 too, replaced it, so peers of that version send either."""
    for cut in CUTS:
        check(name, role, b"\x03\xecbig", cut, 1002 if name == "rfc6455" else Close(1009, "big"))


# -- written ---------------------------------------------------------------------------------------------------


def written(name: str, close: Close) -> bytes:
    """Return the payload of the Close that a server writes."""
    data = encoder_of(name, Role.SERVER).send(close)
    assert data[0] == LAYOUTS[name].first("close")
    assert data[1] == len(data) - 2
    return data[2:]


# The first draft that has a code, and the bytes of it in all drafts that have it.
SINCE: list[tuple[Close, str, bytes]] = [
    (Close(1000), "hybi-06", b"\x03\xe8"),
    (Close(1001, "bye"), "hybi-06", b"\x03\xe9bye"),
    (Close(1002), "hybi-06", b"\x03\xea"),
    (Close(1003, "x"), "hybi-06", b"\x03\xebx"),
    (Close(3000), "hybi-07", b"\x0b\xb8"),
    (Close(4000, "\u20ac" * 42), "hybi-07", b"\x0f\xa0" + b"\xe2\x82\xac" * 41),
    (Close(4999), "hybi-07", b"\x13\x87"),
    (Close(1007), "hybi-08", b"\x03\xef"),  # it came with draft 10, while the version was 8
    (Close(1008), "hybi-07", b"\x03\xf0"),  # 1008 to 1011 stand in draft 12, which is of version 8
    (Close(1010), "hybi-07", b"\x03\xf2"),
    (Close(1011, "oops"), "hybi-07", b"\x03\xf3oops"),
    (Close(1012), "rfc6455", b"\x03\xf4"),
    (Close(1013), "rfc6455", b"\x03\xf5"),
    (Close(1014), "rfc6455", b"\x03\xf6"),
]


@cases("name", ORDER[ORDER.index("hybi-06") :])
@cases(("close", "first", "payload"), SINCE)
def test_a_code_is_written_from_the_draft_on_that_has_it(name: str, close: Close, first: str, payload: bytes) -> None:
    assert written(name, close) == (payload if since(name, first) else b"")


@cases(("name", "number"), [("hybi-06", 1004), ("hybi-07", 1009), ("hybi-08", 1009), ("rfc6455", 1009)])
def test_too_big_is_written_with_the_number_of_its_draft(name: str, number: int) -> None:
    assert written(name, Close(1009, "big")) == number.to_bytes(2, "big") + b"big"


@cases("name", ORDER)
@cases("close", [Close(1004), Close(1005), Close(1006, "gone"), Close(1015), Close(None, "a reason")])
def test_codes_that_must_not_be_sent_are_never_written(name: str, close: Close) -> None:
    assert written(name, close) == written(name, Close())


@cases("name", [name for name in ORDER if name != "hybi-05"])
def test_a_close_without_a_code_is_empty(name: str) -> None:
    assert written(name, Close()) == b""


@cases(
    ("role", "wire"),
    [
        (Role.SERVER, "81 01 53"),  # em-websocket writes the same
        (Role.CLIENT, "37fa213d b6 fb 62"),  # 81 01 43 under the mask
    ],
)
@cases("close", [Close(), Close(1001, "bye")])
def test_a_close_of_draft_05_names_the_role_of_its_sender(role: Role, wire: str, close: Close) -> None:
    assert encoder_of("hybi-05", role).send(close) == bytes.fromhex(wire)
