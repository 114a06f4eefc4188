"""The preamble of a connection, before its first request: a PROXY header, a policy request of Flash Player, and TLS."""

import ssl
from collections.abc import Callable
from contextlib import suppress

import trio

from wsgateway.errors import ClientDisconnectedError, HttpRefusal, ProtocolError, Reason, ReasonedError, WsgatewayError
from wsgateway.net.channel import READ_BYTES, Channel, encrypt
from wsgateway.net.failure import in_words, is_gone
from wsgateway.serve.actions import Limit, Machine, receive
from wsgateway.serve.gateway import REQUEST_GRACE_SECONDS, GatewayState, ListenerState, stops
from wsgateway.serve.request import Client
from wsgateway.serve.tls import reason_of
from wsgateway.settings.basics import is_among
from wsgateway.settings.defaults import Timeouts
from wsgateway.settings.listeners import Listener
from wsgateway.wire import proxy_protocol
from wsgateway.wire.flash import is_policy_request, policy
from wsgateway.wire.foreign import PROXY
from wsgateway.wire.heads import Request
from wsgateway.wire.request_head import RequestHead


def stopped() -> ClientDisconnectedError:
    """Return the error for a client without a request when the gateway stops."""
    return ClientDisconnectedError(Reason.CLOSED_BY_DRAIN, "when the gateway stopped")


def has_preamble(listener_state: ListenerState) -> bool:
    """Return whether anything may come before the first request of a client."""
    listener = listener_state.listener
    in_clear = listener_state.context is None and listener.proxy_protocol.accept == "none"
    return not in_clear or listener.flash_policy.mode != "none"


async def read_preamble(gateway: GatewayState, listener_state: ListenerState, client: Client) -> bool:
    """Read the preamble, and note its facts about the client. Return whether a request will follow.

    Raise ProtocolError for a client that gets no answer, and ClientDisconnectedError.
    """
    listener, context, timeouts = listener_state.listener, listener_state.context, gateway.settings.defaults.timeouts
    deadline = client.begun + timeouts.handshake_seconds
    is_policy = False
    try:
        with gateway.time_limit(deadline, _late(listener, timeouts), stopped, client.begun + REQUEST_GRACE_SECONDS):
            if listener.proxy_protocol.accept != "none":
                await _read_proxy_header(listener, client)
            if listener.flash_policy.mode != "none":
                is_policy = await _is_policy_request(listener, client)
            if context is not None and not is_policy:
                await _encrypt(context, client)
    except WsgatewayError:
        with suppress(OSError):  # closing with unread bytes would send a reset
            client.channel.sock.recv(READ_BYTES)
        raise
    if is_policy:
        await _answer_policy_request(gateway, listener, client, timeouts.close_seconds)
    return not is_policy


def _late(listener: Listener, timeouts: Timeouts) -> Callable[[], ReasonedError]:
    """Return a function that makes the error for a client that is too slow; HTTP only if that is possible."""
    seconds = timeouts.handshake_seconds
    if listener.flash_policy.mode == "only":
        missing = f"no policy request within {seconds:g} s"
        return lambda: ProtocolError(Reason.POLICY_REQUEST_MISSING, missing)
    if listener.tls is not None:
        return lambda: ProtocolError(Reason.TLS_TIMEOUT, f"no TLS within {seconds:g} s")
    return lambda: too_late(seconds)


def too_late(seconds: float) -> HttpRefusal:
    """Return the refusal of a client whose request is not complete in time."""
    return HttpRefusal(Reason.REQUEST_TIMEOUT, f"no whole request within {seconds:g} s")


