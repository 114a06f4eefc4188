"""The beginning of a connection, until there is a request: what a proxy says in front of it, a Flash Player's question,
and TLS."""

import ssl
from contextlib import suppress
from dataclasses import dataclass

import trio

from wsgateway.errors import HttpRefusal, ProtocolError, WsgatewayError
from wsgateway.net.channel import READ_BYTES, Channel, encrypt
from wsgateway.net.failure import in_words, is_gone
from wsgateway.net.outgoing import Outgoing
from wsgateway.policy.forwarded import is_trusted
from wsgateway.serve.gateway import REQUEST_GRACE_SECONDS, GatewayState, ListenerState, stops
from wsgateway.settings.basics import UNIX
from wsgateway.settings.defaults import Timeouts
from wsgateway.settings.listeners import Listener
from wsgateway.wire import proxy_protocol
from wsgateway.wire.flash import is_policy_request, policy
from wsgateway.wire.heads import Request, RequestHead
from wsgateway.wire.oddities import Oddity


class ClientDisconnectedError(WsgatewayError):
    """The client closed its connection before it had a session. `kind` is one word of few, to count by."""

    def __init__(self, message: str, kind: str = "early") -> None:
        super().__init__(message)
        self.kind = kind


def stopped() -> ClientDisconnectedError:
    """What is said of a client that has asked for nothing when the gateway stops."""
    return ClientDisconnectedError("when the gateway stopped", "draining")


@dataclass(slots=True)
class Client:
    """An accepted connection."""

    channel: Channel
    """the connection is closed by whoever accepted it"""
    ip: str
    """UNIX, for who comes by a Unix socket and through no proxy that says more"""
    port: int
    local: tuple[str, int] | None
    """the address that it called: ours, or that of the proxy that it came through; None: a Unix socket"""
    begun: float
    """when it came, by Trio's clock"""
    secure: bool = False
    """whether the client's own connection is encrypted, here or at the proxy that it came through"""
    alpn: str | None = None
    """what we have agreed to speak in TLS"""
    tls_version: str | None = None
    """of that encryption, for example TLSv1.3; None if it is not known"""
    outgoing: Outgoing | None = None
    """how far what it is sent has got, where its socket does not tell: as a stream of HTTP/2"""
    left: bool = False
    """whether it is known to have gone, where its socket does not tell: as a stream of HTTP/2"""
    odd: tuple[Oddity, ...] = ()
    """what its request needed before it became one of HTTP/1.1"""

    def __str__(self) -> str:
        if self.ip == UNIX:
            return UNIX
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    def called(self) -> str | None:
        """Return the Host that names the address that it called; None: it came by a Unix socket."""
        if self.local is None:
            return None
        ip, port = self.local
        host = f"[{ip}]" if ":" in ip else ip
        return host if port == (443 if self.secure else 80) else f"{host}:{port}"


async def greet(gateway: GatewayState, listener_state: ListenerState, client: Client) -> bool:
    """Takes what comes before a request, and fills in what it says of the client. Whether a request is to follow.

    Raises ProtocolError for what gets no answer, and ClientDisconnectedError.
    """
    listener, context, timeouts = listener_state.listener, listener_state.context, gateway.settings.defaults.timeouts
    if context is None and listener.proxy_protocol.accept == "none" and listener.flash_policy.mode == "none":
        return True  # nothing can come before
    deadline = client.begun + timeouts.handshake_seconds
    late = _late(listener, timeouts.handshake_seconds)
    asks = False
    try:
        with gateway.patient(deadline, late, stopped(), client.begun + REQUEST_GRACE_SECONDS):
            if listener.proxy_protocol.accept != "none":
                await _hear_proxy(listener, client)
            if listener.flash_policy.mode != "none":
                asks = await _asks_policy(listener, client)
            if context is not None and not asks:
                await _encrypt(context, client)
    except WsgatewayError:
        with suppress(OSError):  # to close over what was only looked at would be a reset
            client.channel.sock.recv(READ_BYTES)
        raise
    if asks:
        await _tell_policy(gateway, listener, client, timeouts.close_seconds)
    return not asks


