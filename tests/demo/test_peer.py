"""The answers of the upstream on /echo, to a client that others wrote."""

from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import connect

from wsgateway.demo.peer import LIMITS


@pytest.fixture
def url(upstream: str) -> str:
    return f"{upstream}/echo"


@pytest.mark.parametrize(
    "message", ["hello", "", "€😀", b"\x00\xff", b"", "x" * LIMITS.message_bytes], ids=lambda each: repr(each[:5])
)
async def test_a_message_comes_back_as_it_was(url: str, message: str | bytes) -> None:
    async with connect(url, proxy=None, max_size=None) as connection:
        await connection.send(message)
        assert await connection.recv() == message


async def test_messages_come_back_in_their_order(url: str) -> None:
    async with connect(url, proxy=None) as connection:
        for number in range(5):
            await connection.send(str(number))
        assert [await connection.recv() for _ in range(5)] == ["0", "1", "2", "3", "4"]


async def test_fragments_are_joined_also_inside_a_character(url: str) -> None:
    async with connect(url, proxy=None) as connection:
        await connection.send([b"hel", b"lo \xe2", b"\x82\xac"], text=True)
        assert [fragment async for fragment in connection.recv_streaming()] == ["hello €"]


@pytest.mark.parametrize("parts", [1, 2])
async def test_a_message_beyond_the_limit_is_refused_also_in_fragments(url: str, parts: int) -> None:
    part = b"x" * (LIMITS.message_bytes // parts)
    async with connect(url, proxy=None) as connection:
        await connection.send([part] * parts + [b"x"])
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1009


async def test_text_that_is_not_utf_8_is_refused(url: str) -> None:
    async with connect(url, proxy=None) as connection:
        await connection.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1007


async def test_a_ping_is_answered_also_inside_a_message(url: str) -> None:
    async with connect(url, proxy=None) as connection:

        async def fragments() -> AsyncIterator[str]:
            yield "before "
            await (await connection.ping(b"?")).wait()
            yield "after"

        await connection.send(fragments())
        assert await connection.recv() == "before after"


async def test_a_pong_that_no_ping_preceded_is_ignored(url: str) -> None:
    async with connect(url, proxy=None) as connection:
        await connection.pong(b"!")
        await connection.send("hello")
        assert await connection.recv() == "hello"


async def test_a_close_is_answered_with_its_code(url: str) -> None:
    async with connect(url, proxy=None) as connection:
        await connection.aclose(3210, "enough")
        assert connection.close_code == 3210
