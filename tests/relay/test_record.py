"""The record as bytes: what is written is read back, and whatever else comes is refused with a word about it."""

import json
import re
import socket
import zlib
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import cases
from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects.frames import ReaderState
from wsgateway.dialects.framing import FrameEncoderState, WalkerState
from wsgateway.errors import RecordError
from wsgateway.relay import record as module
from wsgateway.relay.endpoint import EndpointState
from wsgateway.relay.messages import WriterState
from wsgateway.relay.moving import Bounds, endpoints
from wsgateway.relay.record import ClientState, Names, RelayState, SessionRecord, SideState, from_bytes, to_bytes
from wsgateway.relay.timer import SideTimerState, TimerState
from wsgateway.wire.events import Kind
from wsgateway.wire.oddities import Oddity
from wsgateway.wire.state import State

MOST_BYTES = 96 * 1024 * 1024
WALKS = WalkerState(ReaderState(Kind.TEXT, 3, 1, False, b"\x01\x02\x03\x04", True), b"\x81", 0, 2, 1)
SIDE = SideState(
    "rfc6455", b"", True, False, (Oddity.HTTP_1_0,), 0, 0.5, EndpointState(1234, 5, b"\x81\x02Hi", b"", 0, WALKS)
)
SIDE_TIMER = SideTimerState(1234, 20.25, 0.0, (100, 0), True, 17, None, False, None)
RECORD = SessionRecord(
    RelayState(SIDE, SIDE, "base64", "none", "replace", TimerState(SIDE_TIMER, SIDE_TIMER, 3600.5, 1.0, 8)),
    Names("public", "chat", "backend", "ws://10.0.1.11:9000", "10.0.1.11:9000"),
    ClientState("192.0.2.7", 4711, False, None, "", "example.com", "/chat", "", "Chrome/13", "hybi-08", "", ""),
    1_700_000_000.125,
    None,
)
# These bytes are what version 1 is: if they change, it is another one.
BYTES_1 = (
    b"wsgateway session 1 82834417\n"
    b'{"is":"SessionRecord","relay":{"is":"RelayState","client":{"is":"SideState","framing":"rfc6455","secret":"",'
    b'"takes_binary":true,"joins":false,"shown":["HTTP_1_0"],"passed_over":0,"paused":0.5,"endpoint":{"is":"Endpoi'
    b'ntState","received":1234,"passed":5,"backlog":"gQJIaQ==","reply":"","held":0,"translator":{"is":"WalkerState'
    b'","reader":{"is":"ReaderState","kind":"TEXT","message_bytes":3,"fragments":1,"final":false,"key":"AQIDBA==",'
    b'"compressed":true,"undecided":false,"secret_masks":false},"kept":"gQ==","left":0,"messages":2,"heartbeats":1'
    b'}}},"upstream":{"is":"SideState","framing":"rfc6455","secret":"","takes_binary":true,"joins":false,"shown":['
    b'"HTTP_1_0"],"passed_over":0,"paused":0.5,"endpoint":{"is":"EndpointState","received":1234,"passed":5,"backlo'
    b'g":"gQJIaQ==","reply":"","held":0,"translator":{"is":"WalkerState","reader":{"is":"ReaderState","kind":"TEXT'
    b'","message_bytes":3,"fragments":1,"final":false,"key":"AQIDBA==","compressed":true,"undecided":false,"secret'
    b'_masks":false},"kept":"gQ==","left":0,"messages":2,"heartbeats":1}}},"encode":"base64","decode":"none","inva'
    b'lid_utf8":"replace","timer":{"is":"TimerState","client":{"is":"SideTimerState","received":1234,"heard":20.25'
    b',"moved":0.0,"taken":[100,0],"queued":true,"others":17,"pinged":null,"ping_waits":false,"turn":null},"upstre'
    b'am":{"is":"SideTimerState","received":1234,"heard":20.25,"moved":0.0,"taken":[100,0],"queued":true,"others":'
    b'17,"pinged":null,"ping_waits":false,"turn":null},"began":3600.5,"active":1.0,"activity":8}},"names":{"is":"N'
    b'ames","listener":"public","route":"chat","upstream":"backend","target":"ws://10.0.1.11:9000","address":"10.0'
    b'.1.11:9000"},"client":{"is":"ClientState","ip":"192.0.2.7","port":4711,"secure":false,"tls_version":null,"fo'
    b'rwarded_for":"","host":"example.com","path":"/chat","origin":"","agent":"Chrome/13","dialect":"hybi-08","sub'
    b'protocol":"","failed":""},"begun":1700000000.125,"tokens":null}'
)


