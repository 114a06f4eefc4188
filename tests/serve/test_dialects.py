"""The dialects that a route accepts, and the refusals of others."""

import pytest

from tests.dialects.families import COVERED, HIXIE, MORE, NAMES, WITH_VERSION, versions
from tests.heads import head_of, values
from tests.openings import BY_DIALECT, CHALLENGE, OPENINGS, RFC6455, Opening, opened
from tests.support import Running, Upstream, serving, serving_text


async def refused(gateway: Running, upstream: Upstream, opening: Opening, versions: list[str], accepted: str) -> None:
    """Check the refusal of a client of this dialect: the versions in it, if there are any, and the list of dialects."""
    client = await gateway.connect(opening.request)
    head = await client.head()
    status = 426 if versions else 400
    phrase = "426 Upgrade Required" if versions else "400 Bad Request"
    why = f"{opening.dialect} is not accepted here, only {accepted}"
    assert head.startswith(f"HTTP/1.1 {phrase}\r\n".encode())
    assert values(head, "sec-websocket-version") == versions
    assert values(head, "connection") == ["close"]
    assert await client.rest() == f"{phrase}: dialect-refused\n".encode()
    line = await gateway.lines.line("refused", client=client.name)
    assert (line["level"], line["status"], line["route"]) == ("info", status, "all")
    assert (line["dialect"], line["why"]) == (opening.dialect, why)
    assert upstream.nobody_came()


@pytest.mark.parametrize("accepted", NAMES)
async def test_a_route_for_one_dialect_refuses_all_others(accepted: str) -> None:
    # RFC 6455, 4.4: a client that has sent a version gets the accepted ones. Other clients have no such answer.
    would_do = [versions(accepted)] if accepted in WITH_VERSION else []
    async with Upstream() as upstream, serving(upstream.port, route=f"dialects: [{accepted}]") as gateway:
        for opening in OPENINGS:
            if opening.dialect == accepted:
                session = await opened(upstream, gateway, opening)
                await session.works()
            else:
                told = would_do if opening.dialect in WITH_VERSION else []
                await refused(gateway, upstream, opening, told, accepted)


# The configuration, the accepted dialects, and the versions in the refusal.
LISTS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "[hixie-75, hixie-76]": (HIXIE, []),
    "[hixie-75..76]": (HIXIE, []),
    "[hybi-01..08, rfc6455]": ((*MORE, *COVERED, "hybi-07", "hybi-08", "rfc6455"), ["13, 8, 7, 6, 5, 4"]),
    "[rfc6455, hybi-07..08]": (("hybi-07", "hybi-08", "rfc6455"), ["13, 8, 7"]),
    "[hybi-02..03]": (("hybi-02", "hybi-03"), []),
    "[hybi-06, hixie-76]": (("hixie-76", "hybi-06"), ["6"]),
}


@pytest.mark.parametrize(("allowed", "expected"), LISTS.items(), ids=LISTS)
async def test_a_list_of_dialects_may_have_ranges_and_any_order(
    allowed: str, expected: tuple[tuple[str, ...], list[str]]
) -> None:
    accepted, named = expected
    async with Upstream() as upstream, serving(upstream.port, route=f"dialects: {allowed}") as gateway:
        for opening in OPENINGS:
            if opening.dialect in accepted:
                await opened(upstream, gateway, opening)
            else:
                told = named if opening.dialect in WITH_VERSION else []
                await refused(gateway, upstream, opening, told, ", ".join(accepted))


async def test_a_client_that_is_refused_for_its_version_gets_exactly_this() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="dialects: [hybi-08, rfc6455]") as gateway:
        client = await gateway.connect(BY_DIALECT["hybi-07"].request)
        assert await client.rest() == (
            b"HTTP/1.1 426 Upgrade Required\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 38\r\n"
            b"Upgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13, 8\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b"426 Upgrade Required: dialect-refused\n"
        )


async def test_bytes_after_the_head_of_a_refused_hixie_76_client_reach_no_upstream() -> None:
    pipelined = b"GET /admin HTTP/1.1\r\nHost: example.com\r\n\r\n"
    async with Upstream() as upstream, serving(upstream.port, route="dialects: [rfc6455]") as gateway:
        client = await gateway.connect(BY_DIALECT["hixie-76"].head + CHALLENGE + pipelined)
        assert (await client.rest()).count(b"HTTP/1.1 ") == 1
        assert upstream.nobody_came()


async def test_an_unknown_version_is_refused_before_any_route() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="dialects: [hixie-75]") as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455[:-1], "Sec-WebSocket-Version: 9"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 426 ")
        assert values(head, "sec-websocket-version") == [versions(*NAMES)]
        assert "route" not in await gateway.lines.line("refused")


ROUTES = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
defaults: {{dialects: [rfc6455]}}
routes:
  - {{name: old, match: {{path: {{prefix: /old}}}}, upstream: behind, dialects: [{old}]}}
  - {{name: new, match: {{path: {{prefix: /}}}}, upstream: behind}}
upstreams: {{behind: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}}}
"""


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_each_route_has_its_own_list_and_the_defaults_are_for_those_that_have_none(opening: Opening) -> None:
    _, path, _ = opening.head.split(b" ", 2)
    old = ", ".join(name for name in NAMES if name != "rfc6455")
    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port, old=old)) as gateway:
        for prefix, modern in (b"/old", False), (b"/new", True):
            client = await gateway.connect(opening.request.replace(path, prefix + path, 1))
            if (opening.dialect == "rfc6455") is modern:
                await upstream.agree()
                assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            else:
                assert (await client.head()).startswith(b"HTTP/1.1 4")
                line = await gateway.lines.line("refused")
                assert line["route"] == prefix[1:].decode()
        assert upstream.nobody_came()
