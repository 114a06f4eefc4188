"""The table of dialects, held against the code and against the bytes that others wrote."""

from wsgateway.dialects import DIALECTS

from .families import COVERED, FACTS, FRAMES, HIXIE, MORE, WITH_VERSION, Family
from .layouts import LAYOUTS, Masked


def test_each_dialect_has_its_row_in_the_order_of_the_gateway() -> None:
    assert list(FACTS) == list(DIALECTS)


def test_each_family_has_the_frames_that_the_vectors_show() -> None:
    assert {name for name in FACTS if name not in LAYOUTS} == set(HIXIE)
    shown = {name: (layout.numbers["text"], layout.first_bit_ends, layout.masked) for name, layout in LAYOUTS.items()}
    assert shown == {
        **dict.fromkeys(MORE, (4, False, Masked.NOTHING)),
        **dict.fromkeys(COVERED, (4, True, Masked.FRAME)),
        **dict.fromkeys(FRAMES, (1, True, Masked.PAYLOAD)),
    }


def test_no_family_is_empty() -> None:
    assert {facts.family for facts in FACTS.values()} == set(Family)


def test_no_two_dialects_have_the_same_version() -> None:
    assert len({FACTS[name].version for name in WITH_VERSION}) == len(WITH_VERSION)