def sealed(body: bytes, version: int = 1) -> bytes:
    return b"wsgateway session %d %08x\n" % (version, zlib.crc32(body)) + body


def plain() -> Any:
    """Return the record as JSON has it."""
    return json.loads(to_bytes(RECORD).partition(b"\n")[2])


def written(value: Any) -> bytes:
    return sealed(json.dumps(value).encode())


def test_a_record_is_read_as_it_was_written() -> None:
    assert from_bytes(SessionRecord, to_bytes(RECORD)) == RECORD


def test_a_record_is_written_as_version_1() -> None:
    assert to_bytes(RECORD) == BYTES_1
    assert from_bytes(SessionRecord, BYTES_1) == RECORD


@cases("data", [b"", b"\n", b"GET / HTTP/1.1\r\n", to_bytes(RECORD)[1:]], ids=str)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError, match=re.escape(f"{data[:40]!r} is no session record; one begins with")):
        from_bytes(SessionRecord, data)


def test_another_version_is_refused() -> None:
    with pytest.raises(RecordError, match="a session record of version 2; only version 1 can be read"):
        from_bytes(SessionRecord, sealed(b"{}", version=2))


def test_a_record_that_was_cut_is_refused() -> None:
    data = to_bytes(RECORD)
    with pytest.raises(RecordError, match=f"bytes with checksum [0-9a-f]{{8}}, {data[20:28].decode()} was written"):
        from_bytes(SessionRecord, data[:-1])


