"""RFC 6455, the standard: hybi-08 with version 13, the header Origin, more close codes, and shortest lengths only.

permessage-deflate (RFC 7692) can be agreed end to end. Some clients of version 13 send Sec-WebSocket-Origin, as books
print it; it counts if there is no Origin.
"""

from dataclasses import replace

from wsgateway.dialects.accept import AcceptHandshake
from wsgateway.dialects.base import Dialect
from wsgateway.dialects.framing import framing
from wsgateway.dialects.hybi import RULES_08
from wsgateway.wire.closecodes import RFC6455_CODES, TOO_BIG

RFC6455 = Dialect(
    name="rfc6455",
    handshake=AcceptHandshake(version=13, origin_header="Origin", key_bytes=16, compression=True),
    framing=framing("rfc6455", replace(RULES_08, close_codes=RFC6455_CODES, too_big=(TOO_BIG,), minimal_lengths=True)),
    spoken_by="every browser since 2012: Chrome 16, Firefox 11, Safari 6, IE 10, Opera 12.10",
)
