"""The frames of the hybi drafts 01 to 06, byte by byte: the drafts' own examples, and pywebsocket's of that time."""

from itertools import repeat

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.dialects.hybi import cover_key_04
from wsgateway.wire.events import Close, Event, Fragment, Ping, Pong, Role
from wsgateway.wire.heads import Headers, Response

from .families import COVERED
from .feeding import CUTS, Heard, binary, decoder_of, encoder_of, hear, other, text
from .opening import SAMPLE_REPLY_76, challenge_draws, head_of, open_up
from .vectors import MASK_KEY, SECRET

HEL, LO = text("Hel", final=False), text("lo")
# The same messages from a server and from a client, whose mask key is 37FA213D.
SAID: dict[str, list[tuple[list[Event], str, str]]] = {
    # There are no masks, and the first bit means that more frames follow.
    "hybi-01 hybi-02 hybi-03": [
        ([text("Hello")], "04 05 48656c6c6f", "04 05 48656c6c6f"),
        ([HEL, LO], "84 03 48656c  00 02 6c6f", "84 03 48656c  00 02 6c6f"),
        ([binary(b"\0\xff")], "05 02 00ff", "05 02 00ff"),
        ([Ping(b"Hello")], "02 05 48656c6c6f", "02 05 48656c6c6f"),
        ([Pong(b"Hello")], "03 05 48656c6c6f", "03 05 48656c6c6f"),
        ([HEL, Ping(b""), LO], "84 03 48656c  02 00  00 02 6c6f", "84 03 48656c  02 00  00 02 6c6f"),
        ([Close()], "01 00", "01 00"),
    ],
    # A client's frame is masked by SHA-1(37FA213D + secret), which is 824035ac 55463da6 ...
    "hybi-04": [
        ([text("Hello")], "84 05 48656c6c6f", "37fa213d 06457dc9392a52"),
        ([HEL, LO], "04 03 48656c  80 02 6c6f", "37fa213d 86437dc939  37fa213d 024259c3"),
        ([binary(b"\0\xff\x80\x7f")], "85 04 00ff807f", "37fa213d 07443553d539"),
        ([Ping(b"Hello")], "82 05 48656c6c6f", "37fa213d 00457dc9392a52"),
        ([Pong(b"Hello")], "83 05 48656c6c6f", "37fa213d 01457dc9392a52"),
        ([Close()], "81 00", "37fa213d 0340"),
    ],
    # A client's frame is masked by the key itself.
    "hybi-05 hybi-06": [
        ([text("Hello")], "84 05 48656c6c6f", "37fa213d b3ff69585b964e"),
        ([HEL, LO], "04 03 48656c  80 02 6c6f", "37fa213d 33f969585b  37fa213d b7f84d52"),
        ([binary(b"\0\xff\x80\x7f")], "85 04 00ff807f", "37fa213d b2fe21c2b785"),
        ([Ping(b"Hello")], "82 05 48656c6c6f", "37fa213d b5ff69585b964e"),
        ([Pong(b"Hello")], "83 05 48656c6c6f", "37fa213d b4ff69585b964e"),
    ],
    # A Close has a letter in 05, a code in 06; 1004 was "too big" there.
    "hybi-05": [([Close()], "81 01 53", "37fa213d b6fb62")],
    "hybi-06": [
        ([Close()], "81 00", "37fa213d b6fa"),
        ([Close(1000)], "81 02 03e8", "37fa213d b6f822d5"),
        ([Close(1001, "bye")], "81 05 03e9627965", "37fa213d b6ff22d4558344"),
        ([Close(1009)], "81 02 03ec", "37fa213d b6f822d1"),
    ],
}
EVERY = cases(
    ("name", "sender", "events", "wire"),
    [
        (name, sender, events, bytes.fromhex(wire))
        for names, rows in SAID.items()
        for name in names.split()
        for events, by_server, by_client in rows
        for sender, wire in ((Role.SERVER, by_server), (Role.CLIENT, by_client))
    ],
)


def joined(events: list[Event]) -> list[Event]:
    """Return the same events, with the message in two fragments as one event, where it ends."""
    if HEL not in events:
        return events
    return [*[event for event in events if not isinstance(event, Fragment)], text("Hello")]


@EVERY
def test_a_frame_is_written_to_the_byte(name: str, sender: Role, events: list[Event], wire: bytes) -> None:
    encoder = encoder_of(name, sender)
    assert b"".join(map(encoder.send, events)) == wire


@EVERY
def test_a_frame_is_read(name: str, sender: Role, events: list[Event], wire: bytes) -> None:
    for cut in CUTS:
        assert hear(decoder_of(name, other(sender)), cut(wire)) == Heard(joined(events))


# -- masks over all of a frame (04 to 06, 4.3) -----------------------------------------------------------------


def test_the_mask_of_draft_04_is_made_of_the_frames_nonce_and_of_the_secret() -> None:
    """It has 20 bytes, made with `xxd -r -p | sha1sum`. libwebsockets once used the secret itself."""
    assert cover_key_04(MASK_KEY, SECRET).hex() == "824035ac55463da62257d6fb167d1cdc73da0f8e"


