"""Whole transcripts, literally: each dialect's handshake with the keys of its draft's example, and its Hello.

The left column has the bytes on the wire: the test sends those of the server, and the probe sends the others.
"""

from collections.abc import Callable
from itertools import groupby

import pytest

from tests.dialects.opening import challenge_draws, scripted
from tests.openings import CHALLENGE as EXAMPLE_OF_76
from wsgateway.dialects import DIALECTS, Offer, ResponseHead, Role
from wsgateway.dialects.base import CHALLENGE, PROOF
from wsgateway.trace.transcript import Line, exchange_lines, frame_lines
from wsgateway.wire.masking import Entropy

from .probing import talk, written

OFFER = Offer("/demo", "example.com", "http://example.com", ("sample",), headers=(("Cookie", "a=b"),))


def no_keys() -> Entropy:
    return scripted()


def two_keys() -> Entropy:
    """Return keys with the numbers of the example in hixie-76, 1.2, and its challenge."""
    return challenge_draws("4 @1  46546xW%0l 1 5", "12998 5 Y3 1  .P00", challenge=EXAMPLE_OF_76)


def one_key() -> Entropy:
    """Return the key of all examples since draft 04: dGhlIHNhbXBsZSBub25jZQ==."""
    return scripted(b"the sample nonce")