def _late(listener: Listener, seconds: float) -> WsgatewayError:
    """What is said of a client that takes longer; in HTTP, if that is what it may know."""
    if listener.flash_policy.mode == "only":
        return ProtocolError(f"no question for a policy within {seconds:g} s")
    if listener.tls is not None:
        return ProtocolError(f"no TLS within {seconds:g} s")
    return too_late(seconds)


def too_late(seconds: float) -> HttpRefusal:
    """What a client is told whose request is not whole by then."""
    return HttpRefusal(f"no whole request within {seconds:g} s", 408, kind="late")


async def _hear_proxy(listener: Listener, client: Client) -> None:
    """Reads the header of the PROXY protocol, and nothing behind it."""
    rule = listener.proxy_protocol
    seen = b""
    while (begins := proxy_protocol.begins(seen)) is None or (begins and proxy_protocol.read(seen) is None):
        seen = await _peek(client, beyond=len(seen))
    trusted = is_trusted(client.ip, rule.trusted)
    if not begins:
        if rule.accept == "required":
            raise ProtocolError("no header of the PROXY protocol, which is required here")
        return
    if not trusted:
        raise ProtocolError("a header of the PROXY protocol, from an address that is not trusted with it")
    header = proxy_protocol.read(seen)
    assert header is not None, "read above"
    said, size = header
    await client.channel.receive(size)
    if said.source is not None:
        (client.ip, client.port), client.local = said.source, said.destination
        client.secure, client.tls_version = bool(said.secure), said.tls_version


async def _asks_policy(listener: Listener, client: Client) -> bool:
    """Whether it is a Flash Player's question that comes."""
    seen = b""
    while (asks := is_policy_request(seen)) is None:
        seen = await _peek(client, beyond=len(seen))
    if not asks and listener.flash_policy.mode == "only":
        raise ProtocolError(f"no question for a policy, and {listener.name} answers nothing else")
    return asks


async def _tell_policy(gateway: GatewayState, listener: Listener, client: Client, seconds: float) -> None:
    """Answers the question; the connection is for nothing else."""
    grants = listener.flash_policy.allow
    gateway.log.info("policy", client=str(client), why=f"{len(grants)} grants were told")
    gateway.counters.policies += 1
    with trio.move_on_after(seconds):
        await client.channel.send(policy(grants))
        await client.channel.linger()


async def _peek(client: Client, beyond: int) -> bytes:
    seen = await client.channel.peek(READ_BYTES, beyond)
    if len(seen) <= beyond:
        raise ClientDisconnectedError("inside its request" if seen else "without a request")
    return seen


async def _encrypt(context: ssl.SSLContext, client: Client) -> None:
    try:
        secure = await encrypt(client.channel.sock, context, None)
    except ssl.SSLError as error:
        raise ProtocolError(f"no TLS: {in_words(error)}") from None
    except OSError as error:
        if is_gone(error):
            raise ClientDisconnectedError("inside its TLS handshake") from None
        raise
    client.channel = Channel(secure)
    client.secure = True
    client.alpn = secure.selected_alpn_protocol()
    client.tls_version = secure.version()


async def read_request(
    gateway: GatewayState, client: Client, head: RequestHead, timeouts: Timeouts, begun: float
) -> Request:
    """The client's next request, which began at that time of Trio's clock: the first one does with the connection.

    Raises HttpRefusal for a request that cannot be understood, or not in time (408), or not any more (503), and
    ClientDisconnectedError.
    """
    until = (trio.current_time() if head.begun else client.begun) + REQUEST_GRACE_SECONDS
    late = too_late(timeouts.handshake_seconds)
    try:
        with gateway.patient(begun + timeouts.handshake_seconds, late, stops(), until):
            data = client.channel.ready(READ_BYTES)  # however late a busy process comes to it
            while True:
                if data is None:
                    data = await client.channel.receive(READ_BYTES)
                if not data:
                    raise ClientDisconnectedError("inside its request" if head.begun else "without a request")
                request = head.receive(data)
                if request is not None:
                    return request
                data = None
    except HttpRefusal as error:
        if error.kind == "draining" and not head.begun:
            raise stopped() from None
        raise
    raise AssertionError("a request, or an error")
