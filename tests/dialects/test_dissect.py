"""Dissectors of frames with a head: every byte of any input has a meaning, and some meanings are compared literally."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsgateway.dialects import DIALECTS, Role
from wsgateway.errors import ProtocolError

from .dissecting import dissected, joined, lines, table, wire_of
from .feeding import byte_by_byte, cut_at_random, decoder_of, frame, whole
from .vectors import distinct, vectors

QUICK = settings(max_examples=30, database=None)
CLIENT, SERVER = Role.CLIENT, Role.SERVER
EVERY = pytest.mark.parametrize(("name", "role"), [(name, role) for name in DIALECTS for role in Role])
# Longer vectors are not fed byte by byte: it would show no more, and take seconds.
SHORT_BYTES = 1024


# -- nothing is lost, whatever comes -----------------------------------------------------------------------------


@EVERY
def test_the_bytes_of_every_vector_come_out_once_and_in_order_however_they_are_cut(name: str, role: Role) -> None:
    every = distinct(vectors("frame", "ok", "deviation"))
    ours = [each for each in every if (each.dialect, each.receiver) == (name, role)]
    assert ours
    for each in ours:
        cuts = [whole, cut_at_random, *([byte_by_byte] if len(each.wire) < SHORT_BYTES else [])]
        for cut in cuts:
            assert joined(dissected(name, role, cut(each.wire), each.secret)) == each.wire, each


@EVERY
def test_frames_that_break_the_rules_keep_no_more_than_a_head(name: str, role: Role) -> None:
    for each in vectors("frame", "wrong"):
        if (each.dialect, each.receiver) == (name, role):
            said = joined(dissected(name, role, [each.wire], each.secret))
            assert each.wire.startswith(said), each
            assert len(each.wire) - len(said) < 14, each


PAYLOADS = st.binary(max_size=60) | st.sampled_from([b"", b"\x03\xe8", b"\x03", b"x" * 125, b"x" * 126])
FRAMES = st.builds(frame, st.integers(0, 255), PAYLOADS, st.booleans(), st.sampled_from([0, 0, 0, 2, 8]))
DELIMITED = st.sampled_from([b"\x00hello\xff", b"\x00", b"\xff\x00", b"\x80\x03abc", b"\x80\x80", b"\x01.\xff"])
NOISE = st.lists(FRAMES | DELIMITED | st.binary(max_size=12), max_size=8).map(b"".join)


@EVERY
@QUICK
@given(data=NOISE, seed=st.integers(0, 99))
@example(data=bytes(range(256)) * 3, seed=1)
@example(data=bytes(range(255, -1, -1)) * 3, seed=1)
def test_noise_comes_out_once_and_in_order_and_nothing_is_raised(name: str, role: Role, data: bytes, seed: int) -> None:
    for pieces in ([data], byte_by_byte(data), cut_at_random(data, seed)):
        said = joined(dissected(name, role, pieces))
        assert data.startswith(said)
        # Bytes of an incomplete frame at the end.
        assert len(data) - len(said) < 139


def fault_of(name: str, role: Role, data: bytes) -> str:
    """Return the fault that a decoder of this dialect finds in the data; an empty text if it finds none."""
    decoder = decoder_of(name, role)
    try:
        list(decoder.receive(data))
    except ProtocolError as fault:
        return str(fault)
    return ""


@EVERY
@QUICK
@given(data=NOISE)
@example(data=frame(0x88, b"\x03", masked=True) + frame(0x81, b"Hello", masked=True))
@example(data=frame(0x88, b"\x03") + frame(0x81, b"Hello"))
@example(data=frame(0x81, b"\x03") + frame(0x84, b"Hello"))
@example(data=b"\x80\xff\xff\xff\xff\xff\x00")
def test_the_fault_of_a_decoder_is_the_meaning_of_all_following_bytes(name: str, role: Role, data: bytes) -> None:
    fault = fault_of(name, role, data)
    # A dissector explains RSV1 also if no compression was agreed.
    if fault and fault != "reserved bits 0x40 that no extension uses":
        for pieces in ([data], byte_by_byte(data)):
            assert dissected(name, role, pieces)[-1].meaning in (fault, f"payload: {fault}")


# -- frames with a head, literally -------------------------------------------------------------------------------

# The expected lines by dialect and our role.
HEADS = {
    "rfc6455 client: a text from a server": """
        81              FIN, opcode 1: text, the last frame of its message
        05              length 5
        48 65 6c 6c 6f  payload: 'Hello'
        """,
    "rfc6455 server: a text from a client": """
        81              FIN, opcode 1: text, the last frame of its message
        85              MASK, length 5
        37 fa 21 3d     the key of the mask
        7f 9f 4d 51 58  payload: 'Hello'
        """,
    "rfc6455 client: fragments with a ping between them": """
        01        FIN is 0, opcode 1: text, more frames follow
        03        length 3
        48 65 6c  payload: 'Hel'
        89        FIN, opcode 9: ping
        02        length 2
        68 69     payload: 'hi'
        80        FIN, opcode 0: continuation, the last frame of its message
        02        length 2
        6c 6f     payload: 'lo'
        """,
    "rfc6455 client: a length in 2 bytes": """
        82     FIN, opcode 2: binary, the last frame of its message
        7e     the length is in 2 more bytes
        01 00  length 256
        00 01  payload: 2 bytes
        """,
    "hybi-07 server: a length in 2 bytes and a mask": """
        82           FIN, opcode 2: binary, the last frame of its message
        fe           MASK, the length is in 2 more bytes
        01 00        length 256
        37 fa 21 3d  the key of the mask
        37 fb        payload: 2 bytes
        """,
    "hybi-08 client: a length in 8 bytes": """
        02                       FIN is 0, opcode 2: binary, more frames follow
        7f                       the length is in 8 more bytes
        00 00 00 00 00 01 00 00  length 65536
        00 01                    payload: 2 bytes
        """,
    "rfc6455 client: an empty text and an empty pong": """
        81  FIN, opcode 1: text, the last frame of its message
        00  length 0
        8a  FIN, opcode A: pong
        00  length 0
        """,
    "rfc6455 client: a Close without a code": """
        88  FIN, opcode 8: close
        00  length 0
        """,
    "hybi-07 server: a Close with a code": """
        88           FIN, opcode 8: close
        82           MASK, length 2
        37 fa 21 3d  the key of the mask
        34 13        payload: 1001
        """,
    "rfc6455 client: a Close with a reason": """
        88              FIN, opcode 8: close
        05              length 5
        03 e9 62 79 65  payload: 1001 'bye'
        """,
    "rfc6455 client: a Close that must not be sent": """
        88     FIN, opcode 8: close
        02     length 2
        03 ed  payload: Close with code 1005, which may not be sent
        """,
    "rfc6455 client: a head of what is compressed": """
        41  FIN is 0, RSV1, opcode 1: text, more frames follow
        03  length 3
        """,
    "rfc6455 client: text that is not UTF-8": """
        81        FIN, opcode 1: text, the last frame of its message
        03        length 3
        ff 68 69  payload: '\ufffdhi'
        """,
    "hybi-01 client: the first bit in the first drafts": """
        84        MORE, opcode 4: text, more frames follow
        03        length 3
        48 65 6c  payload: 'Hel'
        00        MORE is 0, opcode 0: continuation, the last frame of its message
        02        length 2
        6c 6f     payload: 'lo'
        02        MORE is 0, opcode 2: ping
        01        length 1
        21        payload: '!'
        03        MORE is 0, opcode 3: pong
        00        length 0
        05        MORE is 0, opcode 5: binary, the last frame of its message
        01        length 1
        21        payload: 1 bytes
        """,
    "hybi-03 server: no mask in the first drafts": """
        04              MORE is 0, opcode 4: text, the last frame of its message
        05              length 5
        48 65 6c 6c 6f  payload: 'Hello'
        01              MORE is 0, opcode 1: close
        00              length 0
        """,
    # The draft's own key and nonce: see SECRET.
    "hybi-04 server: a frame under the mask of 04": """
        37 fa 21 3d     the key of a mask over the frame, from which comes MASK OF 04
        06              under the mask 84: FIN, opcode 4: text, the last frame of its message
        45              under the mask 05: length 5
        7d c9 39 2a 52  payload: 'Hello'
        """.replace("MASK OF 04", "82 40 35 ac 55 46 3d a6 22 57 d6 fb 16 7d 1c dc 73 da 0f 8e"),
    "hybi-05 server: a frame under the mask of 05": """
        00 00 01 00     the key of a mask over the frame
        84              under the mask 84: FIN, opcode 4: text, the last frame of its message
        05              under the mask 05: length 5
        49 65 6c 6c 6e  payload: 'Hello'
        """,
    "hybi-06 server: a length under the mask of 06": """
        00 00 01 00  the key of a mask over the frame
        85           under the mask 85: FIN, opcode 5: binary, the last frame of its message
        7e           under the mask 7e: the length is in 2 more bytes
        00 00        under the mask 01 00: length 256
        00 01        payload: 2 bytes
        """,
    "hybi-04 client: a server of 04 masks nothing, and says nothing with its Close": """
        04              FIN is 0, opcode 4: text, more frames follow
        05              length 5
        48 65 6c 6c 6f  payload: 'Hello'
        81              FIN, opcode 1: close
        00              length 0
        """,
    "hybi-05 client: in 05 a server says with its Close that it is one": """
        81  FIN, opcode 1: close
        01  length 1
        53  payload: 'S'
        """,
    "hybi-05 server: in 05 a client says with its Close that it is one": """
        00 00 01 00  the key of a mask over the frame
        81           under the mask 81: FIN, opcode 1: close
        01           under the mask 01: length 1
        42           payload: 'C'
        """,
    "hybi-06 client: in 06 a Close has a code": """
        81     FIN, opcode 1: close
        02     length 2
        03 e8  payload: 1000
        """,
}


EVERY_HEAD = pytest.mark.parametrize(
    ("name", "role", "said"),
    [(*key.partition(":")[0].split(), said) for key, said in HEADS.items()],
    ids=HEADS,
)


@EVERY_HEAD
def test_a_frame_is_explained_bit_by_bit(name: str, role: str, said: str) -> None:
    assert lines(dissected(name, Role(role), [wire_of(said)])) == table(said)


@EVERY_HEAD
def test_a_head_is_explained_in_the_same_way_however_it_is_cut(name: str, role: str, said: str) -> None:
    for cut in (byte_by_byte, cut_at_random):
        parts = lines(dissected(name, Role(role), cut(wire_of(said))))
        heads, wanted = ([row for row in rows if "payload: " not in row[1]] for rows in (parts, table(said)))
        assert heads == wanted


def test_an_incomplete_head_waits_for_its_rest() -> None:
    dissector = DIALECTS["hybi-07"].framing.dissector(SERVER)
    for byte in bytes.fromhex("82 ff 0000000000000001 37fa21"):
        assert list(dissector.feed(bytes([byte]))) == []
    assert joined(list(dissector.feed(b"\x3d"))) == bytes.fromhex("82 ff 0000000000000001 37fa213d")


def test_bytes_that_wait_at_the_end_of_a_stream_are_an_incomplete_frame() -> None:
    dissector = DIALECTS["rfc6455"].framing.dissector(CLIENT)
    assert list(dissector.feed(b"\x81\x7e\x00")) == []
    assert lines(list(dissector.finish())) == [("81 7e 00", "a frame that is not whole")]
    dissector = DIALECTS["rfc6455"].framing.dissector(CLIENT)
    assert joined(list(dissector.feed(b"\x81\x05Hel"))) == b"\x81\x05Hel"
    assert list(dissector.finish()) == []


@pytest.mark.parametrize("cut", [byte_by_byte, cut_at_random])
def test_a_close_waits_until_it_is_whole(cut: Callable[[bytes], list[bytes]]) -> None:
    said = HEADS["rfc6455 client: a Close with a reason"]
    assert lines(dissected("rfc6455", CLIENT, cut(wire_of(said)))) == table(said)


def test_what_is_compressed_is_not_shown_as_text() -> None:
    said = """
        41        FIN is 0, RSV1, opcode 1: text, more frames follow
        03        length 3
        f2 48 cd  payload: 3 bytes, compressed
        89        FIN, opcode 9: ping
        01        length 1
        21        payload: '!'
        80        FIN, opcode 0: continuation, the last frame of its message
        04        length 4
        c9 c9 07 00  payload: 4 bytes, compressed
        81        FIN, opcode 1: text, the last frame of its message
        02        length 2
        68 69     payload: 'hi'
        c2        FIN, RSV1, opcode 2: binary, the last frame of its message
        03        length 3
        02 04 00  payload: 3 bytes, compressed
        """
    assert lines(dissected("rfc6455", CLIENT, [wire_of(said)])) == table(said)


FAULTS = [
    ("rfc6455", SERVER, "8105 48656c6c6f", "frame without a mask from a client"),
    ("rfc6455", CLIENT, "8185 37fa213d", "masked frame from a server"),
    ("rfc6455", CLIENT, "8b00", "reserved opcode 0xb"),
    ("rfc6455", CLIENT, "8001 21", "continuation without a message"),
    ("rfc6455", CLIENT, "a100", "reserved bits 0x20 that no extension uses"),
    ("rfc6455", CLIENT, "c900", "reserved bits on a control frame"),
    ("rfc6455", CLIENT, "0900", "control frame in fragments"),
    ("rfc6455", CLIENT, "817e0005", "length 5 written in 2 bytes"),
    ("hybi-01", CLIENT, "8200", "control frame in fragments"),
    ("hybi-01", CLIENT, "0480", "reserved bit before a length"),
    ("hybi-04", CLIENT, "8480", "reserved bit before a length"),
    ("hybi-05", SERVER, "00000000 8480", "reserved bit before a length"),
    ("hybi-06", SERVER, "00000000 8f00", "reserved opcode 0xf"),
]


@pytest.mark.parametrize(("name", "role", "wire", "fault"), FAULTS)
def test_a_fault_is_explained_and_all_following_bytes_belong_to_it(
    name: str, role: Role, wire: str, fault: str
) -> None:
    bad = bytes.fromhex(wire)
    assert lines(dissected(name, role, [bad + b"and", b"more"])) == [
        ((bad + b"and").hex(" "), fault),
        (b"more".hex(" "), fault),
    ]


def test_valid_bytes_before_a_fault_keep_their_meaning() -> None:
    said = """
        89        FIN, opcode 9: ping
        00        length 0
        8b 00 00  reserved opcode 0xb
        """
    assert lines(dissected("rfc6455", CLIENT, [wire_of(said)])) == table(said)
