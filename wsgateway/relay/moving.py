"""How a living relay is taken out of one engine and gone on with by another, perhaps in another process.

    suspend -> a `RelayState`, as bytes by `record` -> endpoints -> `Engine.start` -> catch_up

Both happen between two turns of the engines. In between nobody reads the sockets: what the peers send waits in them.
"""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import trio

from wsgateway.dialects import DIALECTS
from wsgateway.dialects.base import Limits, Side
from wsgateway.errors import RecordError
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.engine import Engine
from wsgateway.relay.record import RelayState, SideState
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.wire.binary import BinaryRule
from wsgateway.wire.events import Role
from wsgateway.wire.oddities import DEFAULT, Oddities, Tolerance

_FRAMINGS = {dialect.framing.name: dialect.framing for dialect in DIALECTS.values()}


class Bounds(NamedTuple):
    """The settings of the reader that hold for a session from now on."""

    limits: Limits = Limits()
    client: Tolerance = DEFAULT["client"]
    """the oddities that the client is allowed"""
    upstream: Tolerance = DEFAULT["upstream"]


def suspend(engine: Engine, client: Endpoint, options: TranslationOptions) -> RelayState:
    """Take the relay of a client out of an engine, without its end. Return its state; the sockets stay open.

    `options` are those with which it began. Raise RecordError for a relay that has ended, or cannot have a record: it
    goes on then.
    """
    if client.on_end is None:
        raise RecordError("the relay has ended, and its closing handshake is for the process that has begun it")
    for name, endpoint in (("client", client), ("upstream", client.peer)):
        if type(endpoint.sock) is not socket.socket:
            what = "TLS" if endpoint.tls is not None else "a trace"
            raise RecordError(f"the {name} has {what}, whose state is out of reach; only plain sockets are allowed")
    now, timer = trio.current_time(), engine.timers.of(client)
    state = RelayState(
        _side(client, engine.pauses.remaining(client, now)),
        _side(client.peer, engine.pauses.remaining(client.peer, now)),
        options.binary.encode,
        options.binary.decode,
        options.invalid_utf8,
        None if timer is None else timer.state(now),
    )
    engine.forget(client)
    return state


def endpoints(
    state: RelayState, socks: tuple[socket.socket, socket.socket], bounds: Bounds, mask_keys: Iterator[bytes]
) -> tuple[Endpoint, Endpoint]:
    """Return the client and the upstream of a relay, on their non-blocking sockets. Raise RecordError if that fails."""
    options = TranslationOptions(bounds.limits, BinaryRule(state.encode, state.decode), state.invalid_utf8)
    ours, theirs = _made(state.client, Role.SERVER, bounds.client), _made(state.upstream, Role.CLIENT, bounds.upstream)
    client = Endpoint(socks[0], ours, translator(ours, theirs, options, mask_keys))
    upstream = Endpoint(socks[1], theirs, translator(theirs, ours, options, mask_keys))
    client.meet(upstream)
    client.resume(state.client.endpoint)
    upstream.resume(state.upstream.endpoint)
    return client, upstream


def catch_up(engine: Engine, client: Endpoint, state: RelayState) -> None:
    """Go on with the times of a relay, and with all else that an engine has of it, as soon as that has started it."""
    if client.on_end is None:  # it could not be started: its end gives nothing back
        return
    timer = engine.timers.of(client)
    if timer is not None and state.timer is not None:
        timer.resume(state.timer, trio.current_time())
    for endpoint, side in ((client, state.client), (client.peer, state.upstream)):
        if side.endpoint.held:
            engine.join_memory.hold(endpoint, side.endpoint.held)
        if side.paused:
            engine.pause(endpoint, side.paused)


def _side(endpoint: Endpoint, paused: float) -> SideState:
    side = endpoint.side
    return SideState(
        side.framing.name,
        side.secret,
        side.takes_binary,
        side.joins,
        side.oddities.needed,
        side.oddities.passed_over,
        paused,
        endpoint.state(),
    )


def _made(state: SideState, role: Role, allowed: Tolerance) -> Side:
    framing = _FRAMINGS.get(state.framing)
    if framing is None:
        raise RecordError(f"a side with the frames of {state.framing!r}; known are {', '.join(_FRAMINGS)}")
    oddities = Oddities(allowed, state.shown)
    oddities.passed_over = state.passed_over
    return Side(framing, role, state.secret, state.takes_binary, oddities, state.joins)
