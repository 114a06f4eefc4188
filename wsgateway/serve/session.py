"""The life of one client connection, from top to bottom: open, relay, part, and one line in the log."""

import trio

from wsgateway.errors import ProtocolError
from wsgateway.relay.engine import Ended
from wsgateway.serve.farewell import Farewell
from wsgateway.serve.gateway import Gateway
from wsgateway.serve.opening import Client, Opened, open_session, refuse_for_room
from wsgateway.settings.model import Listener
from wsgateway.wire.events import Close


async def serve_client(gateway: Gateway, listener: Listener, client: Client) -> None:
    """Serves a client until its session is over, and closes its connection. A bug of ours costs no other session."""
    try:
        opened = await open_session(gateway, listener, client)
        if opened is not None:
            await _live(gateway, client, opened)
    except Exception:
        gateway.log.exception("bug", client=str(client))
    finally:
        client.sock.close()


async def turn_away(gateway: Gateway, listener: Listener, client: Client) -> None:
    """Answers a client for whom there is no room, and closes its connection. A bug of ours costs no session."""
    try:
        await refuse_for_room(gateway, listener, client)
    except Exception:
        gateway.log.exception("bug", client=str(client))
    finally:
        client.sock.close()


async def _live(gateway: Gateway, client: Client, opened: Opened) -> None:
    begun = trio.current_time()
    ended = None
    try:
        ended = await gateway.engine.relay(opened.client, opened.upstream)
        await Farewell(ended, gateway.mask_keys, opened.close_seconds).say(opened.client, opened.upstream)
    finally:
        opened.upstream.sock.close()
        gateway.log.info(
            "session",
            client=str(client),
            **opened.facts,
            seconds=round(trio.current_time() - begun, 3),
            messages_in=opened.client.translator.messages,
            messages_out=opened.upstream.translator.messages,
            bytes_in=opened.client.received,
            bytes_out=opened.upstream.received,
            ended=_how(ended, opened),
        )


def _how(ended: Ended | None, opened: Opened) -> str:
    """How a session ended, for people: who, and with which words."""
    if ended is None or ended.source is None:
        return "gateway: stopped"
    who = "client" if ended.source is opened.client else "upstream"
    match ended.ending:
        case Close() as close:
            return f"{who}: close {close}"
        case ProtocolError() as fault:
            return f"{who}: {fault} ({fault.close_code})"
        case error:
            return f"{who}: {error.strerror if isinstance(error, OSError) else error}"
