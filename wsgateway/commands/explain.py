"""The command `explain`."""

import argparse
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.options import DEFAULT_DIALECT, DIALECT_NAMES, add_offer, named
from wsgateway.dialects import DIALECTS, Headers, Request
from wsgateway.policy.checks import ClientFacts
from wsgateway.policy.explain import allowed, explain
from wsgateway.policy.routes import route_query
from wsgateway.settings.findings import guess
from wsgateway.settings.load import load


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print which route a request would take, the results of the route's admission checks, and the upstream. Exit"
        " status 0: the request would reach the upstream."
    )
    parser.add_argument("file", type=named, metavar="FILE", help="the configuration file, YAML")
    parser.add_argument(
        "url", metavar="URL", type=_url, help="the URL of the request: ws://HOST[:PORT][/PATH], or http://"
    )
    parser.add_argument(
        "--dialect",
        choices=list(DIALECTS),
        default=DEFAULT_DIALECT,
        metavar="D",
        help=f"the dialect of the client; {DIALECT_NAMES}",
    )
    add_offer(parser, "no Origin")
    parser.add_argument("--listener", metavar="NAME", help="the listener; default: the first in the file")
    parser.set_defaults(command=_explain)


def _url(text: str) -> SplitResult:
    with suppress(ValueError):
        url = urlsplit(text)
        if url.scheme in ("ws", "wss", "http", "https") and url.hostname and url.port != 0:
            return url
    form = "ws://HOST[:PORT][/PATH], or wss://, http:// or https://"
    raise argparse.ArgumentTypeError(f"{text!r} is not an address of the form {form}; PORT is from 1 to 65535")


def _explain(options: argparse.Namespace) -> int:
    settings, url = load(options.file), options.url
    names = [listener.name for listener in settings.listeners]
    listener = options.listener or names[0]
    if listener not in names:
        options.usage.error(f"{listener!r} is not a listener; {guess(listener, names)}")
    protocols = [("Sec-WebSocket-Protocol", ", ".join(options.subprotocol))] if options.subprotocol else []
    upgrade = [("Upgrade", "websocket")] if url.scheme in ("ws", "wss") else []
    headers = Headers([*options.header, *protocols, *upgrade])
    query = route_query(Request(url.path or "/", headers), listener, url.netloc.rpartition("@")[2])
    facts = ClientFacts(DIALECTS[options.dialect], options.origin)
    print(*explain(settings, query, facts), sep="\n")
    return GOOD if allowed(settings, query, facts) else FAULT
