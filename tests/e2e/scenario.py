"""The scenarios of peers/scenario.js once more, for a client in Python.

A client plays one of three scenarios and returns what it has seen, as JSON would have it:

    all       errors [texts], close {code, reason}
    echo      echoes {name of the message: "same" or the difference}, burst [texts]
    close     messages [texts]
    headers   request {path, headers [[name, value], ...]}, as the upstream saw it
"""

import json
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

Seen = dict[str, Any]

SIZES = (125, 126, 65535, 65536, 1024 * 1024)
BURST = [f"burst {number}" for number in range(200)]
LAST_WORDS = "last words"
RECEIVE_SECONDS = 10.0

TEXTS = {
    "empty text": "",
    "short text": "Hello",
    "text with a NUL": "a\0b",
    "text of €😀": "€😀",
    # 7 bytes each: wherever this is cut, it is cut inside a character sooner or later.
    "long text of €😀": "€😀" * 9362,
    **{f"text of {size} bytes": "".join(chr(0x20 + (i * 31 + (i >> 8)) % 95) for i in range(size)) for size in SIZES},
}
BINARIES = {
    "empty binary": b"",
    **{f"binary of {size} bytes": bytes((i * 31 + (i >> 8)) & 0xFF for i in range(size)) for size in SIZES},
}


def play(scenario: str, connection: ClientConnection) -> Seen:
    """Play a scenario on an open connection, to its end."""
    seen: Seen = {"errors": []}
    try:
        match scenario:
            case "echo":
                seen |= _echo(connection)
            case "close":
                connection.send(LAST_WORDS)
                seen["messages"] = list(connection)
            case "headers":
                seen["request"] = json.loads(connection.recv(RECEIVE_SECONDS))
            case _:
                raise AssertionError(f"no scenario is called {scenario!r}")
        connection.close(1000, "done")
    except (ConnectionClosed, TimeoutError) as error:
        seen["errors"].append(repr(error))
    seen["close"] = {"code": connection.close_code, "reason": connection.close_reason}
    return seen


def _echo(connection: ClientConnection) -> Seen:
    echoes = {}
    for name, message in (TEXTS | BINARIES).items():
        connection.send(message)
        received = connection.recv(RECEIVE_SECONDS)
        echoes[name] = "same" if received == message else f"{len(message)} went, {len(received)} came back"
    for text in BURST:
        connection.send(text)
    return {"echoes": echoes, "burst": [connection.recv(RECEIVE_SECONDS) for _ in BURST]}
