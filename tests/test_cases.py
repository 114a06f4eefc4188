"""Cases that share a test fail as if each had its own."""

import re

import pytest

from .cases import cases


@cases("letter", "ab")
@pytest.mark.parametrize("parameter", ["x", "y"])
@cases(("number", "twice"), [(1, 2), (2, 4)])
def test_what_is_no_case_is_a_parameter_or_a_fixture(
    letter: str, number: int, twice: int, parameter: str, request: pytest.FixtureRequest
) -> None:
    assert request.node.name.endswith(f"[{parameter}]")
    assert letter in "ab"
    assert number * 2 == twice


def test_those_that_fail_are_named_and_all_are_tried() -> None:
    tried = []

    @cases("limit", [4, 5], ids="up to {}".format)
    @cases("number", range(9))
    def test(limit: int, number: int) -> None:
        tried.append(number)
        assert number < limit

    with pytest.raises(
        AssertionError, match=r"^9 of 18 cases failed: up to 4-4, up to 4-5, .*, up to 5-7, up to 5-8$"
    ) as failed:
        test()
    assert tried == [*range(9), *range(9)]
    assert "assert 4 < 4" in str(failed.value.__cause__)


def test_what_should_have_raised_is_a_failure_too() -> None:
    @cases("text", ["1", "x", "y"])
    def test(text: str) -> None:
        with pytest.raises(ValueError, match="invalid"):
            int(text)

    with pytest.raises(AssertionError, match=r"^1 of 3 cases failed: 1$"):
        test()


def test_not_all_of_very_many_names_are_given() -> None:
    @cases("number", range(100))
    def test(number: int) -> None:
        raise ValueError(number)

    with pytest.raises(AssertionError, match=re.escape(" 18, 19 and 80 more")):
        test()


def test_a_test_that_could_try_nothing_is_refused() -> None:
    with pytest.raises(AssertionError, match="tests nothing"):
        cases("number", [])

    async def wait(number: int) -> None: ...

    with pytest.raises(AssertionError, match="a test of its own"):
        cases("number", [1])(wait)
    with pytest.raises(AssertionError, match=r"does not take .*letter"):
        cases("letter", "a")(lambda number: None)
