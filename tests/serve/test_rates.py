"""The limits of a session: the rate of messages, silence, and age, through the whole gateway."""

import pytest
import websockets.trio.client
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.trio.client import ClientConnection

from tests.backends import websockets_server
from tests.support import end_of, serving


async def listen(client: ClientConnection) -> None:
    """Read all messages, until the connection is closed."""
    while True:
        await client.recv()


async def test_more_messages_than_the_rate_allows_are_closed_with_1008() -> None:
    async with websockets_server() as port, serving(port, limits="message_rate: 3/h") as gateway:
        async with websockets.trio.client.connect(f"ws://127.0.0.1:{gateway.port}/") as client:
            for number in range(3):
                await client.send(str(number))
                assert await client.recv() == str(number)
            await client.send("one too many")
            with pytest.raises(ConnectionClosedError) as closed:
                await listen(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        ended = end_of(await gateway.lines.line("session"))
        assert ended == "client: more messages than 3 in 3600 s (1008)"


async def test_a_client_that_is_only_delayed_loses_nothing() -> None:
    limits = "message_rate: 20/s, message_rate_action: delay"
    async with websockets_server() as port, serving(port, limits=limits) as gateway:
        async with websockets.trio.client.connect(f"ws://127.0.0.1:{gateway.port}/") as client:
            for number in range(26):
                await client.send(str(number))
                assert await client.recv() == str(number)
        assert (await gateway.lines.line("session"))["messages_in"] == 26


@pytest.mark.parametrize(
    ("timeouts", "why"),
    [("idle: 100ms", "gateway: no message for 0.1 s"), ("lifetime: 100ms", "gateway: older than 0.1 s")],
)
async def test_a_session_at_its_lifetime_gets_a_close(timeouts: str, why: str) -> None:
    async with websockets_server() as port, serving(port, timeouts=timeouts) as gateway:
        async with websockets.trio.client.connect(f"ws://127.0.0.1:{gateway.port}/") as client:
            with pytest.raises(ConnectionClosed) as closed:
                await listen(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert end_of(await gateway.lines.line("session")) == why
