"""A trace of sessions for one browser: heads and the heads of frames, as events, from each session's first byte on.

A browser that reads too slowly loses lines, and the trace says how many; no session waits for it. After
`UNREAD_SECONDS` without a read its trace ends.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

import trio

from wsgateway.page.live import BEAT_SECONDS, UNREAD_SECONDS, Fact, Write

Item = dict[str, Fact]
Send = Callable[[list[Item]], Awaitable[None]]
"""takes items that come before an answer, and waits until there is room for more"""

# What the page shows of an item, by its kind. Why a session ended may have the words of a Close, so that is left out.
_SHOWN: Mapping[str, Sequence[str]] = {
    "watching": (),
    "session": ("session", "at", "client", "dialect", "route", "agent"),
    "line": ("session", "at", "peer", "way", "text", "meaning"),
    "remark": ("session", "at", "peer", "text"),
    "end": ("session", "at", "by", "reason"),
    "lost": ("items",),
}


async def show_trace(write: Write, start: Callable[[Send], Awaitable[str]]) -> None:
    """Send a trace to a browser until it ends, the browser does not read, or this is cancelled.

    `start` runs the trace: it gives the items to the function that it gets, and returns why the trace has ended.
    """
    turn = trio.Lock()
    async with trio.open_nursery() as nursery:

        async def write_in_turn(text: str) -> None:
            async with turn:
                with trio.move_on_after(UNREAD_SECONDS) as limit:
                    await write(text.encode())
            if limit.cancelled_caught:
                nursery.cancel_scope.cancel()
                await trio.lowlevel.checkpoint()

        async def beat() -> None:
            while True:
                await trio.sleep(BEAT_SECONDS)
                await write_in_turn(":\n\n")

        async def send(items: list[Item]) -> None:
            shown = [_shown(item) for item in items if item["kind"] in _SHOWN]
            if shown:
                await write_in_turn(_event(shown))

        nursery.start_soon(beat)
        why = await start(send)
        await write_in_turn(_event([{"kind": "over", "why": why}]))
        nursery.cancel_scope.cancel()


def _shown(item: Item) -> Item:
    kind = str(item["kind"])
    return {"kind": kind, **{name: item[name] for name in _SHOWN[kind] if name in item}}


def _event(items: list[Item]) -> str:
    return f"data: {json.dumps(items)}\n\n"
