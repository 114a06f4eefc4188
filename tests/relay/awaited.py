"""A relay for whose end a task waits."""

import outcome
import trio

from wsgateway.relay.endpoint import Ended, Endpoint
from wsgateway.relay.engine import Engine
from wsgateway.relay.timer import FOR_EVER, RelayTimeouts


async def relay(
    engine: Engine, client: Endpoint, upstream: Endpoint, relay_timeouts: RelayTimeouts = FOR_EVER
) -> Ended:
    """Do what `Engine.start` does, and return the end. When this raises, cancelled or not, the relay is over."""
    results: list[outcome.Outcome[Ended]] = []
    over = trio.Event()

    def on_end(result: outcome.Outcome[Ended]) -> None:
        results.append(result)
        over.set()

    try:
        engine.start(client, upstream, on_end, relay_timeouts)
        await over.wait()
    finally:
        engine.forget(client)
    return results[0].unwrap()
