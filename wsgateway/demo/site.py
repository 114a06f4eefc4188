"""The demo's page, and the requests that it makes.

    GET /, /page.css, /page.js, /icon.svg     the page
    GET /dialects                             the dialects and who spoke them
    GET /probe?dialect=NAME                   a client of that dialect sends a text to /echo: its transcript
    POST /say?dialect=NAME                    the same client sends a text to /chat

Only browsers on this machine are served, and only the page itself may start probes: another Host may be the name of
another site that leads here (DNS rebinding), and pages of other sites can send requests, too.
"""

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from urllib.parse import parse_qs

import trio

from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.observe.http_server import HttpConnection, Reply, accept, refusal
from wsgateway.observe.log import Log
from wsgateway.probe.client import ProbeRequest, probe
from wsgateway.probe.transcript import Line
from wsgateway.settings.basics import Address
from wsgateway.wire.heads import Headers, Request

PAGE_CONNECTIONS = 64
PROBE_SECONDS = 5.0
PROBE_TEXT = "hello"

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

    def __init__(self, gateway: Address, log: Log) -> None:
        self._gateway = gateway
        self._log = log
        self._pages = {path: _page(name, kind, gateway) for path, (name, kind) in _FILES.items()}
        self._headers = (
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _content_security_policy(gateway.port)),
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
        client = HttpConnection(sock)
        try:
            request = await client.request()
            if request is None:
                return
            reply = await self._reply(request)
        except HttpRefusal as error:
            reply = refusal(error)
        await client.reply(Reply(reply.body, reply.content_type, reply.status, (*reply.headers, *self._headers)))

    async def _reply(self, request: Request) -> Reply:
        """Return the reply to a request. Raise HttpRefusal if it is refused."""
        _check_host(request.headers)
        path, _, query = request.target.partition("?")
        match path:
            case "/dialects":
                _check_method(request, "GET", "HEAD")
                return _json([{"name": each.name, "spoken_by": each.spoken_by} for each in DIALECTS.values()])
            case "/probe":
                _check_method(request, "GET", "HEAD")
                _check_same_site(request.headers)
                return await self._probe("/echo", _dialect(query), PROBE_TEXT)
            case "/say":
                _check_method(request, "POST")
                _check_same_site(request.headers)
                _check_origin(request.headers)
                dialect = _dialect(query)
                return await self._probe("/chat", dialect, f"hello, I speak {dialect.name}")
        page = self._pages.get(path)
        if page is None:
            raise HttpRefusal(Reason.ROUTE_MISSING, "there is no such page")
        _check_method(request, "GET", "HEAD")
        return page

    async def _probe(self, path: str, dialect: Dialect, text: str) -> Reply:
        lines: list[Line] = []
        question = ProbeRequest(f"ws://{self._gateway}{path}", dialect, text, seconds=PROBE_SECONDS)
        report = await probe(question, lines.append)
        return _json({**asdict(report), "lines": [asdict(line) for line in lines]})


def _page(name: str, kind: str, gateway: Address) -> Reply:
    """Return a file of this folder, in which GATEWAY_PORT is replaced by the gateway's port."""
    content = files("wsgateway.demo").joinpath(name).read_bytes()
    return Reply(content.replace(b"GATEWAY_PORT", str(gateway.port).encode()), kind)


def _content_security_policy(gateway_port: int) -> str:
    """Allow only the page's own files, and the gateway, whose port 'self' does not cover. Sources have no IPv6."""
    directives: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' ws://127.0.0.1:{gateway_port} ws://localhost:{gateway_port}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _check_host(headers: Headers) -> None:
    if _LOOPBACK.fullmatch(headers.one("Host") or "") is None:
        raise HttpRefusal(Reason.ROUTE_MISSING, "this page is for 127.0.0.1 and localhost alone", status=421)


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
    names = parse_qs(query).get("dialect", [])
    if len(names) != 1 or names[0] not in DIALECTS:
        raise HttpRefusal(Reason.REQUEST_MALFORMED, f"needs ?dialect= and one of {', '.join(DIALECTS)}")
    return DIALECTS[names[0]]


def _json(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), _JSON)
