"""Who judges has to see what is wrong: sessions with servers that lose, double, disorder and change messages."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from random import Random

import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.server import ServerConnection

from tests.backends import websockets_server
from tests.support import PATIENCE_SECONDS
from wsgateway.dialects import DIALECTS

from .client import Session, agreed, connected
from .judge import Judge

MODERN = DIALECTS["rfc6455"]
Message = str | bytes
# Whose first burst is one of many messages.
SEED = 3


async def judged(answers: Callable[[int, Message], Iterable[Message]], close: bool = False) -> Judge:
    """Return what is said of a server that answers so to messages with their numbers. It may close behind the tenth."""
    judge = Judge()

    async def handler(connection: ServerConnection) -> None:
        await connection.send("upstream 1")
        with suppress(ConnectionClosed):
            for number in count(1):
                message = await connection.recv()
                for answer in answers(number, message):
                    await connection.send(answer)
                if close and number == 10:
                    await connection.aclose(1012)

    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            websockets_server(handler, compression=None) as port,
            connected(judge, "a", "public", port) as (call, channel),
        ):
            assert channel is not None
            agreement = await agreed(judge, call, channel, MODERN, "/")
            assert agreement is not None
            session = Session(judge, call, channel, MODERN, agreement)
            await session.run(Random(SEED), 0.1, 0.01, trio.Event())
    return judge


async def test_a_session_that_gets_all_its_messages_is_no_fault() -> None:
    judge = await judged(lambda _, message: [message])
    assert judge.faults == []
    assert judge.counts["messages"] > 10
    assert judge.counts["closed by their client"] == 1


@pytest.mark.parametrize(
    "answers",
    [
        lambda number, message: [] if number == 2 else [message],
        lambda number, message: [message, message] if number == 2 else [message],
        lambda number, message: [message[:-1]] if number == 2 else [message],
        lambda number, message: [message.encode() if isinstance(message, str) else message.decode("latin-1")],
    ],
    ids=["lost", "doubled", "changed", "of another kind"],
)
async def test_a_message_that_is_not_the_one_expected_is_a_fault(
    answers: Callable[[int, Message], Iterable[Message]],
) -> None:
    judge = await judged(answers)
    [fault] = judge.faults
    assert " was expected" in fault


async def test_messages_that_change_places_are_a_fault() -> None:
    kept: list[Message] = []

    def answers(number: int, message: Message) -> Iterable[Message]:
        if number == 2:
            kept.append(message)
            return []
        return [message, *kept] if number == 3 else [message]

    [fault] = (await judged(answers)).faults
    assert " was expected" in fault


async def test_a_goodbye_while_nothing_leaves_is_a_fault() -> None:
    [fault] = (await judged(lambda _, message: [message], close=True)).faults
    assert fault.endswith("closed (1012) while nothing was leaving")
