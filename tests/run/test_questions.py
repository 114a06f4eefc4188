"""The requests that a worker answers: what it says if it cannot."""

import pytest

from tests.support import Lines
from wsgateway.run.messages import Ask, Part
from wsgateway.run.questions import BUG, Questions
from wsgateway.run.request_kinds import SessionsFields
from wsgateway.run.requests import ControlAnswer, Fact, Send, refused


async def answered(arguments: dict[str, Fact], fault: Exception) -> tuple[ControlAnswer | None, Lines]:
    """Return the answer of a worker whose function fails, and its log."""
    parts, lines = list[Part](), Lines()

    async def broken(fields: SessionsFields, send: Send) -> ControlAnswer:
        raise fault

    async def say(part: Part) -> None:
        parts.append(part)

    questions = Questions({"sessions": broken}, say, lines.log())
    await questions.answer(Ask(number=1, command="sessions", arguments=arguments))
    [part] = parts
    return part.answer, lines


@pytest.mark.parametrize("fault", [ZeroDivisionError("division by zero"), ValueError("not enough values to unpack")])
async def test_a_bug_is_logged_and_not_taken_for_a_wrong_request(fault: Exception) -> None:
    answer, lines = await answered({}, fault)
    assert answer == BUG
    assert str(fault) in (await lines.line("bug"))["exception"]


async def test_a_wrong_request_is_refused_and_no_bug() -> None:
    answer, lines = await answered({"limit": "many"}, ZeroDivisionError())
    assert answer == refused("limit: 'many' is not a whole number")
    assert not lines.entries
