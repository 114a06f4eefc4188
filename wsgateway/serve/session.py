"""The life of one client connection, from top to bottom: preamble, opening, relay, closing, and a line in the log.

A connection has no task as long as nothing but its sockets is waited for: the loop of the relay drives its opening,
moves the bytes of its session, and drives its closing handshake. A task does all else: the preamble and TLS, refusals,
and what is answered to plain HTTP.
"""

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import NoReturn

import outcome
import trio

from wsgateway.errors import ClientDisconnectedError, HttpRefusal, ProtocolError, Reason, ReasonedError
from wsgateway.net.channel import EXHAUSTED, READ_BYTES
from wsgateway.net.failure import in_words
from wsgateway.net.options import limit_unacknowledged
from wsgateway.observe.counters import By, session_id
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import Ended
from wsgateway.relay.timer import RelayTimeouts
from wsgateway.serve.actions import Action, Machine
from wsgateway.serve.closing import ClosingHandshake
from wsgateway.serve.closing_driver import ClosingDriver
from wsgateway.serve.facts import odd_facts
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.serve.in_loop import LoopDriver
from wsgateway.serve.in_task import drive
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.opening import Opened
from wsgateway.serve.preamble import has_preamble, read_preamble
from wsgateway.serve.request import Client, RequestContext
from wsgateway.serve.requests import count_address, open_session, speaks_for_others
from wsgateway.settings.routes import Route
from wsgateway.trace.traces import FollowedSession
from wsgateway.wire.events import Close

Begin = Callable[[], Awaitable[Opened | None]]


