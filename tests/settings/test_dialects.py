"""Dialects by their names, and ranges of them."""

import re

import pytest

from wsgateway.dialects import DIALECTS
from wsgateway.settings.dialects import dialect, dialects, ranges


@pytest.mark.parametrize("name", DIALECTS)
def test_a_name_stands_for_its_dialect(name: str) -> None:
    assert dialect(name) is DIALECTS[name]
    assert dialects(name) == (DIALECTS[name],)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hixie-75..76", ["hixie-75", "hixie-76"]),
        ("hixie-75..hixie-76", ["hixie-75", "hixie-76"]),
        ("hybi-07..08", ["hybi-07", "hybi-08"]),
        ("hybi-08..08", ["hybi-08"]),
        (
            "hybi-01..08",
            ["hybi-01", "hybi-02", "hybi-03", "hybi-04", "hybi-05", "hybi-06", "hybi-07", "hybi-08"],
        ),
    ],
)
def test_a_range_stands_for_all_from_its_first_to_its_last(text: str, names: list[str]) -> None:
    assert [each.name for each in dialects(text)] == names


# One whose end is a dialect, but of no family that has numbers, too.
@pytest.mark.parametrize(
    "text", ["hixie-75..hybi-08", "rfc6455..hybi-08", "rfc6455..rfc6455", "hybi-08..rfc6455", "hixie-76..rfc6455"]
)
def test_a_range_stays_in_one_family(text: str) -> None:
    message = f"{text!r} is not a range of one family, as hybi-01..08 or hixie-75..76 are"
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        dialects(text)


@pytest.mark.parametrize(
    ("text", "upwards"),
    [
        ("hybi-08..01", "hybi-01..08"),
        ("hybi-08..hybi-07", "hybi-07..08"),
        ("hixie-76..75", "hixie-75..76"),
    ],
)
def test_a_range_goes_upwards(text: str, upwards: str) -> None:
    message = f"'{text}' goes backwards; write {upwards}"
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        dialects(text)


def test_one_dialect_is_not_a_range() -> None:
    message = "'hybi-01..08' is not a dialect; did you mean 'hybi-08'?"
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        dialect("hybi-01..08")


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ([], []),
        (["hixie-75", "hixie-76", "rfc6455"], ["hixie-75", "hixie-76", "rfc6455"]),
        (["hixie-76", "hybi-01", "hybi-02", "hybi-03"], ["hixie-76", "hybi-01..03"]),
        ([*DIALECTS], ["hixie-75", "hixie-76", f"hybi-01..{[*DIALECTS][-2].removeprefix('hybi-')}", "rfc6455"]),
    ],
)
def test_several_of_a_family_are_listed_as_a_range(names: list[str], listed: list[str]) -> None:
    assert ranges(names) == listed
    assert [each.name for text in listed for each in dialects(text)] == names
