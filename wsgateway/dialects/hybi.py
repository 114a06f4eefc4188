"""The hybi drafts, draft-ietf-hybi-thewebsocketprotocol-01 to -08, side by side.

    draft   handshake              announced by                first bit  clients mask       opcodes   Close says
    01-03   two keys, as hixie-76  Sec-WebSocket-Draft: 1-3    MORE       nothing            of 01     nothing
    04      key and nonce          Sec-WebSocket-Version: 4    FIN        head and payload   of 01     nothing
    05      key                    Sec-WebSocket-Version: 5    FIN        head and payload   of 01     C or S: closer
    06      key                    Sec-WebSocket-Version: 6    FIN        head and payload   of 01     a code
    07      key                    Sec-WebSocket-Version: 7    FIN        payload            of 07     a code
    08      key                    Sec-WebSocket-Version: 8    FIN        payload            of 07     a code, 1007 too

Each row below states its differences from the row before it. Draft 03 announced itself as 2, like 02, and has the same
frames; tools for 03 send 3. Drafts 09 to 12 announce themselves as version 8. A message that is too big has the code
1004 up to draft 10, and 1009 in 11 and 12: the gateway sends 1009 to versions 7 and 8, and accepts both from them.
"""

import hashlib
from dataclasses import replace

from wsgateway.dialects.accept import AcceptHandshake
from wsgateway.dialects.base import Dialect
from wsgateway.dialects.frames import FrameRules, Masking
from wsgateway.dialects.framing import framing
from wsgateway.dialects.hixie76 import KeysHandshake
from wsgateway.wire.closecodes import CODES_06, CODES_07, CODES_08, TOO_BIG
from wsgateway.wire.events import Close, Kind, Ping, Pong, Role

OPCODES_01 = {None: 0x0, Close: 0x1, Ping: 0x2, Pong: 0x3, Kind.TEXT: 0x4, Kind.BINARY: 0x5}
OPCODES_07 = {None: 0x0, Kind.TEXT: 0x1, Kind.BINARY: 0x2, Close: 0x8, Ping: 0x9, Pong: 0xA}


def cover_key_04(nonce: bytes, secret: bytes) -> bytes:
    """Return the key of draft 04 for a frame: 20 bytes from the 4 bytes before it and the connection's secret (4.3)."""
    return hashlib.sha1(nonce + secret, usedforsecurity=False).digest()


RULES_01 = FrameRules(
    numbers=OPCODES_01,
    first_bit_ends=False,
    masking=Masking.NOTHING,
    close_codes=frozenset(),
    minimal_lengths=False,
    repairs_text=True,
)
RULES_04 = replace(RULES_01, first_bit_ends=True, masking=Masking.FRAME, cover_key=cover_key_04)
RULES_05 = replace(
    RULES_01, first_bit_ends=True, masking=Masking.FRAME, close_bodies={Role.CLIENT: b"C", Role.SERVER: b"S"}
)
RULES_06 = replace(RULES_05, close_bodies={}, close_codes=CODES_06, too_big=(1004,))
RULES_07 = replace(
    RULES_06,
    numbers=OPCODES_07,
    masking=Masking.PAYLOAD,
    close_codes=CODES_07,
    too_big=(TOO_BIG, 1004),
    repairs_text=False,
)
RULES_08 = replace(RULES_07, close_codes=CODES_08)

KEY_04 = AcceptHandshake(version=4, origin_header="Sec-WebSocket-Origin", key_bytes=None, compression=False, nonce=True)
KEY_05 = replace(KEY_04, version=5, nonce=False)

FRAMES_01 = framing("hybi-01", RULES_01)

DRAFTS = (
    Dialect("hybi-01", KeysHandshake(1), FRAMES_01, "nothing that was released; tools of 2010"),
    Dialect("hybi-02", KeysHandshake(2), FRAMES_01, "nothing that was released; tools of 2010"),
    Dialect("hybi-03", KeysHandshake(3), FRAMES_01, "pywebsocket and EventMachine tools of winter 2010"),
    Dialect("hybi-04", KEY_04, framing("hybi-04", RULES_04), "libwebsockets and pywebsocket of early 2011"),
    Dialect("hybi-05", KEY_05, framing("hybi-05", RULES_05), "libwebsockets and pywebsocket of spring 2011"),
    Dialect(
        "hybi-06", replace(KEY_05, version=6), framing("hybi-06", RULES_06), "libwebsockets and Jetty of spring 2011"
    ),
    Dialect("hybi-07", replace(KEY_05, version=7), framing("hybi-07", RULES_07), "Firefox 6"),
    Dialect(
        "hybi-08",
        replace(KEY_05, version=8),
        framing("hybi-08", RULES_08),
        "Chrome 14 and 15, Firefox 7 to 10",
    ),
)
