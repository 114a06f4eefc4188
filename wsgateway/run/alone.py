"""A service in the process of somebody else, without a supervisor: for the demo."""

import signal
from collections.abc import AsyncIterator

import trio

from wsgateway.observe.log import Log
from wsgateway.run.service import Service
from wsgateway.run.supervisor import STOP_SIGNALS


async def serve_until_signalled(service: Service, log: Log) -> None:
    """Serves until SIGTERM or SIGINT drains it; a second one ends it at once."""
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
            nursery.start_soon(_watch, signals, service, nursery.cancel_scope, log)
            await service.run()
            nursery.cancel_scope.cancel()


async def _watch(signals: AsyncIterator[int], service: Service, scope: trio.CancelScope, log: Log) -> None:
    log.info("stopping", why=signal.Signals(await anext(signals)).name)
    service.drain()
    log.warning("ended at once", why=signal.Signals(await anext(signals)).name)
    scope.cancel()
