"""A client that breaks a rule after a message, with servers that others wrote: the echo still arrives."""

import socket

import pytest

from tests.dialects.vectors import MASK_KEY
from tests.openings import BY_DIALECT

from .programs import PATIENCE_SECONDS
from .servers import Gateway

HELLO_BACK = b"\x81\x05Hello"
MASKED_HELLO = b"\x81\x85" + MASK_KEY + bytes.fromhex("7f9f4d5158")
CLOSE_1002 = bytes.fromhex("88 02 03ea")
# Of RFC 6455, 5.2: reserved bits, and an opcode that nobody knows.
FAULTS = [b"\xa1\x80" + MASK_KEY, b"\x83\x80" + MASK_KEY]


@pytest.mark.parametrize("apart", [False, True], ids=["in one packet", "in two"])
@pytest.mark.parametrize("fault", FAULTS, ids=["a reserved bit", "a reserved opcode"])
def test_the_echo_of_a_message_comes_before_the_close_for_a_fault(gateway: Gateway, fault: bytes, apart: bool) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(BY_DIALECT["rfc6455"].request.replace(b"/chat", b"/echo"))
        stream = sock.makefile("rb")
        while stream.readline().strip():
            continue
        for piece in [MASKED_HELLO, fault] if apart else [MASKED_HELLO + fault]:
            sock.sendall(piece)
        assert stream.read() == HELLO_BACK + CLOSE_1002
