"""What the page shows, sent to browsers as it changes, by server-sent events (HTML Standard, 9.2).

    look     all that is to be seen, made at most once in LOOK_SECONDS for all browsers, and never while there is none
    stream   one browser gets what has changed since the last event that it took

Nothing waits in a queue: a browser that does not read misses what it would have seen meanwhile, and the next event that
it takes has all that is new. It delays no other browser. After `UNREAD_SECONDS` its stream is closed; it may come back.
"""

import json
from collections.abc import Awaitable, Callable, Mapping

import trio

# How many browsers may look at once.
MOST_STREAMS = 16
LOOK_SECONDS = 2.0
# For a browser to take one event.
UNREAD_SECONDS = 60.0
# A browser gets something at least so often. Proxies close connections over which nothing comes for a minute.
BEAT_SECONDS = 15.0
# When a browser comes back after its stream was cut.
_BACK_MILLISECONDS = 3000

Fact = str | int | float | bool
Sections = Mapping[str, object]
"""what there is to be seen, in parts that change at different times"""
Write = Callable[[bytes], Awaitable[None]]
"""writes bytes to a browser, and waits until they are on their way"""


class Live:
    """The streams of all browsers that look."""

    def __init__(self, look: Callable[[], Awaitable[Sections]]) -> None:
        """Take what returns all that is to be seen now."""
        self._look = look
        self._looking = trio.Lock()
        self._looked = -LOOK_SECONDS
        self._texts: dict[str, str] = {}
        self.streams = 0
        """how many there are"""

    async def stream(self, write: Write, own: Sections) -> None:
        """Send events to a browser until it does not read, or this is cancelled.

        `own` are sections for it alone, which do not change.
        """
        self.streams += 1
        try:
            seen = {name: json.dumps(section) for name, section in own.items()}
            await _send(write, f"retry: {_BACK_MILLISECONDS}\n" + _event(seen))
            said = trio.current_time()
            while True:
                texts = await self._fresh()
                changed = {name: text for name, text in texts.items() if seen.get(name) != text}
                seen |= changed
                if changed or trio.current_time() - said >= BEAT_SECONDS:
                    await _send(write, _event(changed) if changed else ":\n\n")
                    said = trio.current_time()
                await trio.sleep_until(self._looked + LOOK_SECONDS)
        except trio.TooSlowError:
            return
        finally:
            self.streams -= 1

    async def _fresh(self) -> Mapping[str, str]:
        """Return all sections as JSON, not older than `LOOK_SECONDS`."""
        async with self._looking:  # one looks for all that wait
            if trio.current_time() - self._looked >= LOOK_SECONDS:
                sections = await self._look()
                self._texts = {name: json.dumps(section) for name, section in sections.items()}
                self._looked = trio.current_time()
        return self._texts


async def _send(write: Write, text: str) -> None:
    with trio.fail_after(UNREAD_SECONDS):
        await write(text.encode())


def _event(sections: Mapping[str, str]) -> str:
    """Return sections, which are JSON already, as one event. JSON of Python has no line breaks."""
    return "data: {" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in sections.items()) + "}\n\n"
