"""The first bytes of a connection, until they are a request: what may come instead of one is met here."""

import trio

from wsgateway.errors import HandshakeError, ProtocolError, WsgatewayError
from wsgateway.net.channel import Channel
from wsgateway.serve.gateway import Gateway
from wsgateway.settings.model import Listener
from wsgateway.wire.flash import asks_for_policy
from wsgateway.wire.heads import Request, RequestHead

READ_BYTES = 16 * 1024


class ClientLeftError(WsgatewayError):
    """The client closed its connection before it had a session."""


async def read_request(gateway: Gateway, listener: Listener, channel: Channel, head: RequestHead) -> Request | None:
    """The client's request; None if it is a Flash Player that asks this listener for its policy.

    Raises HandshakeError for a request that cannot be understood, or not in time (408), or not any more (503),
    ProtocolError for one that gets no answer at all, and ClientLeftError.
    """
    seconds = gateway.settings.default_timeouts.handshake_seconds
    mode = listener.flash_policy.mode
    asks_policy = False if mode == "none" else None
    data = b""
    begun = False
    with trio.move_on_after(seconds) as scope:
        gateway.waiting.add(scope)
        if gateway.engine.stopping:
            scope.cancel()
        try:
            while True:
                received = await channel.receive(READ_BYTES)
                if not received:
                    raise ClientLeftError("inside its request" if begun else "without a request")
                begun = True
                data += received
                if asks_policy is None:
                    asks_policy = asks_for_policy(data)
                    if asks_policy:
                        return None
                    if asks_policy is None:
                        continue
                    if mode == "only":
                        raise ProtocolError(f"no question for a policy, and {listener.name} answers nothing else")
                request = head.receive(data)
                if request is not None:
                    return request
                data = b""
        finally:
            gateway.waiting.remove(scope)
    if gateway.engine.stopping:
        answerable = begun and mode != "only"
        raise HandshakeError("the gateway stops", 503) if answerable else ClientLeftError("when the gateway stopped")
    if mode == "only":  # whoever asks there does not know HTTP
        raise ProtocolError(f"no question for a policy within {seconds:g} s")
    raise HandshakeError(f"no whole request within {seconds:g} s", 408)
