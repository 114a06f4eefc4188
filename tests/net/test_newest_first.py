"""The limit on simultaneous blocks: a new block above the limit ends the oldest; a block that ends makes room."""

import trio
from trio.testing import wait_all_tasks_blocked

from wsgateway.net.newest_first import NewestFirst


async def test_a_new_block_above_the_limit_ends_the_oldest() -> None:
    newest, ended = NewestFirst(2), list[str]()

    async def stay(name: str) -> None:
        with newest.one_more():
            await trio.sleep_forever()
        ended.append(name)

    async with trio.open_nursery() as nursery:
        for name in "abcd":
            nursery.start_soon(stay, name)
            await wait_all_tasks_blocked()
        assert ended == ["a", "b"]
        nursery.cancel_scope.cancel()


async def test_a_block_that_has_ended_makes_room() -> None:
    newest, ended = NewestFirst(1), list[str]()

    async def stay(name: str, until: trio.Event) -> None:
        with newest.one_more():
            await until.wait()
        ended.append(name)

    async with trio.open_nursery() as nursery:
        for name in "ab":
            leave = trio.Event()
            nursery.start_soon(stay, name, leave)
            await wait_all_tasks_blocked()
            leave.set()
            await wait_all_tasks_blocked()
            assert ended[-1] == name
        with newest.one_more():
            await trio.lowlevel.checkpoint()
        assert ended == ["a", "b"]
