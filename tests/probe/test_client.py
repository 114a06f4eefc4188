"""Probes of each dialect: through the gateway, and of a server that others wrote."""

import re

import pytest
import trio

from tests.backends import prefer_sample, websockets_server
from tests.dialects.families import NAMES, RFC, TWO_KEYS
from tests.heads import switching
from tests.support import Upstream, serving
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import ProbeRequest

from .probing import HELLO, PINGLESS, ask, behind_the_handshake, written

RFC6455 = DIALECTS["rfc6455"]
MILLISECONDS = re.compile(r"\d+\.\d ms")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_probe_of_each_dialect_gets_its_echo_through_the_gateway(dialect: str) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{gateway.port}/x?a=1", DIALECTS[dialect], "Hello"))

        assert written(lines[0]) == "> GET /x?a=1 HTTP/1.1"
        assert behind_the_handshake(dialect, lines) == HELLO[dialect]
        assert MILLISECONDS.sub("# ms", str(report)) == (
            f"{dialect}: accepted, handshake # ms, round trip # ms, closed by both"
        )
        assert (report.accepted, report.status, report.subprotocol, report.error) == (True, None, None, None)
        assert (await gateway.lines.line("session"))["dialect"] == dialect


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_without_a_text_the_round_trip_of_a_ping_is_measured_where_there_are_pings(dialect: str) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{gateway.port}/", DIALECTS[dialect]))
    assert (report.closed, report.error) == ("closed by both", None)
    talk = behind_the_handshake(dialect, lines)
    if dialect in PINGLESS:
        assert report.round_trip_seconds is None
        # Nothing but goodbyes.
        assert talk == HELLO[dialect][6:]
        return
    assert report.round_trip_seconds is not None
    payloads = [line.partition(" | ")[2] for line in talk if "payload: 'wsgateway'" in line]
    assert payloads == ["payload: 'wsgateway'", "payload: 'wsgateway'"]
    assert next(line for line in talk if ": ping" in line).startswith(">")
    assert next(line for line in talk if ": pong" in line).startswith("<")


async def test_a_ping_is_shown_with_its_pong() -> None:
    async with websockets_server() as port:
        _, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{port}/", RFC6455))
    assert behind_the_handshake("rfc6455", lines)[:7] == [
        "> 89 | FIN, opcode 9: ping",
        "> 89 | MASK, length 9",
        "> xx xx xx xx | the key of the mask",
        "> xx xx xx xx xx xx xx xx xx | payload: 'wsgateway'",
        "< 8a | FIN, opcode A: pong",
        "< 09 | length 9",
        "< 77 73 67 61 74 65 77 61 79 | payload: 'wsgateway'",
    ]


@pytest.mark.parametrize("text", ["", "h\u00e9", "x" * 126, "x" * 70000], ids=["none", "two bytes", "126", "70000"])
@pytest.mark.parametrize("dialect", ["hixie-76", "hybi-03", "hybi-04", "rfc6455"])
async def test_a_message_of_any_length_is_sent_and_answered(dialect: str, text: str) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        report, _ = await ask(ProbeRequest(f"ws://127.0.0.1:{gateway.port}/", DIALECTS[dialect], text))
    assert (report.closed, report.error) == ("closed by both", None)
    assert report.round_trip_seconds is not None


# -- a server of today -------------------------------------------------------------------------------------------


async def test_a_client_of_rfc_6455_needs_no_gateway() -> None:
    async with websockets_server(server_header=None) as port:
        report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{port}/", RFC6455, "Hello"))
    assert behind_the_handshake("rfc6455", lines) == HELLO["rfc6455"]
    assert [written(line) for line in lines[:4]] == [
        "> GET / HTTP/1.1",
        f"> Host: 127.0.0.1:{port}",
        "> Upgrade: websocket",
        "> Connection: Upgrade",
    ]
    assert "< HTTP/1.1 101 Switching Protocols" in map(written, lines)
    assert report.error is None


