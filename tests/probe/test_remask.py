"""Frames of hybi-04 under the mask of another connection, in any pieces."""

import pytest

from tests.heads import head_of
from wsgateway.dialects import DIALECTS, Fragment, Kind, Role
from wsgateway.dialects.accept import masking_secret
from wsgateway.dialects.base import Limits
from wsgateway.probe.remask import Remasked
from wsgateway.trace.recording import Chunk, Connection

FRAMING = DIALECTS["hybi-04"].framing
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
OLD, NEW = "AAAAAAAAAAAAAAAAAAAAAA==", "AQEBAQEBAQEBAQEBAQEBAQ=="
TEXTS = [b"Hello", b"", b"a" * 300, b"b" * 70_000]


def connection(number: str) -> Connection:
    request = Chunk(0.0, ">", "head", head_of("GET / HTTP/1.1", f"Sec-WebSocket-Key: {KEY}"))
    answer = Chunk(0.1, "<", "head", head_of("HTTP/1.1 101 A", f"Sec-WebSocket-Nonce: {number}"))
    return Connection([request, answer], FRAMING, masking_secret(KEY, number))


@pytest.mark.parametrize("size", [1, 3, 7, 1000, 10**6])
def test_a_server_reads_under_its_own_mask_what_the_client_has_said(size: int) -> None:
    then, now = connection(OLD), connection(NEW)
    encoder = FRAMING.encoder(Role.CLIENT, iter([bytes((at, 1, 2, 3)) for at in range(9)]), then.secret)
    wire = b"".join(encoder.send(Fragment(Kind.TEXT, text)) for text in TEXTS)
    remasked = Remasked(then, now)
    sent = b"".join(remasked.feed(wire[at : at + size]) for at in range(0, len(wire), size))
    assert len(sent) == len(wire)
    decoder = FRAMING.decoder(Role.SERVER, Limits(1 << 20), now.secret)
    said = b"".join(event.data for event in decoder.receive(sent) if isinstance(event, Fragment))
    assert said == b"".join(TEXTS)


def test_what_is_no_frame_is_sent_as_it_is() -> None:
    remasked = Remasked(connection(OLD), connection(NEW))
    assert remasked.feed(bytes(range(64))) + remasked.feed(b"more") == bytes(range(64)) + b"more"
