"""The page and the files and probes that it requests: what is served, and to whom."""

import json

import pytest
from websockets.trio.client import connect

from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS

from .fetching import fetch, send


@pytest.mark.parametrize(
    ("target", "kind"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/icon.svg", "image/svg+xml")],
)
async def test_the_page_is_served_and_may_load_nothing_from_elsewhere(demo: Demo, target: str, kind: str) -> None:
    response = await fetch(demo.page, target)
    assert response.status == 200
    assert response.headers["content-type"].partition(";")[0] == kind
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert b"GATEWAY_PORT" not in response.body
    assert b"https:" not in response.body


async def test_the_page_names_the_port_of_the_gateway(demo: Demo) -> None:
    response = await fetch(demo.page, "/")
    assert f'data-gateway-port="{demo.gateway.port}"'.encode() in response.body
    assert f"ws://127.0.0.1:{demo.gateway.port} " in response.headers["content-security-policy"]


async def test_head_is_the_head_of_get(demo: Demo) -> None:
    got, head = await fetch(demo.page, "/"), await fetch(demo.page, "/", "HEAD")
    assert head.body == b""
    assert (head.status, head.headers) == (got.status, got.headers)


async def test_the_dialects_are_those_of_the_library(demo: Demo) -> None:
    response = await fetch(demo.page, "/dialects")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == [{"name": each.name, "spoken_by": each.spoken_by} for each in DIALECTS.values()]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_probe_of_every_dialect_is_accepted_and_shown(demo: Demo, dialect: str) -> None:
    report = (await fetch(demo.page, f"/probe?dialect={dialect}")).json()
    assert (report["dialect"], report["accepted"], report["error"]) == (dialect, True, None)
    assert report["handshake_seconds"] > 0
    assert report["round_trip_seconds"] > 0
    assert report["lines"][0] == {"direction": ">", "text": "GET /echo HTTP/1.1", "meaning": ""}
    assert [line["direction"] for line in report["lines"] if line["meaning"].endswith("'hello'")] == [">", "<"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_client_of_every_dialect_can_be_made_to_say_something(demo: Demo, dialect: str) -> None:
    async with connect(f"ws://{demo.gateway}/chat", proxy=None) as member:
        response = await fetch(demo.page, f"/say?dialect={dialect}", "POST", Origin=f"http://{demo.page}")
        assert response.json()["error"] is None
        told = [json.loads(await member.recv()) for _ in range(4)]
    assert [each["type"] for each in told] == ["joined", "joined", "say", "left"]
    assert (told[2]["who"], told[2]["text"]) == (f"guest-2 ({dialect})", f"hello, I speak {dialect}")


@pytest.mark.parametrize("query", ["", "?", "?dialect=", "?dialect=hixie-99", "?dialect=hixie-75&dialect=hixie-76"])
async def test_a_probe_needs_one_known_dialect(demo: Demo, query: str) -> None:
    response = await fetch(demo.page, f"/probe{query}")
    assert response.status == 400
    assert b"hixie-75, hixie-76" in response.body


@pytest.mark.parametrize("target", ["/nothing", "/page.html", "/../program.py", "//", "/probe/"])
async def test_every_other_path_is_not_found(demo: Demo, target: str) -> None:
    assert (await fetch(demo.page, target)).status == 404


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/page.js", "GET, HEAD"),
        ("POST", "/dialects", "GET, HEAD"),
        ("POST", "/probe?dialect=hixie-76", "GET, HEAD"),
        ("GET", "/say?dialect=hixie-76", "POST"),
    ],
)
async def test_another_method_is_refused(demo: Demo, method: str, target: str, allowed: str) -> None:
    response = await fetch(demo.page, target, method)
    assert (response.status, response.headers["allow"]) == (405, allowed.lower())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost:x"])
async def test_a_name_of_somebody_else_that_leads_here_is_refused(demo: Demo, host: str) -> None:
    assert (await fetch(demo.page, "/", Host=host)).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8081", "::1"])
async def test_the_page_is_served_under_every_name_of_this_machine(demo: Demo, host: str) -> None:
    assert (await fetch(demo.page, "/", Host=host)).status == 200


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
    assert (await fetch(demo.page, "/say?dialect=hixie-76", "POST", **headers)).status == 403


async def test_another_sites_page_cannot_start_a_probe(demo: Demo) -> None:
    assert (await fetch(demo.page, "/probe?dialect=hixie-76", Sec_Fetch_Site="cross-site")).status == 403


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
    assert (await send(demo.page, request_)).status == status
