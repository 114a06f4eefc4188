"""How a session leaves this process as a record, and how one of another process goes on here.

The names in a record are bound to the settings that this process has at the time.
"""

import math
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from wsgateway.errors import RecordError
from wsgateway.net.channel import Channel
from wsgateway.relay.moving import Bounds, catch_up, endpoints, suspend
from wsgateway.relay.record import ClientState, Names, SessionRecord
from wsgateway.relay.translate import TranslationOptions
from wsgateway.serve.facts import Facts
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.opening import Opened
from wsgateway.serve.request import Client
from wsgateway.serve.session import ClientConnection
from wsgateway.serve.throttle import Throttle, hold_to_rate
from wsgateway.settings.basics import UNIX
from wsgateway.settings.routes import Route
from wsgateway.upstream.pool import Lease, Pool
from wsgateway.upstream.target import TargetAddress
from wsgateway.wire.addresses import counted_as

T = TypeVar("T")
Socks = tuple[socket.socket, socket.socket]
"""those of the client and of the upstream"""

# The fields of `Facts` and `ClientState` that are texts of the client's request and of its opening.
_TEXTS = ("host", "path", "origin", "agent", "dialect", "subprotocol", "failed", "forwarded_for")
# More names would hide the one that is missing.
_NAMES_TOLD = 20


@dataclass(frozen=True, slots=True)
class _Bound:
    """The settings of this process that have the names of a record."""

    listener_state: ListenerState
    route: Route
    pool: Pool
    target_address: TargetAddress


def leave(gateway: GatewayState, connection: ClientConnection) -> tuple[SessionRecord, Socks]:
    """Return the record of a session, with the sockets of its client and its upstream, and forget it here.

    Its peers notice nothing. Raise RecordError for a connection that cannot have a record; it goes on here then.
    """
    if connection.opened is None:
        raise RecordError("the connection has no session yet; what opens one stays where it is")
    record = _record_of(gateway, connection.opened, connection.client)
    return record, connection.leave()


def go_on(gateway: GatewayState, record: SessionRecord, socks: Socks) -> None:
    """Go on with a session of another process.

    Raise RecordError if it cannot go on here; the sockets are still the caller's then.
    """
    bound = _bind(gateway, record.names)
    opened, client = _reopened(gateway, record, bound, socks)
    connection = ClientConnection(gateway, bound.listener_state, client)
    connection.go_on(opened, _take_places(gateway, bound, opened.facts))
    catch_up(gateway.engine, opened.client, record.relay)


def _record_of(gateway: GatewayState, opened: Opened, client: Client) -> SessionRecord:
    """Take a session out of the relay, and return its record.

    Raise RecordError for a session that cannot have one; it goes on then.
    """
    if client.alpn == "h2":
        raise RecordError("the client has HTTP/2, whose connection has other streams; only plain sockets are allowed")
    route, facts, throttle = opened.route, opened.facts, opened.client.translator
    assert route.upstream is not None, "it has been one of the checks"
    tokens = throttle.tokens() if isinstance(throttle, Throttle) else None
    relay = suspend(gateway.engine, opened.client, TranslationOptions(route.limits, route.binary, route.invalid_utf8))
    names = Names(facts.listener, route.name, route.upstream.name, facts.target, facts.address)
    texts = {name: getattr(facts, name) for name in _TEXTS}
    state = ClientState(client.ip, client.port, client.secure, client.tls_version, **texts)
    return SessionRecord(relay, names, state, time.time() - (gateway.clock() - opened.begun), tokens)


def _bind(gateway: GatewayState, names: Names) -> _Bound:
    """Return what the names stand for. Raise RecordError for the first that is gone."""
    settings = gateway.settings
    _found("listener", names.listener, {each.name: each for each in settings.listeners})
    route = _found("route", names.route, {each.name: each for each in settings.routes})
    _found("upstream", names.upstream, settings.upstreams)
    pool = gateway.pools[names.upstream]
    known = {_spelt(*each.names): each for each in pool.addresses}
    target_address = _found("target", _spelt(names.target, names.address), known)
    return _Bound(gateway.listener_states[names.listener], route, pool, target_address)


def _reopened(gateway: GatewayState, record: SessionRecord, bound: _Bound, socks: Socks) -> tuple[Opened, Client]:
    """Return the session of a record, on the sockets of client and upstream, and its client.

    Raise RecordError if its state does not fit.
    """
    client_sock, upstream_sock = socks
    for sock in socks:
        sock.setblocking(False)
    route = bound.route
    bounds = Bounds(route.limits, bound.listener_state.listener.tolerance, bound.pool.upstream.tolerance)
    client, upstream = endpoints(record.relay, (client_sock, upstream_sock), bounds, gateway.engine.mask_keys)
    tokens = math.inf if record.tokens is None else record.tokens
    hold_to_rate(gateway.engine, client, route.limits, gateway.clock, tokens)
    own, names = record.client, record.names  # the wall clock may have been set back since the session began
    begun = gateway.clock() - max(0.0, time.time() - record.begun)
    connection = Client(Channel(client_sock), own.ip, own.port, None, begun, None, own.secure, None, own.tls_version)
    texts = {name: gateway.texts.shared(getattr(own, name)) for name in _TEXTS}
    facts = Facts(connection, names.listener, route=route.name, target=names.target, address=names.address, **texts)
    return Opened(client, upstream, route, facts, begun=begun), connection


def _take_places(gateway: GatewayState, bound: _Bound, facts: Facts) -> Cleanup:
    """Count a session of another process where it counts here: it is one that is open, whatever the limits say.

    Return the cleanups for its end.
    """
    listener_state, ip = bound.listener_state, facts.client_ip
    listener_state.count(1)
    address = ip if ip == UNIX else counted_as(ip, listener_state.listener.ipv6_prefix)
    of_address = gateway.connections.count((facts.listener, address))
    lease = Lease(bound.pool, bound.target_address)
    return Cleanup([listener_state.leave, of_address, lease.release])


def _found(what: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        told = ", ".join(list(known)[:_NAMES_TOLD]) + (", ..." if len(known) > _NAMES_TOLD else "")
        raise RecordError(f"the session is of {what} {name!r}, which is gone; there are {told}")
    return known[name]


def _spelt(target: str, address: str) -> str:
    return f"{target} at {address}" if address else target
