"""The Close that each side gets when a session ends: the table of `relay.closing`, for every dialect."""

from tests.cases import cases
from tests.dialects.families import FACTS, NAMES
from wsgateway.dialects import DIALECTS
from wsgateway.errors import ProtocolError, Reason
from wsgateway.relay.closing import Ending, ServerClose, closing
from wsgateway.wire.events import Close, Role

from .passing import CLIENT, UPSTREAM, side

# 1014 is a code of the IANA registry for RFC 6455; the drafts end before it.
KNOW_1014 = {name for name in NAMES if 1014 in FACTS[name].codes}

# How a session ended, and the Close for its source.
GOODBYES: dict[str, tuple[Ending, Close | None]] = {
    "a Close": (Close(), Close()),
    "a Close with a code": (Close(1000), Close(1000)),
    # RFC 6455, 5.5.1: the answer repeats the code; the reason is only for its receiver.
    "a Close with a code and a reason": (Close(4999, "bye"), Close(4999)),
}
FAULTS: dict[str, tuple[Ending, Close | None]] = {
    "a frame against the rules": (ProtocolError(Reason.FRAME_MALFORMED, "reserved opcode 0x3"), Close(1002)),
    "binary for a side with text alone": (ProtocolError(Reason.BINARY_UNSUPPORTED, "binary message"), Close(1003)),
    "broken text": (ProtocolError(Reason.TEXT_NOT_UTF8, "text is not UTF-8"), Close(1007)),
    "a message beyond the limits": (
        ProtocolError(Reason.MESSAGE_TOO_LARGE, "message of 4 bytes, limit 3"),
        Close(1009),
    ),
    "the end of its stream": (ProtocolError(Reason.CONNECTION_LOST, "the connection ended without a Close"), None),
    "a reset": (ConnectionResetError("Connection reset by peer"), None),
    "a time that ran out": (TimeoutError("Connection timed out"), None),
}
ENDINGS = {**GOODBYES, **FAULTS}
# By whether the side that ended the session is still connected.
BROKEN = {name: ending for name, (ending, told) in FAULTS.items() if told is not None}
GONE = {name: ending for name, (ending, told) in FAULTS.items() if told is None}

every_dialect = cases("dialect", DIALECTS)
both_sides = cases("role", [CLIENT, UPSTREAM], ids=["a client", "an upstream"])


@every_dialect
@both_sides
@cases(("ending", "told"), ENDINGS.values(), ids=ENDINGS.keys())
def test_the_source_is_sent_its_own_code(ending: Ending, told: Close | None, role: Role, dialect: str) -> None:
    assert closing(ending, True, side(dialect, role)) == told


@every_dialect
@both_sides
@cases("ending", [ending for ending, _ in GOODBYES.values()], ids=GOODBYES.keys())
def test_the_other_side_has_already_been_sent_the_close(ending: Ending, role: Role, dialect: str) -> None:
    assert closing(ending, False, side(dialect, role)) is None


@every_dialect
@cases("ending", [ending for ending, _ in FAULTS.values()], ids=FAULTS.keys())
def test_a_client_whose_dialect_has_1014_is_sent_it_for_a_bad_upstream(ending: Ending, dialect: str) -> None:
    expected = Close(1014) if dialect in KNOW_1014 else None
    assert closing(ending, False, side(dialect, CLIENT)) == expected


@every_dialect
@cases("ending", BROKEN.values(), ids=BROKEN.keys())
def test_an_upstream_is_sent_1001_if_its_client_broke_the_rules(ending: Ending, dialect: str) -> None:
    assert closing(ending, False, side(dialect, UPSTREAM)) == Close(1001)


@every_dialect
@cases("ending", GONE.values(), ids=GONE.keys())
def test_an_upstream_is_sent_no_code_if_its_client_is_disconnected(ending: Ending, dialect: str) -> None:
    assert closing(ending, False, side(dialect, UPSTREAM)) is None


@every_dialect
@both_sides
@cases("code", [1012, 4000, 1001])
def test_when_the_gateway_ends_a_session_both_sides_are_sent_its_code_or_1001(
    code: int, role: Role, dialect: str
) -> None:
    expected = Close(code if code in FACTS[dialect].codes else 1001)
    assert closing(ServerClose(Reason.GATEWAY_STOPPING, "stopped", code), False, side(dialect, role)) == expected