@cases("body", [b"", b"{", b"[" * 100_000, b"9" * 5000, b"\xff", b'"\\ud800'], ids=["nothing", *"abcde"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(RecordError, match="a session record that is no JSON"):
        from_bytes(SessionRecord, sealed(body))


def test_states_within_states_without_end_are_refused() -> None:
    """A translator has a decoder, which may be any state: another translator."""
    translator = plain()["relay"]["client"]["endpoint"]["translator"]
    writer = json.loads(to_bytes(WriterState(b"", Kind.TEXT, 0, False, False, False)).partition(b"\n")[2])
    rest = {"writer": writer, "text": None, "binary": None, "unfinished": None, "messages": 0, "heartbeats": 0}
    for _ in range(600):
        translator = {"is": "TranslatorState", "decoder": translator, "encoder": writer, **rest}
    with pytest.raises(RecordError, match="states within states, deeper than can be read"):
        from_bytes(State, written(translator))


def test_a_record_beyond_the_bound_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = to_bytes(RECORD)
    monkeypatch.setattr(module, "MOST_BYTES", len(data))
    assert from_bytes(SessionRecord, to_bytes(RECORD)) == RECORD
    larger = replace(RECORD, names=replace(RECORD.names, route="chats"))
    expected = f"a session record of {len(data) + 1} bytes, at most {len(data)} are allowed"
    with pytest.raises(RecordError, match=expected):
        to_bytes(larger)
    with pytest.raises(RecordError, match=expected):
        from_bytes(SessionRecord, data + b" ")


def test_a_record_may_have_96_mib() -> None:
    with pytest.raises(RecordError, match="is no session record"):
        from_bytes(SessionRecord, bytes(MOST_BYTES))
    with pytest.raises(RecordError, match="a session record of 100663297 bytes, at most 100663296 are allowed"):
        from_bytes(SessionRecord, bytes(MOST_BYTES + 1))


# -- fields -----------------------------------------------------------------------------------------------------

# The path to a value, what is put there, and what the error says.
WRONG: list[tuple[str, Any, str]] = [
    ("", None, "the record is None; allowed is a SessionRecord"),
    ("", [], "the record is []; allowed is a SessionRecord"),
    ("is", "Names", "allowed is a SessionRecord"),
    ("names", 7, "the record.names is 7; allowed is a Names"),
    ("names.is", "Rubbish", "the record.names is {'is': 'Rubbish'"),
    ("names.is", [], "the record.names is {'is': []"),
    ("names.more", "x", "allowed is a Names with listener, route, upstream, target, address"),
    ("names.route", None, "the record.names.route is None; allowed is a text"),
    ("client.port", -1, "the record.client.port is -1; allowed is a number from 0 to 9223372036854775807"),
    ("client.port", 2**63, "allowed is a number from 0 to 9223372036854775807"),
    ("client.port", 1.0, "the record.client.port is 1.0; allowed is a number from 0"),
    ("client.port", True, "the record.client.port is True; allowed is a number from 0"),
    ("client.secure", 1, "the record.client.secure is 1; allowed is true or false"),
    ("client.tls_version", 3, "the record.client.tls_version is 3; allowed is a text"),
    ("begun", "now", "the record.begun is 'now'; allowed is a number"),
    ("begun", float("nan"), "the record.begun is nan; allowed is a number"),
    ("begun", float("-inf"), "the record.begun is -inf; allowed is a number"),
    ("begun", True, "the record.begun is True; allowed is a number"),
    ("begun", 10**400, "allowed is a number"),
    ("relay.timer.client.taken", [1, "2"], "the record.relay.timer.client.taken[1] is '2'; allowed is a number from 0"),
    ("relay.timer.client.taken", {"0": 1}, "the record.relay.timer.client.taken is {'0': 1}; allowed is a list"),
    ("relay.encode", "base65", "the record.relay.encode is 'base65'; allowed is one of reject, base64, latin-1, hex"),
    ("relay.encode", [], "the record.relay.encode is []; allowed is one of reject"),
    ("relay.client.shown", ["HTTP_2_0"], "the record.relay.client.shown[0] is 'HTTP_2_0'; allowed is one of ABSOLUTE"),
    ("relay.client.secret", "a", "the record.relay.client.secret is 'a'; allowed is base64"),
    ("relay.client.secret", "\u00e9", "the record.relay.client.secret is '\u00e9'; allowed is base64"),
    ("relay.client.secret", 0, "the record.relay.client.secret is 0; allowed is base64"),
    ("relay.client.endpoint.translator.reader.kind", "PICTURE", "is 'PICTURE'; allowed is one of TEXT, BINARY"),
    ("relay.client.endpoint.translator.reader.kind", {}, "is {}; allowed is one of TEXT, BINARY"),
    ("relay.timer.client.taken", [1], "the record.relay.timer.client.taken is [1]; allowed is a list of 2"),
]


@cases(("path", "value", "told"), WRONG, ids=[f"{path} {value}"[:60] for path, value, _ in WRONG])
def test_a_value_that_a_field_cannot_have_is_refused(path: str, value: Any, told: str) -> None:
    whole = plain()
    if not path:
        whole = value
    else:
        *above, last = path.split(".")
        place = whole
        for name in above:
            place = place[name]
        place[last] = value
    with pytest.raises(RecordError, match=re.escape(told)):
        from_bytes(SessionRecord, written(whole))


def test_an_error_shows_no_more_than_a_little_of_a_value() -> None:
    with pytest.raises(RecordError) as caught:
        from_bytes(SessionRecord, written(plain() | {"begun": "x" * 10_000}))
    assert len(str(caught.value)) < 200


def test_a_field_that_is_missing_is_refused() -> None:
    whole = plain()
    del whole["names"]["route"]
    with pytest.raises(RecordError, match="allowed is a Names with listener, route, upstream, target, address"):
        from_bytes(SessionRecord, written(whole))


def test_a_part_of_a_record_is_not_taken_for_another_part() -> None:
    data = to_bytes(FrameEncoderState(True, 5, b"\0\1\2\3"))
    with pytest.raises(RecordError, match="allowed is a WalkerState"):
        from_bytes(WalkerState, data)


# -- damage -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, 10_000), there=st.binary(max_size=3), cut=st.integers(0, 3))
def test_damaged_bytes_are_refused(at: int, there: bytes, cut: int) -> None:
    data = to_bytes(RECORD)
    at %= len(data)
    damaged = data[:at] + there + data[at + cut :]
    if damaged != data:
        with pytest.raises(RecordError):
            from_bytes(SessionRecord, damaged)


@settings(deadline=None, max_examples=300)
@given(data=st.binary())
def test_any_other_bytes_are_refused(data: bytes) -> None:
    for each in (data, sealed(data)):
        with pytest.raises(RecordError):
            from_bytes(SessionRecord, each)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return all places in a plain value: what holds it, and where."""
    own = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [(value, at) for at, _ in own] + [place for _, each in own for place in places(each)]


@settings(deadline=None, max_examples=300)
@given(which=st.integers(0, 10_000), value=values)
def test_a_value_in_the_place_of_another_is_read_or_refused(which: int, value: Any) -> None:
    whole = plain()
    found = places(whole)
    holder, at = found[which % len(found)]
    holder[at] = value
    try:
        read = from_bytes(SessionRecord, written(whole))
    except RecordError:
        return
    assert from_bytes(SessionRecord, to_bytes(read)) == read
    client, upstream = socket.socketpair()
    with client, upstream, suppress(RecordError):
        endpoints(read.relay, (client, upstream), Bounds(), repeat(MASK_KEY))
