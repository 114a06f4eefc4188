"""The demo's page, and the requests that it makes.

    GET /, /page.css, /page.js, /icon.svg     the page
    GET /dialects                             the dialects and who spoke them
    GET /probe?dialect=NAME&way=WAY           a client of that dialect sends a text to /echo, through the `gateway` or
                                              `directly` to the server: its transcript
    POST /say?dialect=NAME                    the same client sends a text to /chat, through the gateway
    GET /wsgateway.yaml?url=URL               the configuration of a gateway for a server of the user

Only browsers on this machine are served, and only the page itself may start probes: another Host may be the name of
another site that leads here (DNS rebinding), and pages of other sites can send requests, too.
"""

import json
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict
from importlib.resources import files
from urllib.parse import parse_qs

import trio

from wsgateway.demo import LOOPBACK
from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.observe.http_server import TEXT, HttpConnection, Reply, accept, refusal
from wsgateway.observe.log import Log
from wsgateway.probe.client import ProbeRequest, probe
from wsgateway.settings.addresses import websocket_url
from wsgateway.settings.basics import Address
from wsgateway.settings.example import minimal_example
from wsgateway.trace.transcript import Line
from wsgateway.wire.heads import Headers, Request

PAGE_CONNECTIONS = 64
PROBE_SECONDS = 5.0
PROBE_TEXT = "hello"
# Where the gateway of the configuration listens: the demo has port 8080.
OWN_GATEWAY = "127.0.0.1:8090"

_JSON = "application/json"
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)


class Site:
    """The server of the page."""

    def __init__(self, gateway: Address, server: Address, opened: Callable[[str], Awaitable[None]], log: Log) -> None:
        """Take the addresses of the gateway and the server behind it, and what is called before the page is sent.

        That gets the host and port under which a browser has asked for the page.
        """
        self._ways = {"gateway": gateway, "directly": server}
        self._opened = opened
        self._log = log
        self._pages = {path: _page(name, kind, gateway) for path, (name, kind) in _FILES.items()}
        self._headers = (
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        )

    async def serve(self, listener: socket.socket) -> None:
        """Serve on a socket that listens, until it is cancelled."""
        async with trio.open_nursery() as nursery:
            await accept(listener, self._serve_client, trio.Semaphore(PAGE_CONNECTIONS), nursery, self._log)

    async def _serve_client(self, sock: socket.socket) -> None:
        client, host = HttpConnection(sock), LOOPBACK
        try:
            request = await client.request()
            if request is None:
                return
            host = _host(request.headers)
            reply = await self._reply(request, host)
        except HttpRefusal as error:
            reply = refusal(error)
        policy = ("Content-Security-Policy", _content_security_policy(host))
        headers = (*reply.headers, policy, *self._headers)
        await client.reply(Reply(reply.body, reply.content_type, reply.status, headers))

    async def _reply(self, request: Request, host: str) -> Reply:
        """Return the reply to a request. Raise HttpRefusal if it is refused."""
        path, _, query = request.target.partition("?")
        match path:
            case "/dialects":
                _check_method(request, "GET", "HEAD")
                return _json([{"name": each.name, "spoken_by": each.spoken_by} for each in DIALECTS.values()])
            case "/probe":
                _check_method(request, "GET", "HEAD")
                _check_same_site(request.headers)
                return await self._probe("/echo", _chosen(query, "way", self._ways), _dialect(query), PROBE_TEXT)
            case "/say":
                _check_method(request, "POST")
                _check_same_site(request.headers)
                _check_origin(request.headers)
                dialect = _dialect(query)
                return await self._probe("/chat", "gateway", dialect, f"hello, I speak {dialect.name}")
            case "/wsgateway.yaml":
                _check_method(request, "GET", "HEAD")
                return _configuration(query)
        page = self._pages.get(path)
        if page is None:
            raise HttpRefusal(Reason.ROUTE_MISSING, "there is no such page")
        _check_method(request, "GET", "HEAD")
        if path == "/":
            await self._opened(host)
        return page

    async def _probe(self, path: str, way: str, dialect: Dialect, text: str) -> Reply:
        lines: list[Line] = []
        question = ProbeRequest(f"ws://{self._ways[way]}{path}", dialect, text, seconds=PROBE_SECONDS)
        report = await probe(question, lines.append)
        return _json({**asdict(report), "result": report.result, "lines": [asdict(line) for line in lines]})


def _page(name: str, kind: str, gateway: Address) -> Reply:
    """Return a file of this folder, in which GATEWAY_ADDRESS and OWN_ADDRESS are replaced."""
    content = files("wsgateway.demo").joinpath(name).read_bytes()
    for word, address in ((b"OWN_ADDRESS", OWN_GATEWAY), (b"GATEWAY_ADDRESS", str(gateway))):
        content = content.replace(word, address.encode())
    return Reply(content, kind)


def _content_security_policy(host: str) -> str:
    """Allow only the page's own files and its gateway, at this host and port.

    Some browsers do not take WebSocket for 'self'. Sources have no IPv6.
    """
    directives: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'" if "[" in host else f"'self' ws://{host}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _host(headers: Headers) -> str:
    """Return the host and port under which a browser of this machine asks. Raise HttpRefusal for any other."""
    found = _LOOPBACK.fullmatch(headers.one("Host") or "")
    if found is None:
        raise HttpRefusal(Reason.ROUTE_MISSING, "this page is for 127.0.0.1 and localhost alone", status=421)
    return found[0].lower()


def _check_method(request: Request, *allowed: str) -> None:
    if request.method not in allowed:
        possible = ", ".join(allowed)
        raise HttpRefusal(
            Reason.REQUEST_UNSUPPORTED,
            f"{request.method} is not possible here, {possible} is",
            (("Allow", possible),),
            405,
        )


def _check_same_site(headers: Headers) -> None:
    """Refuse a request that a page of another site has caused. Clients that are no browsers do not send this header."""
    if headers.one("Sec-Fetch-Site") not in (None, "none", "same-origin"):
        raise HttpRefusal(Reason.ORIGIN_REFUSED, "only the demo's own page may ask for this")


def _check_origin(headers: Headers) -> None:
    """Refuse a POST that the page itself has not sent. Every browser sends an Origin with it."""
    if headers.one("Origin") != f"http://{headers.one('Host')}":
        raise HttpRefusal(Reason.ORIGIN_REFUSED, "only the demo's own page may ask for this")


def _dialect(query: str) -> Dialect:
    return DIALECTS[_chosen(query, "dialect", DIALECTS)]


def _chosen(query: str, name: str, known: Iterable[str]) -> str:
    """Return a parameter that is one of these words. Raise HttpRefusal."""
    given = parse_qs(query).get(name, [])
    if len(given) != 1 or given[0] not in known:
        raise HttpRefusal(Reason.REQUEST_MALFORMED, f"needs ?{name}= and one of {', '.join(known)}")
    return given[0]


def _configuration(query: str) -> Reply:
    """Return a configuration for a server of the user. Raise HttpRefusal if its address is none."""
    try:
        url = websocket_url("".join(parse_qs(query).get("url", []))).text
    except ValueError as error:
        raise HttpRefusal(Reason.REQUEST_MALFORMED, str(error)) from None
    download = ("Content-Disposition", 'attachment; filename="wsgateway.yaml"')
    return Reply(minimal_example(OWN_GATEWAY, url).encode(), TEXT, headers=(download,))


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), _JSON)
