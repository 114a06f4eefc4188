"""The driver of a machine that is a task of Trio: it carries out every action, on every kind of socket."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import trio

from wsgateway.serve.actions import Action, Await, Limit, Machine, Reach, Receive, Send
from wsgateway.serve.disconnect import DisconnectWatch, disconnected_waiting
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.request import Client

T = TypeVar("T")


async def drive(gateway: GatewayState, client: Client, machine: Machine[T], action: Action | None = None) -> T:
    """Run a machine to its end, and return what it returns. `action` is the first, if it has been yielded already."""
    driver = _Driver(gateway, client)
    result: Any = None
    error: Exception | None = None
    try:
        while True:
            if action is None:
                action = machine.send(result) if error is None else machine.throw(error)
            result = error = None
            try:
                result = await driver.perform(action)
            except Exception as caught:  # noqa: BLE001  the machine raises it, if it does not expect it
                error = caught
            action = None
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        machine.close()


class _Driver:
    def __init__(self, gateway: GatewayState, client: Client) -> None:
        self._gateway = gateway
        self._client = client
        self._disconnect_watch: DisconnectWatch | None = None

    async def perform(self, action: Action) -> Any:
        if action.watched:
            if self._disconnect_watch is None:
                self._disconnect_watch = DisconnectWatch(self._client.channel)
            with self._disconnect_watch.watched(self._gateway):
                return await self._perform(action)
        if self._disconnect_watch is not None and self._disconnect_watch.tls_ended and not isinstance(action, Await):
            raise disconnected_waiting()  # the relay would not see an end that has been received already
        return await self._perform(action)

    async def _perform(self, action: Action) -> Any:
        match action:
            case Await(call):
                return await call()
            case Reach(search, lease, seconds, preface, limit):
                with nullcontext() if limit is None else self._limited(limit):
                    return await search.reach(lease, seconds, preface)
            case Send(channel, data, limit):
                with self._limited(limit):
                    return await channel.send(data)
            case Receive(limit=limit):
                with self._limited(limit):
                    return await _receive(action)

    @contextmanager
    def _limited(self, limit: Limit) -> Iterator[None]:
        with self._gateway.time_limit(limit.deadline, limit.late, limit.stopping, limit.until):
            yield


async def _receive(action: Receive) -> bytes | None:
    channel, size = action.channel, action.limit_bytes
    if action.whole:
        return await channel.receive_whole(size)
    data = channel.ready(size)  # also if a busy process is late, read what has come
    if data is not None:
        await trio.lowlevel.cancel_shielded_checkpoint()  # a side that always has bytes must not stop the others
    elif action.patience is None:
        data = await channel.receive(size)
    else:
        with trio.move_on_after(action.patience):
            data = await channel.receive(size)
    return data
