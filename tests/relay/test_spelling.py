"""The frames that these tests write equal those of the vectors, which other implementations wrote."""

from tests.cases import cases
from tests.dialects.families import HIXIE
from tests.dialects.vectors import Vector, distinct, vectors

from .passing import CLIENT
from .spelling import Word, said, told

SHOWN: dict[str, list[Word]] = {
    "text_empty": [("text", b"")],
    "text_hello": [("text", b"Hello")],
    "text_126": [("text", b"a" * 126)],
    "text_65536": [("text", b"a" * 65536)],
    "text_fragmented_Hel_lo": [("begin", b"Hel"), ("end", b"lo")],
    "binary": [("binary", b"\x00\xff\x80\x7f")],
    "ping_hello": [("ping", b"Hello")],
    "pong_hello": [("pong", b"Hello")],
    "close_1001_bye": [("close", b"\x03\xe9bye")],
}
VECTORS = [each for each in distinct(vectors("frame", "ok")) if each.name in SHOWN]


@cases("vector", VECTORS, ids=str)
def test_a_frame_of_these_tests_is_one_of_another_implementation(vector: Vector) -> None:
    # Both are of the client's connection, whose secret is that of the vectors.
    written = said if vector.direction == "c2s" else told
    assert written(vector.dialect, CLIENT, *SHOWN[vector.name]) == vector.wire


def test_no_dialect_is_without_such_a_vector() -> None:
    shown = {(each.dialect, each.direction) for each in VECTORS}
    assert len(shown) == 2 * len({dialect for dialect, _ in shown})
    assert {dialect for dialect, _ in shown} > {*HIXIE, "hybi-01", "hybi-04", "hybi-05", "hybi-06", "rfc6455"}
