"""The limit for the head of an answer: by default, by the settings of its upstream, and by those of a listener."""

import pytest
from h2.events import ResponseReceived

from tests.heads import fields, head_of, switching
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.serve.exchanging import HTTP_GET
from tests.serve.http2 import GET, Client, listener
from tests.support import Upstream, serving_text

from .targets import several

MODERN = BY_DIALECT["rfc6455"].request
LARGE_LISTENER = "limits: {head_size: 100KiB, headers: 400},"
EVEN_LARGER = "limits: {head_size: 120KiB, headers: 500}"
SMALL = "limits: {head_size: 2KiB, headers: 10}"

KINDS = ("101", "302", "plain")


def answer_to(request: bytes, kind: str, *headers: str) -> bytes:
    if kind == "101":
        return switching(request, *headers)
    return head_of("HTTP/1.1 302 Found", "Content-Length: 0", *headers)


def of_size(size: int) -> list[str]:
    """Return cookies that make a head at least this large, and at most 3 KiB larger."""
    return [f"Set-Cookie: s{at}={'c' * 990}" for at in range(size // 1000 + 1)]


def so_many(count: int) -> list[str]:
    return [f"X-{at}: y" for at in range(count)]


HEADS = {
    # The headers of the answer; the limits of the listener and the upstream; whether the head is too large.
    "24 KiB": (of_size(24_000), "", "", False),
    "64 KiB and more": (of_size(66_000), "", "", True),
    "120 headers": (so_many(120), "", "", False),
    "201 headers": (so_many(201), "", "", True),
    "as large as a listener takes": (of_size(90_000), LARGE_LISTENER, "", False),
    "larger than a listener takes": (of_size(105_000), LARGE_LISTENER, "", True),
    "as many headers as a listener takes": (so_many(390), LARGE_LISTENER, "", False),
    "more headers than a listener takes": (so_many(401), LARGE_LISTENER, "", True),
    "as large as an upstream may": (of_size(110_000), LARGE_LISTENER, EVEN_LARGER, False),
    "as many headers as an upstream may": (so_many(490), "", EVEN_LARGER, False),
    "larger than an upstream may": (of_size(3_000), LARGE_LISTENER, SMALL, True),
    "more headers than an upstream may": (so_many(11), "", SMALL, True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("headers", "client", "bounds", "too_much"), HEADS.values(), ids=HEADS)
async def test_a_head_within_the_bounds_reaches_the_client(
    headers: list[str], client: str, bounds: str, too_much: bool, kind: str
) -> None:
    async with Upstream() as upstream:
        text = several(upstream.port, more=bounds).replace("name: public,", f"name: public, {client}")
        async with serving_text(text) as gateway:
            peer = await gateway.connect(HTTP_GET if kind == "plain" else MODERN)
            behind = await upstream.accept()
            await behind.send(answer_to(await behind.head(), kind, *headers))
            head = await peer.head()
            if too_much:
                assert head.startswith(b"HTTP/1.1 502 ")
            else:
                assert head.startswith(b"HTTP/1.1 101 " if kind == "101" else b"HTTP/1.1 302 ")
                sent = {tuple(each.split(": ")) for each in headers}
                assert {(name.lower(), value) for name, value in sent} <= set(fields(head))


async def test_a_large_head_reaches_a_client_of_http_2(authority: Authority) -> None:
    headers = of_size(300_000)
    certificate = listener(authority.issue("localhost"))
    async with Upstream() as upstream:
        text = several(upstream.port, more="limits: {head_size: 400KiB, headers: 400}")
        async with serving_text(text.replace("name: public,", f"name: public, {certificate},")) as gateway:
            client = await Client.connect(gateway, authority)
            client.h2.decoder.max_header_list_size = 1 << 20
            number = await client.ask(GET)
            behind = await upstream.accept()
            await behind.send(answer_to(await behind.head(), "302", *headers))
            answer = await client.event(ResponseReceived, number)
            assert sum(str(name) == "set-cookie" for name, _ in answer.headers or ()) == len(headers)
