"""The page and the files and probes that it requests: what is served, and to whom."""

import json
from urllib.parse import quote

import pytest
from websockets import Origin
from websockets.exceptions import InvalidStatus
from websockets.trio.client import connect

from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS
from wsgateway.settings.load import parse

from .fetching import fetch, send


@pytest.mark.parametrize(
    ("target", "kind"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/icon.svg", "image/svg+xml")],
)
async def test_the_page_is_served_and_may_load_nothing_from_elsewhere(demo: Demo, target: str, kind: str) -> None:
    response = await fetch(demo.site, target)
    assert response.status == 200
    assert response.headers["content-type"].partition(";")[0] == kind
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert b"_ADDRESS" not in response.body
    assert b"https:" not in response.body


async def test_the_page_names_the_address_of_the_gateway_and_may_connect_to_its_own_host(demo: Demo) -> None:
    response = await fetch(demo.site, "/", Host="localhost:1234")
    assert f"<span>{demo.gateway}</span>".encode() in response.body
    assert "; connect-src 'self' ws://localhost:1234;" in response.headers["content-security-policy"]
    response = await fetch(demo.site, "/", Host="[::1]:1234")
    assert "; connect-src 'self';" in response.headers["content-security-policy"]


async def test_the_page_is_behind_the_port_of_the_gateway(demo: Demo) -> None:
    response = await fetch(demo.gateway, "/")
    assert response.status == 200
    assert f"ws://{demo.gateway};" in response.headers["content-security-policy"]
    assert (await fetch(demo.gateway, "/", Host="evil.example")).status == 421


async def connects(demo: Demo, origin: str) -> bool:
    try:
        async with connect(f"ws://{demo.gateway}/chat", origin=Origin(origin), proxy=None):
            return True
    except InvalidStatus:
        return False


async def test_the_page_may_be_open_at_the_other_end_of_a_tunnel_and_no_other_page_may_connect(demo: Demo) -> None:
    assert await connects(demo, f"http://{demo.gateway}")
    assert await connects(demo, f"http://localhost:{demo.gateway.port}")
    assert not await connects(demo, "http://localhost:1234")
    assert (await fetch(demo.gateway, "/", Host="evil.example")).status == 421
    assert (await fetch(demo.gateway, "/", Host="localhost:1234")).status == 200
    assert await connects(demo, "http://localhost:1234")
    assert not await connects(demo, "http://evil.example")
    for port in range(2000, 2020):
        await fetch(demo.site, "/", Host=f"localhost:{port}")
    assert await connects(demo, "http://localhost:2000")
    assert not await connects(demo, "http://localhost:2019")  # the names that it remembers are limited


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9000", "wss://chat.example"])
async def test_the_configuration_for_a_server_of_the_user_is_one_that_runs(demo: Demo, url: str) -> None:
    response = await fetch(demo.site, f"/wsgateway.yaml?url={quote(url)}")
    assert (response.status, response.headers["content-disposition"]) == (200, 'attachment; filename="wsgateway.yaml"')
    settings = parse(response.body.decode(), "wsgateway.yaml")
    assert [str(bind) for listener in settings.listeners for bind in listener.bind] == ["127.0.0.1:8090"]
    assert [str(target.url) for each in settings.upstreams.values() for target in each.targets] == [url]
    assert b"wsgateway probe ws://127.0.0.1:8090/ --all" in (await fetch(demo.site, "/")).body


@pytest.mark.parametrize("url", ["", "http://a", "ws://a/path", "ws://a\nworkers: 9", 'ws://a"', "ws://${HOME}"])
async def test_an_address_that_no_gateway_takes_is_refused_with_the_reason(demo: Demo, url: str) -> None:
    response = await fetch(demo.site, f"/wsgateway.yaml?url={quote(url)}")
    assert response.status == 400
    assert b"ws://" in response.body


async def test_head_is_the_head_of_get(demo: Demo) -> None:
    got, head = await fetch(demo.site, "/"), await fetch(demo.site, "/", "HEAD")
    assert head.body == b""
    assert (head.status, head.headers) == (got.status, got.headers)


async def test_the_dialects_are_those_of_the_library(demo: Demo) -> None:
    response = await fetch(demo.site, "/dialects")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == [{"name": each.name, "spoken_by": each.spoken_by} for each in DIALECTS.values()]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_probe_of_every_dialect_is_accepted_and_shown(demo: Demo, dialect: str) -> None:
    report = (await fetch(demo.site, f"/probe?dialect={dialect}&way=gateway")).json()
    assert (report["dialect"], report["accepted"], report["error"]) == (dialect, True, None)
    assert report["handshake_seconds"] > 0
    assert report["round_trip_seconds"] > 0
    assert report["lines"][0] == {"direction": ">", "text": "GET /echo HTTP/1.1", "meaning": ""}
    assert [line["direction"] for line in report["lines"] if line["meaning"].endswith("'hello'")] == [">", "<"]


async def test_the_same_server_refuses_most_dialects_directly(demo: Demo) -> None:
    results = {}
    for dialect in DIALECTS:
        report = (await fetch(demo.site, f"/probe?dialect={dialect}&way=directly")).json()
        assert report["lines"][0] == {"direction": ">", "text": "GET /echo HTTP/1.1", "meaning": ""}
        results[dialect] = report["result"]
    assert results == dict.fromkeys(DIALECTS, "refused") | {"hybi-08": "accepted", "rfc6455": "accepted"}


@pytest.mark.parametrize("way", ["", "&way=", "&way=both", "&way=gateway&way=directly"])
async def test_a_probe_needs_one_known_way(demo: Demo, way: str) -> None:
    response = await fetch(demo.site, f"/probe?dialect=hixie-76{way}")
    assert response.status == 400
    assert b"gateway, directly" in response.body


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_client_of_every_dialect_can_be_made_to_say_something(demo: Demo, dialect: str) -> None:
    async with connect(f"ws://{demo.gateway}/chat", proxy=None) as member:
        response = await fetch(demo.site, f"/say?dialect={dialect}", "POST", Origin=f"http://{demo.site}")
        assert response.json()["error"] is None
        told = [json.loads(await member.recv()) for _ in range(4)]
    assert [each["type"] for each in told] == ["joined", "joined", "say", "left"]
    assert (told[2]["who"], told[2]["text"]) == (f"guest-2 ({dialect})", f"hello, I speak {dialect}")


@pytest.mark.parametrize("query", ["", "?", "?dialect=", "?dialect=hixie-99", "?dialect=hixie-75&dialect=hixie-76"])
async def test_a_probe_needs_one_known_dialect(demo: Demo, query: str) -> None:
    response = await fetch(demo.site, f"/probe{query}{'&' if '?' in query else '?'}way=gateway")
    assert response.status == 400
    assert b"hixie-75, hixie-76" in response.body


@pytest.mark.parametrize("target", ["/nothing", "/page.html", "/../program.py", "//", "/probe/"])
async def test_every_other_path_is_not_found(demo: Demo, target: str) -> None:
    assert (await fetch(demo.site, target)).status == 404


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/page.js", "GET, HEAD"),
        ("POST", "/dialects", "GET, HEAD"),
        ("POST", "/probe?dialect=hixie-76&way=gateway", "GET, HEAD"),
        ("GET", "/say?dialect=hixie-76", "POST"),
    ],
)
async def test_another_method_is_refused(demo: Demo, method: str, target: str, allowed: str) -> None:
    response = await fetch(demo.site, target, method)
    assert (response.status, response.headers["allow"]) == (405, allowed.lower())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost:x"])
async def test_a_name_of_somebody_else_that_leads_here_is_refused(demo: Demo, host: str) -> None:
    assert (await fetch(demo.site, "/", Host=host)).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8081", "::1"])
async def test_the_page_is_served_under_every_name_of_this_machine(demo: Demo, host: str) -> None:
    assert (await fetch(demo.site, "/", Host=host)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:1", "Host": "localhost:1", "Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_a_page_of_another_site_cannot_make_the_demo_send(demo: Demo, headers: dict[str, str]) -> None:
    assert (await fetch(demo.site, "/say?dialect=hixie-76", "POST", **headers)).status == 403


async def test_another_sites_page_cannot_start_a_probe(demo: Demo) -> None:
    assert (await fetch(demo.site, "/probe?dialect=hixie-76&way=gateway", Sec_Fetch_Site="cross-site")).status == 403


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 16384 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01 hello", 400),
    ],
    ids=["too large", "no Host", "no HTTP"],
)
async def test_a_broken_request_gets_its_status(demo: Demo, request_: bytes, status: int) -> None:
    assert (await send(demo.site, request_)).status == status