TRANSCRIPTS = {
    ("hixie-75", no_keys): """
    > GET /demo HTTP/1.1
    > Upgrade: WebSocket
    > Connection: Upgrade
    > Host: example.com
    > Origin: http://example.com
    > WebSocket-Protocol: sample | what we offered, and one of it or all of it in the answer
    > Cookie: a=b
    >
    < HTTP/1.1 101 Web Socket Protocol Handshake
    < Upgrade: WebSocket
    < Connection: Upgrade
    < WebSocket-Origin: http://example.com | our Origin, repeated: http://example.com is right
    < WebSocket-Location: ws://example.com/demo | the address that we requested, repeated: ws://example.com/demo is
        ... right
    < WebSocket-Protocol: sample | what we offered, and one of it or all of it in the answer
    <
    > 00 | a text begins
    > 48 65 6c 6c 6f | text 'Hello'
    > ff | the text ends
    < 00 | a text begins
    < 48 65 6c 6c 6f | text 'Hello'
    < ff | the text ends
    """,
    ("hixie-76", two_keys): """
    > GET /demo HTTP/1.1
    > Upgrade: WebSocket
    > Connection: Upgrade
    > Host: example.com
    > Origin: http://example.com
    > Sec-WebSocket-Protocol: sample | what we offered, and one of it or all of it in the answer
    > Sec-WebSocket-Key1: !     4146546015 | its digits, 4146546015, by its spaces, 5: 829309203
    > Sec-WebSocket-Key2: !     1299853100 | its digits, 1299853100, by its spaces, 5: 259970620
    > Cookie: a=b
    >
    > 5e 6e 3a 64 73 5b 34 55 | the challenge: 8 random characters
    < HTTP/1.1 101 WebSocket Protocol Handshake
    < Upgrade: WebSocket
    < Connection: Upgrade
    < Sec-WebSocket-Origin: http://example.com | our Origin, repeated: http://example.com is right
    < Sec-WebSocket-Location: ws://example.com/demo | the address that we requested, repeated: ws://example.com/demo
        ... is right
    < Sec-WebSocket-Protocol: sample | what we offered, and one of it or all of it in the answer
    <
    < 38 6a 4b 53 27 79 3a 47 2a 43 6f 2c 57 78 61 2d | the proof: MD5 of 829309203 and 259970620, in 4 bytes each,
        ... and the challenge: 38 6a 4b 53 27 79 3a 47 2a 43 6f 2c 57 78 61 2d is right
    > 00 | a text begins
    > 48 65 6c 6c 6f | text 'Hello'
    > ff | the text ends
    > ff | a frame that has a length
    > 00 | a length of 0: FF 00 is the closing frame
    < 00 | a text begins
    < 48 65 6c 6c 6f | text 'Hello'
    < ff | the text ends
    < ff | a frame that has a length
    < 00 | a length of 0: FF 00 is the closing frame
    """,
    ("hybi-03", two_keys): """
    > GET /demo HTTP/1.1
    > Upgrade: WebSocket
    > Connection: Upgrade
    > Host: example.com
    > Origin: http://example.com
    > Sec-WebSocket-Protocol: sample | what we offered, and one of it or all of it in the answer
    > Sec-WebSocket-Key1: !     4146546015 | its digits, 4146546015, by its spaces, 5: 829309203
    > Sec-WebSocket-Key2: !     1299853100 | its digits, 1299853100, by its spaces, 5: 259970620
    > Sec-WebSocket-Draft: 3 | frames of this draft, and not those of hixie-76
    > Cookie: a=b
    >
    > 5e 6e 3a 64 73 5b 34 55 | the challenge: 8 random characters
    < HTTP/1.1 101 WebSocket Protocol Handshake
    < Upgrade: WebSocket
    < Connection: Upgrade
    < Sec-WebSocket-Origin: http://example.com | our Origin, repeated: http://example.com is right
    < Sec-WebSocket-Location: ws://example.com/demo | the address that we requested, repeated: ws://example.com/demo
        ... is right
    < Sec-WebSocket-Protocol: sample | what we offered, and one of it or all of it in the answer
    <
    < 38 6a 4b 53 27 79 3a 47 2a 43 6f 2c 57 78 61 2d | the proof: MD5 of 829309203 and 259970620, in 4 bytes each,
        ... and the challenge: 38 6a 4b 53 27 79 3a 47 2a 43 6f 2c 57 78 61 2d is right
    > 04 | MORE is 0, opcode 4: text, the last frame of its message
    > 05 | length 5
    > 48 65 6c 6c 6f | payload: 'Hello'
    > 01 | MORE is 0, opcode 1: close
    > 00 | length 0
    < 04 | MORE is 0, opcode 4: text, the last frame of its message
    < 05 | length 5
    < 48 65 6c 6c 6f | payload: 'Hello'
    < 01 | MORE is 0, opcode 1: close
    < 00 | length 0
    """,
    ("hybi-04", one_key): """
    > GET /demo HTTP/1.1
    > Host: example.com
    > Upgrade: websocket
    > Connection: Upgrade
    > Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== | 16 random bytes, in base64
    > Sec-WebSocket-Version: 4 | the dialect
    > Sec-WebSocket-Origin: http://example.com
    > Sec-WebSocket-Protocol: sample | what we offered, and one of it in the answer
    > Cookie: a=b
    >
    < HTTP/1.1 101 Switching Protocols
    < Upgrade: websocket
    < Connection: Upgrade
    < Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | the proof, SHA-1 of the key and
        ... 258EAFA5-E914-47DA-95CA-C5AB0DC85B11, in base64: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= is right
    < Sec-WebSocket-Nonce: AQIDBAUGBwgJCgsMDQ4PEC== | our masks come from SHA-1 of the key, this and
        ... 61AC5F19-FBBA-4540-B96F-6561F1AB40A8, and 4 bytes a frame
    <
    > 37 fa 21 3d | the key of a mask over the frame, from which comes 82 40 35 ac 55 46 3d a6 22 57 d6 fb 16 7d 1c
        ... dc 73 da 0f 8e
    > 06 | under the mask 84: FIN, opcode 4: text, the last frame of its message
    > 45 | under the mask 05: length 5
    > 7d c9 39 2a 52 | payload: 'Hello'
    < 84 | FIN, opcode 4: text, the last frame of its message
    < 05 | length 5
    < 48 65 6c 6c 6f | payload: 'Hello'
    < 81 | FIN, opcode 1: close
    < 00 | length 0
    """,
    ("hybi-05", one_key): """
    > GET /demo HTTP/1.1
    > Host: example.com
    > Upgrade: websocket
    > Connection: Upgrade
    > Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== | 16 random bytes, in base64
    > Sec-WebSocket-Version: 5 | the dialect
    > Sec-WebSocket-Origin: http://example.com
    > Sec-WebSocket-Protocol: sample | what we offered, and one of it in the answer
    > Cookie: a=b
    >
    < HTTP/1.1 101 Switching Protocols
    < Upgrade: websocket
    < Connection: Upgrade
    < Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | the proof, SHA-1 of the key and
        ... 258EAFA5-E914-47DA-95CA-C5AB0DC85B11, in base64: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= is right
    <
    > 37 fa 21 3d | the key of a mask over the frame
    > b3 | under the mask 84: FIN, opcode 4: text, the last frame of its message
    > ff | under the mask 05: length 5
    > 69 58 5b 96 4e | payload: 'Hello'
    < 84 | FIN, opcode 4: text, the last frame of its message
    < 05 | length 5
    < 48 65 6c 6c 6f | payload: 'Hello'
    < 81 | FIN, opcode 1: close
    < 01 | length 1
    < 53 | payload: 'S'
    """,
    ("rfc6455", one_key): """
    > GET /demo HTTP/1.1
    > Host: example.com
    > Upgrade: websocket
    > Connection: Upgrade
    > Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== | 16 random bytes, in base64
    > Sec-WebSocket-Version: 13 | the dialect
    > Origin: http://example.com
    > Sec-WebSocket-Protocol: sample | what we offered, and one of it in the answer
    > Cookie: a=b
    >
    < HTTP/1.1 101 Switching Protocols
    < Upgrade: websocket
    < Connection: Upgrade
    < Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= | the proof, SHA-1 of the key and
        ... 258EAFA5-E914-47DA-95CA-C5AB0DC85B11, in base64: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= is right
    < Sec-WebSocket-Protocol: sample | what we offered, and one of it in the answer
    <
    > 81 | FIN, opcode 1: text, the last frame of its message
    > 85 | MASK, length 5
    > 37 fa 21 3d | the key of the mask
    > 7f 9f 4d 51 58 | payload: 'Hello'
    > 88 | FIN, opcode 8: close
    > 82 | MASK, length 2
    > 37 fa 21 3d | the key of the mask
    > 34 12 | payload: 1000
    < 81 | FIN, opcode 1: text, the last frame of its message
    < 05 | length 5
    < 48 65 6c 6c 6f | payload: 'Hello'
    < 88 | FIN, opcode 8: close
    < 02 | length 2
    < 03 e8 | payload: 1000
    """,
}


