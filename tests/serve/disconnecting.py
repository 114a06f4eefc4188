"""What tests of clients that disconnect have in common."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from tests.heads import head_of

# For an upstream: what held its place must have left before the next client is served.
ONE = "max_connections: 1"
EVENTS = head_of("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked") + b"5\r\nfirst\r\n"


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Check that the block takes so long, by the clock, and no longer."""
    begun = trio.current_time()
    yield
    assert trio.current_time() - begun <= seconds + 0.001