async def _read_proxy_header(listener: Listener, client: Client) -> None:
    """Read the header of the PROXY protocol, and no byte after it."""
    rule = listener.proxy_protocol
    seen = b""
    while (begins := proxy_protocol.begins(seen)) is None or (begins and proxy_protocol.read(seen) is None):
        seen = await _peek(client, beyond=len(seen))
    trusted = is_among(client.ip, rule.trusted)
    if not begins:
        if rule.accept == "required":
            raise ProtocolError(Reason.PROXY_HEADER_MISSING, "no header of the PROXY protocol, which is required here")
        return
    if not trusted:
        raise ProtocolError(
            Reason.PROXY_HEADER_UNTRUSTED, "a header of the PROXY protocol, from an address that is not trusted with it"
        )
    header = proxy_protocol.read(seen)
    assert header is not None, "read above"
    proxied, size = header
    await client.channel.receive(size)
    if proxied.source is not None:
        (client.ip, client.port), client.destination = proxied.source, proxied.destination
        client.secure, client.tls_version = bool(proxied.secure), proxied.tls_version


async def _is_policy_request(listener: Listener, client: Client) -> bool:
    """Return whether the client sends a policy request of Flash Player."""
    seen = b""
    while (is_policy := is_policy_request(seen)) is None:
        seen = await _peek(client, beyond=len(seen))
    if not is_policy and listener.flash_policy.mode == "only":
        raise ProtocolError(
            Reason.POLICY_REQUEST_MISSING, f"no policy request, and {listener.name} answers nothing else"
        )
    return is_policy


async def _answer_policy_request(gateway: GatewayState, listener: Listener, client: Client, seconds: float) -> None:
    """Answer a policy request; the connection then closes."""
    grants = listener.flash_policy.allow
    gateway.log.info("policy", client=str(client), listener=listener.name, why=f"{len(grants)} grants were sent")
    gateway.counters.policies += 1
    with trio.move_on_after(seconds):
        await client.channel.send(policy(grants))
        await client.channel.linger()


async def _peek(client: Client, beyond: int) -> bytes:
    seen = await client.channel.peek(READ_BYTES, beyond)
    if len(seen) <= beyond:
        raise _disconnected(bool(seen))
    return seen


def _disconnected(begun: bool) -> ClientDisconnectedError:
    """Return the error for a client that closes its connection before its request is complete."""
    if begun:
        return ClientDisconnectedError(Reason.DISCONNECTED_IN_REQUEST, "inside its request")
    return ClientDisconnectedError(Reason.DISCONNECTED_EARLY, "without a request")


async def _encrypt(context: ssl.SSLContext, client: Client) -> None:
    try:
        first = await client.channel.peek(READ_BYTES, 0)
        if first.startswith(PROXY):
            raise ProtocolError(Reason.PROXY_HEADER_UNEXPECTED, "no TLS: it looks like the PROXY protocol")
        secure = await encrypt(client.channel.sock, context, None)
    except OSError as error:
        if is_gone(error):
            raise ClientDisconnectedError(Reason.DISCONNECTED_EARLY, "inside its TLS handshake") from None
        raise ProtocolError(reason_of(error), f"no TLS: {in_words(error)}") from None
    client.channel = Channel(secure)
    client.secure = True
    client.alpn = secure.selected_alpn_protocol()
    client.tls_version = secure.version()


def read_request(
    gateway: GatewayState, client: Client, head: RequestHead, timeouts: Timeouts, begun: float
) -> Machine[Request]:
    """Read the client's next request, which began at `begun` by Trio's clock; the first begins with the connection.

    Raise HttpRefusal for a request that cannot be read, that is late (408), or that comes when the gateway stops (503);
    raise ClientDisconnectedError.
    """
    until = (gateway.clock() if head.begun else client.begun) + REQUEST_GRACE_SECONDS

    def stopping() -> ReasonedError:
        return stops() if head.begun else stopped()

    seconds = timeouts.handshake_seconds
    limit = Limit(begun + seconds, lambda: too_late(seconds), stopping, until)
    request = None
    while request is None:
        data = yield from receive(client.channel, limit)
        if not data:
            raise _disconnected(head.begun)
        request = head.receive(data)
    return request
