"""The query of a running gateway's status."""

import json
import os
import socket

import h11
import trio

from wsgateway.observe.shape import shaped
from wsgateway.observe.status import Status
from wsgateway.settings.basics import Address, UnixAddress

QUERY_SECONDS = 10.0
_READ_BYTES = 65536
_ANOTHER = "this is no gateway's admin address"


async def query_status(where: Address | UnixAddress) -> Status:
    """Return the status from the admin pages at an address. Raise OSError if no gateway answers there."""
    with trio.move_on_after(QUERY_SECONDS):
        try:
            async with await _connect(where) as stream:
                return await _fetch(stream)
        except (h11.RemoteProtocolError, trio.BrokenResourceError, ValueError):  # no status, or no JSON
            raise OSError(_ANOTHER) from None
    raise TimeoutError(f"no answer within {QUERY_SECONDS:g} s")


async def _connect(where: Address | UnixAddress) -> trio.abc.Stream:
    if isinstance(where, UnixAddress):
        return await trio.open_unix_socket(where.path)
    try:
        return await trio.open_tcp_stream(where.host, where.port)
    except socket.gaierror as error:
        raise OSError(error.strerror) from None  # its number is none of the system's
    except OSError as error:
        each = error.__cause__.exceptions if isinstance(error.__cause__, ExceptionGroup) else [error]
        # A name has several addresses, which mostly fail in the same way.
        numbers = list(dict.fromkeys(one.errno for one in each if isinstance(one, OSError) and one.errno))
        why = ", ".join(map(os.strerror, numbers)) or str(error)
        raise OSError(numbers[0] if len(numbers) == 1 else 0, why) from None


async def _fetch(stream: trio.abc.Stream) -> Status:
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target="/status", headers=[("Host", "localhost"), ("Connection", "close")])
    await stream.send_all((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    body = b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(_READ_BYTES)))
        elif isinstance(event, h11.Response) and event.status_code != 200:
            raise OSError(f"it answers {event.status_code}")
        elif isinstance(event, h11.Data):
            body += event.data
    return shaped(Status, json.loads(body))