class ClientConnection:
    """The connection of one client. It ends by itself; a bug of ours costs no other connection."""

    __slots__ = ("_cleanup", "_client", "_closing", "_context", "_end", "_followed", "_gateway", "_opened")

    def __init__(self, gateway: GatewayState, listener_state: ListenerState, client: Client) -> None:
        """Take a client that its listener has counted."""
        self._gateway = gateway
        self._client = client
        self._context: RequestContext | None = RequestContext(gateway, listener_state, client)
        self._cleanup = Cleanup([client.close])
        self._opened: Opened | None = None
        self._end: Ended | None = None  # how the relay has ended; None: it has not
        self._closing: ClosingDriver | None = None
        self._followed: FollowedSession | None = None

    def begin(self, listener_state: ListenerState) -> None:
        """Serve the client of a listener. Raise OSError if that is not possible, and close its connection."""
        self._cleanup.append(listener_state.leave)
        if has_preamble(listener_state):
            self._gateway.owner.tasks.start_soon(self._run, self._read_preamble)
            return
        try:
            self._open_in_loop()
        except OSError:
            self._clean_up()
            raise

    async def run_stream(
        self, listener_state: ListenerState, asking: trio.CancelScope, error: HttpRefusal | None
    ) -> None:
        """Serve a stream of HTTP/2 to its end, or refuse it. `asking` is cancelled when its client disconnects."""

        async def begin() -> Opened | None:
            if error is not None:
                raise error
            listener_state.enter()
            self._cleanup.append(listener_state.leave)
            with asking:
                return await self._drive()
            raise ClientDisconnectedError(Reason.DISCONNECTED_WAITING, "before it had its answer")

        opened = await self._attempt(begin)
        if opened is None:
            return
        over = trio.Event()
        self._cleanup.append(over.set)
        self._begin_session(opened)
        try:
            await over.wait()
        finally:
            if not over.is_set():
                self._gateway.owner.remove(self)
                self.cut()

    # -- the opening ---------------------------------------------------------------------------------------------

    @property
    def _known(self) -> RequestContext:
        assert self._context is not None, "it is kept until there is a session"
        return self._context

    def _follow(self) -> None:
        if self._gateway.traces.running:
            self._cleanup.append(self._known.follow().end)

    def _open_in_loop(self) -> None:
        self._follow()
        machine = open_session(self._known, self._cleanup)
        LoopDriver(self._gateway, self._client, machine, self._opening_finished, self._hand_over).begin()

    def _hand_over(self, machine: Machine[Opened | None], action: Action) -> None:
        self._gateway.owner.tasks.start_soon(self._run, partial(drive, self._gateway, self._client, machine, action))

    def _opening_finished(self, opened: Opened | None, error: Exception | None) -> None:
        if error is not None:
            self._gateway.owner.tasks.start_soon(self._run, partial(_raise, error))
        elif opened is None:
            self._clean_up()
        else:
            self._begin_session(opened)

    async def _run(self, begin: Begin) -> None:
        """Open a session in a task."""
        opened = await self._attempt(begin)
        if opened is not None:
            self._begin_session(opened)

    async def _attempt(self, begin: Begin) -> Opened | None:
        """Return the session that the function opens. If there is none, answer the client and close its connection."""
        opened, context = None, self._known
        try:
            try:
                opened = await begin()
            except ReasonedError as error:
                await context.refuse(error)
            except OSError as error:
                await context.refuse(context.lost(error))
        except Exception:
            self._gateway.log.exception("bug", **context.facts.known(), reason=Reason.BUG)
        finally:
            if opened is None:
                self._clean_up()
        return opened

    async def _read_preamble(self) -> Opened | None:
        context = self._known
        if not await read_preamble(context.gateway, context.listener_state, context.client):
            return None
        if context.client.alpn == "h2":
            await _carry_streams(context, self._cleanup)
            return None
        return await self._drive()

    async def _drive(self) -> Opened | None:
        self._follow()
        return await drive(self._gateway, self._client, open_session(self._known, self._cleanup))

    # -- in another process: see `moving` ------------------------------------------------------------------------

    @property
    def opened(self) -> Opened | None:
        """The session; None if there is none yet."""
        return self._opened

    @property
    def client(self) -> Client:
        """The client."""
        return self._client

    def leave(self) -> tuple[socket.socket, socket.socket]:
        """Forget a session whose relay was suspended, and return its sockets: it goes on in another process."""
        gateway, opened = self._gateway, self._session
        client, upstream = (socket.socket(fileno=each.sock.detach()) for each in (opened.client, opened.upstream))
        opened.client.forget_peer()
        gateway.owner.remove(self)
        gateway.counters.left(opened)
        gateway.tally.ended(opened, opened.figures())
        self._clean_up()
        return client, upstream

    def go_on(self, opened: Opened, places: Cleanup) -> None:
        """Go on with a session that has left another process; `places` are the cleanups of where it counts."""
        gateway, self._opened, self._context = self._gateway, opened, None
        self._cleanup += [opened.upstream.sock.close, *places]
        gateway.counters.came(opened)
        gateway.tally.came(opened)
        gateway.owner.add(self)
        gateway.engine.start(opened.client, opened.upstream, self._ended, _relay_timeouts(opened.route))

    # -- the session ---------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Opened:
        assert self._opened is not None, "there is a session"
        return self._opened

    def _begin_session(self, opened: Opened) -> None:
        try:
            self._note_begin(opened)
            self._gateway.owner.add(self)
            self._gateway.engine.start(opened.client, opened.upstream, self._ended, _relay_timeouts(opened.route))
        except Exception:
            self._gateway.log.exception("bug", **opened.facts.known(), reason=Reason.BUG)
            self._gateway.owner.remove(self)
            self.cut()

    def _note_begin(self, opened: Opened) -> None:
        self._opened, opened.begun = opened, self._gateway.clock()
        self._followed = self._known.followed
        if self._followed is not None:
            self._followed.begin_frames("client", opened.client.side, opened.client.early)
            self._followed.begin_frames("upstream", opened.upstream.side, opened.upstream.early)
        self._context = None  # the reader of the request is large, and not needed any more
        self._gateway.counters.opened(opened)
        if self._followed is not None:
            # The trace began before there was a session, and has a number of its own.
            self._followed.remark(f"it is session {session_id(self._gateway.traces.process, opened.number)}")
        self._gateway.tally.began(opened)
        self._gateway.log.info("opened", **opened.facts.known())

    def _ended(self, result: outcome.Outcome[Ended]) -> None:
        try:
            self._end = _unwrapped(result)
            self._begin_closing(self._session, self._end)
        except Exception as bug:  # noqa: BLE001  a bug of ours costs its own session
            self._closed(bug)

    def _begin_closing(self, opened: Opened, ended: Ended) -> None:
        gateway, timeouts = self._gateway, opened.route.timeouts
        for endpoint in (opened.client, opened.upstream):
            limit_unacknowledged(endpoint.sock, timeouts.send_seconds)
        closing_handshake = ClosingHandshake(ended, gateway.engine.mask_keys, timeouts.close_seconds, gateway.clock)
        machine = closing_handshake.run(opened.client, opened.upstream)
        self._closing = ClosingDriver(gateway.engine.closings, gateway.alarms, machine, self._closed)
        self._closing.begin()

    def _closed(self, bug: Exception | None) -> None:
        if bug is not None:
            self._gateway.log.exception("bug", **self._session.facts.known(), reason=Reason.BUG)
        self._gateway.owner.remove(self)
        self._finish(self._session)

    def cut(self) -> None:
        self._gateway.engine.forget(self._session.client)
        if self._closing is not None:
            self._closing.cut()
        self._finish(self._session)

    def _finish(self, opened: Opened) -> None:
        """Count the session, write its line in the log, and close its sockets."""
        ended, self._end, self._closing = self._end, None, None
        opened.client.forget_peer()
        try:
            self._tell_end(opened, ended)
        except Exception:
            self._gateway.log.exception("bug", **opened.facts.known(), reason=Reason.BUG)
        self._clean_up()

    def _clean_up(self) -> None:
        """Close the connections, and free what they had. A bug in it costs nobody else."""
        try:
            self._cleanup.run()
        except Exception:
            facts = self._known.facts if self._opened is None else self._opened.facts
            self._gateway.log.exception("bug", **facts.known(), reason=Reason.BUG)

    def _tell_end(self, opened: Opened, ended: Ended | None) -> None:
        by, reason, why = _end_of(ended, opened)
        seconds = self._gateway.clock() - opened.begun
        figures = self._gateway.counters.ended(opened, by, reason, seconds)
        self._gateway.tally.ended(opened, figures)
        if self._followed is not None:
            self._followed.end({"by": by, "reason": reason, "why": why})
        self._gateway.log.info(
            "session",
            **opened.facts.known(),
            seconds=round(seconds, 3),
            **figures._asdict(),
            **odd_facts(*opened.oddities),
            by=by,
            **reason.facts,
            why=why,
        )


