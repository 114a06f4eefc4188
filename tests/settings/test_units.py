"""Durations, sizes, shares and rates."""

import re

import pytest

from wsgateway.settings.basics import Rate
from wsgateway.settings.units import byte_count, percent, seconds, spell_size

LARGEST = 4_611_686_018_427_387_904  # 2**62


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("10s", 10.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1.5s", 1.5),
        ("0.1s", 0.1),
        ("7ms", 0.007),
        ("007s", 7.0),
        ("1000000h", 3_600_000_000.0),
        ("1.5d", 129_600.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, duration: float) -> None:
    assert seconds(text) == duration


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (10, "10 has no unit; write 10s (or with ms, m, h or d)"),
        ("10", "'10' has no unit; write 10s (or with ms, m, h or d)"),
        ("0.5", "'0.5' has no unit; write 0.5s (or with ms, m, h or d)"),
        (0, "0 has no unit; write 0s (or with ms, m, h or d)"),
        ("0s", "'0s' is too short, it must be more than 0s"),
        ("0.000ms", "'0.000ms' is too short, it must be more than 0s"),
    ],
)
def test_a_duration_without_a_unit_or_length_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        seconds(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "an empty value"),
        (True, "true"),
        (-10, "-10"),
        ([], "a list"),
        ("none", "'none'"),
        ("", "''"),
        ("-1s", "'-1s'"),
        ("+1s", "'+1s'"),
        ("1 s", "'1 s'"),
        ("1s ", "'1s '"),
        ("1s\n", "'1s\\n'"),
        ("1S", "'1S'"),
        (".5s", "'.5s'"),
        ("1.s", "'1.s'"),
        ("1e3s", "'1e3s'"),
        ("1m30s", "'1m30s'"),
        ("1w", "'1w'"),
        ("infs", "'infs'"),
        ("\u0661s", "'\u0661s'"),  # a digit to Python, not to us
        ("999999999999999999999s", "'999999999999999999999s'"),
    ],
)
def test_any_other_value_is_not_a_duration(value: object, shown: str) -> None:
    message = f"{shown} is not a duration; write it as 10s, 500ms, 2m, 1h or 30d"
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        seconds(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("64B", 64),
        ("16KiB", 16_384),
        ("1MiB", 1_048_576),
        ("2GiB", 2_147_483_648),
        ("1TiB", 1_099_511_627_776),
        ("1PiB", 1_125_899_906_842_624),
        ("4EiB", 4_611_686_018_427_387_904),
        ("4611686018427387904B", 4_611_686_018_427_387_904),
    ],
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert byte_count(text, 1, LARGEST) == size


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (16384, "16384 has no unit; write 16384B (or with KiB, MiB or GiB)"),
        ("16384", "'16384' has no unit; write 16384B (or with KiB, MiB or GiB)"),
        ("1023B", "'1023B' is too small, at least 1KiB is allowed"),
        ("0KiB", "'0KiB' is too small, at least 1KiB is allowed"),
        ("1048577B", "'1048577B' is too large, at most 1MiB is allowed"),
        ("99999999999999999999EiB", "'99999999999999999999EiB' is too large, at most 1MiB is allowed"),
    ],
)
def test_a_size_without_a_unit_or_out_of_bounds_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        byte_count(value, 1024, 1_048_576)


def test_both_bounds_of_a_size_are_allowed() -> None:
    assert byte_count("1KiB", 1024, 1_048_576) == 1024
    assert byte_count("1MiB", 1024, 1_048_576) == 1_048_576


@pytest.mark.parametrize(
    "text", ["16KB", "16kiB", "16K", "16 KiB", "1.5MiB", "-1B", "", "KiB", "16KiB\n", "none", "0x10B"]
)
def test_any_other_text_is_not_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write it as 64B, 16KiB, 1MiB or 2GiB"):
        byte_count(text, 1, LARGEST)


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_value_that_is_neither_text_nor_a_number_is_not_a_size(value: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        byte_count(value, 1, LARGEST)


@pytest.mark.parametrize(
    ("size", "spelt"),
    [(1, "1B"), (1000, "1000B"), (1024, "1KiB"), (1536, "1536B"), (1_048_576, "1MiB"), (LARGEST, "4EiB")],
)
def test_a_size_is_spelt_in_the_largest_unit_that_divides_it(size: int, spelt: str) -> None:
    assert spell_size(size) == spelt


@pytest.mark.parametrize(("text", "read"), [("1%", 1), ("50%", 50), ("100%", 100)])
def test_a_share_is_read_in_percent(text: str, read: int) -> None:
    assert percent(text) == read


@pytest.mark.parametrize("text", ["0%", "101%", "50", 50, 0.5, "-1%", "1000%", "50 %", "5.5%", "%", None, True])
def test_any_other_value_is_not_a_share(text: object) -> None:
    with pytest.raises(ValueError, match="is not a share; write one from 1% to 100%"):
        percent(text)


@pytest.mark.parametrize(
    ("rate", "said"),
    [(Rate(100, 1.0), "100 in 1 s"), (Rate(60, 60.0), "60 in 60 s"), (Rate(1, 3600.0), "1 in 3600 s")],
)
def test_a_rate_has_a_form_for_people(rate: Rate, said: str) -> None:
    assert str(rate) == said