@cases("name", ["hybi-05", "hybi-06"])
def test_the_mask_of_drafts_05_and_06_is_the_frames_key_itself(name: str) -> None:
    """The example is from the tests of an EventMachine server, with a key that makes it easy to see."""
    wire = bytes.fromhex("00000100 84 05 49656c6c6e")
    assert hear(decoder_of(name, Role.SERVER), [wire]) == Heard([text("Hello")])
    assert encoder_of(name, Role.CLIENT, repeat(wire[:4])).send(text("Hello")) == wire


@cases(
    ("name", "wire"),
    [
        # The SHA-1 of 00000001 and of 00000002, each with the secret, begin with f3508918 and f0f28975.
        ("hybi-04", "00000001 7752e862 00000002 74f0ea11"),
        ("hybi-05", "00000001 8402617b 00000002 84026366"),
        ("hybi-06", "00000001 8402617b 00000002 84026366"),
    ],
)
def test_every_frame_has_a_mask_of_its_own(name: str, wire: str) -> None:
    keys = iter([b"\0\0\0\1", b"\0\0\0\2"])
    encoder = encoder_of(name, Role.CLIENT, keys)
    assert encoder.send(text("az")) + encoder.whole(b"cd") == bytes.fromhex(wire)
    assert hear(decoder_of(name, Role.SERVER), [bytes.fromhex(wire)]) == Heard([text("az"), text("cd")])


@cases("name", COVERED)
def test_a_mask_goes_on_where_a_read_ended(name: str) -> None:
    """The mask repeats after 20 bytes in 04 and after 4 in the others, and covers the head, too."""
    message = bytes(range(256)) * 2
    wire = encoder_of(name, Role.CLIENT).send(binary(message))
    for size in (1, 3, 19, 20, 21, 100):
        pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
        assert hear(decoder_of(name, Role.SERVER), pieces) == Heard([binary(message)])


def test_frames_of_draft_04_mean_nothing_without_the_secret_of_their_connection() -> None:
    wire = bytes.fromhex("37fa213d 06457dc9392a52")
    for secret in (b"", SECRET[::-1], bytes(20)):
        heard = hear(decoder_of("hybi-04", Role.SERVER, secret=secret), [wire * 8])
        assert heard.fault == 1002
        assert not any(isinstance(event, Fragment) for event in heard.events), "noise is at most a stray control frame"


@cases("name", COVERED)
def test_a_server_masks_nothing_and_takes_no_key(name: str) -> None:
    assert encoder_of(name, Role.SERVER, iter(())).send(text("Hello")) == bytes.fromhex("84 05 48656c6c6f")


# -- the handshake of 01 to 03: that of hixie-76, and a number -------------------------------------------------

# The example of hixie-76 (1.2).
SAMPLE = [
    "Upgrade: WebSocket",
    "Connection: Upgrade",
    "Host: example.com",
    "Origin: http://example.com",
    "Sec-WebSocket-Protocol: sample",
    "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
    "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
]
CHALLENGE, PROOF = b"^n:ds[4U", b"8jKS'y:G*Co,Wxa-"
NUMBERED = cases(("name", "number"), [("hixie-76", "0"), ("hybi-01", "1"), ("hybi-02", "2"), ("hybi-03", "3")])


@NUMBERED
def test_a_draft_with_two_keys_is_answered_as_hixie_76_is(name: str, number: str) -> None:
    """No server's reply repeats the number."""
    head = head_of(*SAMPLE, f"Sec-WebSocket-Draft: {number}", start="GET /demo HTTP/1.1")
    opened = open_up(head + CHALLENGE)
    assert opened.dialect.name == name
    assert opened.reply(Answer("sample")) == SAMPLE_REPLY_76


@NUMBERED
def test_a_request_of_a_draft_with_two_keys_has_its_number(name: str, number: str) -> None:
    """Hixie-76 itself sends no number, as its browsers did not."""
    offer = Offer("/demo", "example.com", "http://example.com", ("sample",), headers=(("Cookie", "c=1"),))
    keys = [line.partition(": ")[2] for line in SAMPLE[-2:]]
    client_handshake = DIALECTS[name].handshake.client(offer, challenge_draws(*keys, challenge=CHALLENGE))
    lines = [f"{header}: {value}" for header, value in client_handshake.request.headers if "Key" not in header]
    assert lines == [*SAMPLE[:5], *([f"Sec-WebSocket-Draft: {number}"] if number != "0" else []), "Cookie: c=1"]
    reply = [
        ("Upgrade", "WebSocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Origin", "http://example.com"),
        ("Sec-WebSocket-Location", "ws://example.com/demo"),
        ("Sec-WebSocket-Protocol", "sample"),
    ]
    response = Response(101, "WebSocket Protocol Handshake", Headers(reply))
    assert client_handshake.check(response, PROOF) == Answer("sample")