async def _raise(error: Exception) -> NoReturn:
    raise error


async def _carry_streams(context: RequestContext, cleanup: Cleanup) -> None:
    """Serve a connection of HTTP/2, of which each stream counts as a connection."""
    from wsgateway.serve.http2 import Http2Connection  # an optional dependency, needed only where HTTP/2 is offered

    gateway, listener_state = context.gateway, context.listener_state

    async def serve(client: Client, asking: trio.CancelScope, error: HttpRefusal | None) -> None:
        await ClientConnection(gateway, listener_state, client).run_stream(listener_state, asking, error)

    connection = Http2Connection(context, serve)
    try:
        if not speaks_for_others(context):
            cleanup.append(count_address(context, context.client.ip))
    except HttpRefusal as error:
        await connection.refuse(error)
        raise ProtocolError(error.reason, str(error)) from None
    await connection.run()


async def turn_away(gateway: GatewayState, listener_state: ListenerState, client: Client) -> None:
    """Answer 503 to a client above the limit, without reading its request, and close its connection.

    It is closed when the client has read the answer, or when there are too many newer ones. A bug of ours costs no
    session.
    """
    context = RequestContext(gateway, listener_state, client)
    listener = context.listener
    try:
        full = listener_state.refusal()
        context.refused(full)
        in_clear = listener.tls is None and listener.flash_policy.mode != "only"  # else the client cannot read HTTP
        if in_clear and await context.answer(full.status, full.reason):
            with listener_state.turned_away.one_more():
                await context.hang_up(context.settings.defaults.timeouts.close_seconds)
    except Exception:
        gateway.log.exception("bug", **context.facts.known(), reason=Reason.BUG)
    finally:
        with suppress(OSError):  # closing with an unread request would send a reset
            client.channel.sock.recv(READ_BYTES)
        client.close()


_shared_timeouts = lru_cache(RelayTimeouts)


def _relay_timeouts(route: Route) -> RelayTimeouts:
    """Return the timeouts of a session, which it shares with others."""
    timeouts, keepalive = route.timeouts, route.keepalive
    return _shared_timeouts(
        timeouts.idle_seconds,
        timeouts.lifetime_seconds,
        timeouts.send_seconds,
        keepalive.interval_seconds,
        keepalive.timeout_seconds,
    )


def _unwrapped(result: outcome.Outcome[Ended]) -> Ended:
    """Return the end of a relay, also if there was no memory for it. Raise a bug of ours."""
    if isinstance(result, outcome.Error) and isinstance(result.error, OSError) and result.error.errno in EXHAUSTED:
        return Ended(None, ServerClose(Reason.OUT_OF_RESOURCES, in_words(result.error)))
    return result.unwrap()


def _end_of(ended: Ended | None, opened: Opened) -> tuple[By, Reason, str]:
    """Return the side that has ended a session, the reason, and a text about it."""
    if ended is None:
        return "gateway", Reason.CUT_OFF, "stopped"
    by: By = "client" if ended.source is opened.client else "upstream"
    match ended.ending:
        case ServerClose(reason=reason, why=why):
            return "gateway", reason, why
        case Close() as close:
            return by, Reason.CLOSED, f"close {close}"
        case ProtocolError() as fault:
            return by, fault.reason, f"{fault} ({fault.close_code})"
        case OSError() as error:
            return by, Reason.CONNECTION_LOST, in_words(error)
