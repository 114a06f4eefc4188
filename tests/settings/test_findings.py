"""Mistakes in words."""

import pytest

from wsgateway.settings.findings import Path, guess, seen, spell


@pytest.mark.parametrize(
    ("path", "spelt"),
    [
        ((), ""),
        (("version",), "version"),
        (("upstreams", "chat", "targets", 0, "url"), "upstreams.chat.targets[0].url"),
        (("listeners", 1, "bind", 12), "listeners[1].bind[12]"),
        (("upstreams", "b d", "targets"), "upstreams['b d'].targets"),
        (("a\nb",), "['a\\nb']"),
    ],
)
def test_a_path_is_spelt_as_people_write_it(path: Path, spelt: str) -> None:
    assert spell(path) == spelt


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "an empty value"),
        (True, "true"),
        (False, "false"),
        (10, "10"),
        ("10", "'10'"),
        ([1], "a list"),
        ({"a": 1}, "a mapping"),
        ("a\tb", "'a\\tb'"),
        ("x" * 81, f"'{'x' * 80}'..."),
    ],
)
def test_a_value_is_shown_as_the_file_has_it(value: object, shown: str) -> None:
    assert seen(value) == shown


def test_the_known_word_that_resembles_the_unknown_one_is_guessed() -> None:
    assert guess("hybie-10", ["hixie-76", "hybi-10"]) == "did you mean 'hybi-10'?"


def test_a_guess_ignores_case() -> None:
    assert guess("INFO", ["debug", "Info"]) == "did you mean 'Info'?"


def test_without_a_guess_the_known_words_are_listed() -> None:
    assert guess("zzz", ["prefix", "exact"]) == "known are prefix, exact"


def test_a_long_list_of_known_words_is_cut() -> None:
    assert guess("zzz", [f"u{n}" for n in range(1, 14)]) == (
        "known are u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, u11, u12, ..."
    )