@pytest.mark.parametrize("dialect", [name for name in NAMES if name not in (*TWO_KEYS, *RFC)])
async def test_a_server_of_rfc_6455_refuses_all_other_dialects_and_says_why(dialect: str) -> None:
    # Those with a challenge too; but what it says to them depends on the 8 bytes, which it takes for frames.
    async with websockets_server() as port:
        report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{port}/", DIALECTS[dialect], "Hello"))
    assert (report.accepted, report.status, report.handshake_seconds) == (False, 400, None)
    assert str(report) == f"{dialect}: refused, the server answered 400 Bad Request"
    assert "< HTTP/1.1 400 Bad Request" in map(written, lines)
    why = "missing Sec-WebSocket-Key header" if dialect == "hixie-75" else "invalid Sec-WebSocket-Version header: "
    assert re.match(rf"\d\d bytes, a body: Failed to open a WebSocket connection: {why}", lines[-1].meaning)


# -- what is asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_probe_asks_for_a_subprotocol_and_says_who_it_is(dialect: str) -> None:
    async with websockets_server(select_subprotocol=prefer_sample) as port, serving(port) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/"
        origin = "http://elsewhere.example"
        probe_request = ProbeRequest(
            url, DIALECTS[dialect], None, origin, ("sample",), (("Cookie", "a=b"), ("X-Test", "1"))
        )
        report, lines = await ask(probe_request)
    assert (report.subprotocol, report.error) == ("sample", None)
    assert ", subprotocol sample, " in str(report)
    asked = [line.text for line in lines if line.direction == ">"]
    assert any(line.endswith("Origin: http://elsewhere.example") for line in asked)
    assert any(line.endswith("Protocol: sample") for line in asked)
    assert {"Cookie: a=b", "X-Test: 1"} <= set(asked)


async def test_one_of_several_subprotocols_is_chosen() -> None:
    async with websockets_server(select_subprotocol=prefer_sample) as port:
        probe_request = ProbeRequest(f"ws://127.0.0.1:{port}/", RFC6455, subprotocols=("other", "sample"))
        report, lines = await ask(probe_request)
    assert report.subprotocol == "sample"
    assert "> Sec-WebSocket-Protocol: other, sample | what we offered, and one of it in the answer" in map(
        written, lines
    )
    assert "< Sec-WebSocket-Protocol: sample | what we offered, and one of it in the answer" in map(written, lines)


async def test_a_ping_of_the_server_is_answered_while_the_probe_waits() -> None:
    async with Upstream() as upstream:

        async def serve() -> None:
            peer = await upstream.accept()
            await peer.send(switching(await peer.head()) + b"\x89\x03abc")
            assert sorted([await peer.frame(), await peer.frame()]) == [(0x81, b"Hello"), (0x8A, b"abc")]
            await peer.send(b"\x01\x03Hel", b"\x80\x02lo")
            assert await peer.frame() == (0x88, b"\x03\xe8")
            await peer.send(bytes.fromhex("88 02 03e8"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{upstream.port}/", RFC6455, "Hello"))
    assert (report.error, report.closed) == (None, "closed by both")
    talk = behind_the_handshake("rfc6455", lines)
    assert "< 89 | FIN, opcode 9: ping" in talk
    assert "> 8a | FIN, opcode A: pong" in talk


async def test_a_pong_that_no_ping_preceded_answers_no_ping() -> None:
    async with Upstream() as upstream:

        async def serve() -> None:
            peer = await upstream.accept()
            await peer.send(switching(await peer.head()) + b"\x8a\x02hi\x81\x02hi")
            assert await peer.frame() == (0x89, b"wsgateway")
            await peer.send(b"\x8a\x09wsgateway")
            assert await peer.frame() == (0x88, b"\x03\xe8")
            # What is on its way when we say goodbye.
            await peer.send(b"\x81\x02hi", bytes.fromhex("88 02 03e8"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{upstream.port}/", RFC6455))
    assert (report.error, report.closed) == (None, "closed by both")
    assert [written(line) for line in lines].count("< 68 69 | payload: 'hi'") == 3