@pytest.mark.parametrize(("example", "text"), TRANSCRIPTS.items(), ids=[name for name, _ in TRANSCRIPTS])
def test_a_conversation_is_shown_to_the_last_byte(example: tuple[str, Callable[[], Entropy]], text: str) -> None:
    dialect, entropy = example
    shown = talk(text)
    client_handshake = DIALECTS[dialect].handshake.client(OFFER, entropy())
    head = ResponseHead()
    request = head.request(client_handshake.request) + client_handshake.challenge
    lines: list[Line] = [*exchange_lines(">", request, CHALLENGE, client_handshake.notes())]

    # What the server says, as the left column has it.
    columns = [line.partition(" | ")[0] for line in shown]
    end = columns.index("<")
    status = next(at for at, column in enumerate(columns) if column.startswith("< HTTP"))
    proof = end + 1 + bool(client_handshake.proof_bytes)
    reply = "".join(f"{column[2:]}\r\n" for column in columns[status : end + 1]).encode()
    reply += bytes.fromhex("".join(column[2:] for column in columns[end + 1 : proof]))
    response = head.receive(reply)
    assert response is not None
    client_handshake.check(response, head.rest)
    lines += exchange_lines("<", reply, PROOF, client_handshake.notes())

    framing = DIALECTS[dialect].framing
    dissectors = {
        ">": framing.dissector(Role.SERVER, client_handshake.secret),
        "<": framing.dissector(Role.CLIENT, client_handshake.secret),
    }
    for direction, part in groupby(columns[proof:], lambda column: column[0]):
        data = bytes.fromhex("".join(column[2:] for column in part))
        lines += frame_lines(direction, data, dissectors[direction])
    assert [written(line) for line in lines] == shown
