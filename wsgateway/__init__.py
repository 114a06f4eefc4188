"""Let every WebSocket client ever made talk to a modern backend.

For programs there are two things: `wsgateway.Gateway` serves a configuration inside a program of Trio, and
`wsgateway.dialects` has every dialect as a library, without input or output. SettingsError says what is wrong with a
configuration.

How a byte travels, from the client to the backend:

    serve       accepts a client, reads its request, opens a session for it and closes that at the end
    dialects    recognise what the client speaks; each is a handshake and a framing, and has one file
    policy      finds the route
    upstream    chooses a target of the route's upstream, connects to it, and shakes hands in its dialect
    relay       moves the bytes of all sessions: `translate` turns frames of one dialect into those of another
    wire        what all dialects are made of: events, heads, masks, text, close codes
    net         one socket

and around it:

    settings    the YAML file, checked
    run         the supervisor and its workers: listener sockets, reload, drain, hot restart, systemd; and `Gateway`
    observe     the log, the counters, and the admin pages: status, health, metrics
    probe       a client of every dialect
    demo, cli

`wire`, `dialects` and most of `relay` are pure: bytes in, bytes out, no input or output.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from wsgateway.version import __version__

if TYPE_CHECKING:
    from wsgateway import dialects as dialects
    from wsgateway.errors import SettingsError as SettingsError
    from wsgateway.run.gateway import Gateway as Gateway

__all__ = ["Gateway", "SettingsError", "__version__", "dialects"]

# Imported when it is used first: `wsgateway.dialects` needs no Trio, and a command that prints its version nothing.
_MODULES = {"Gateway": "wsgateway.run.gateway", "SettingsError": "wsgateway.errors"}

if not TYPE_CHECKING:  # a type checker would take any name for one that exists

    def __getattr__(name: str) -> object:
        if name == "dialects":
            return import_module("wsgateway.dialects")
        if name in _MODULES:
            return getattr(import_module(_MODULES[name]), name)
        raise AttributeError(f"module 'wsgateway' has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
