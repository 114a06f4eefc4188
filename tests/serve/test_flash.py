"""The policy requests of Flash Player, which it sends before it connects: to a port of their own, or beside HTTP.

A request is 22 characters and a NUL; nothing else is sent on that connection.
"""

from contextlib import suppress
from itertools import repeat

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.heads import head_of
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.peers import Peer
from tests.support import Running, Upstream, serving

POLICY_REQUEST = b"<policy-file-request/>\0"
# A page that no grant names may not connect, so here no page may.
DENIED = b'<?xml version="1.0"?><cross-domain-policy></cross-domain-policy>\0'
INLINE, ONLY = "flash_policy: {mode: inline}", "flash_policy: {mode: only}"
both_modes = pytest.mark.parametrize("mode", ["inline", "only"])
MODERN = BY_DIALECT["rfc6455"]


def policy(mode: str, allow: str = "[]") -> str:
    return f"flash_policy: {{mode: {mode}, allow: {allow}}}"


async def denied(gateway: Running, *question: bytes) -> None:
    """Check that a player gets the policy without grants, and the end of its connection."""
    player = await gateway.connect(*question)
    assert await player.rest() == DENIED
    await player.close()


# -- the policy --------------------------------------------------------------------------------------------------


@both_modes
async def test_a_player_gets_its_policy_and_the_connection_closes(mode: str) -> None:
    allow = '[{domain: "*.example.com", ports: [8080]}, {domain: 192.0.2.7, ports: [80, 8080]}]'
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode, allow)) as gateway:
        player = await gateway.connect(POLICY_REQUEST)
        assert await player.rest() == (
            b'<?xml version="1.0"?>'
            b"<cross-domain-policy>"
            b'<allow-access-from domain="*.example.com" to-ports="8080"/>'
            b'<allow-access-from domain="192.0.2.7" to-ports="80,8080"/>'
            b"</cross-domain-policy>\0"
        )
        await player.close()

        line = await gateway.lines.line("policy")
        assert (line["level"], line["client"], line["why"]) == ("info", player.name, "2 grants were sent")
        assert len(gateway.lines.entries) == 1
        assert upstream.nobody_came()


@both_modes
async def test_no_page_may_connect_without_a_grant(mode: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        await denied(gateway, POLICY_REQUEST)
        assert (await gateway.lines.line("policy"))["why"] == "0 grants were sent"


async def test_every_page_may_connect_only_with_a_grant_for_all() -> None:
    allow = '[{domain: "*", ports: [8080]}]'
    async with Upstream() as upstream, serving(upstream.port, listener=policy("inline", allow)) as gateway:
        player = await gateway.connect(POLICY_REQUEST)
        assert b'<allow-access-from domain="*" to-ports="8080"/>' in await player.rest()


# -- how the question may come -------------------------------------------------------------------------------------


@both_modes
async def test_the_policy_request_may_come_byte_by_byte(mode: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        await denied(gateway, *(bytes([byte]) for byte in POLICY_REQUEST))


@both_modes
@pytest.mark.parametrize("cut", [1, 11, len(POLICY_REQUEST) - 1])
async def test_the_policy_request_may_come_in_two_pieces_with_a_long_time_between(mode: str, cut: int) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        player = await gateway.connect(POLICY_REQUEST[:cut])
        await wait_all_tasks_blocked()
        assert gateway.lines.entries == []
        await player.send(POLICY_REQUEST[cut:])
        assert await player.rest() == DENIED


@both_modes
@pytest.mark.parametrize(
    "behind", [b"\0", POLICY_REQUEST, MODERN.request, bytes(100_000)], ids=["1", "more", "HTTP", "much"]
)
async def test_bytes_after_the_policy_request_are_dropped(mode: str, behind: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        await denied(gateway, POLICY_REQUEST + behind)
        assert upstream.nobody_came()


@both_modes
async def test_players_do_not_wait_for_each_other(mode: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        slow = [await gateway.connect(POLICY_REQUEST[:-1]) for _ in range(20)]
        await denied(gateway, POLICY_REQUEST)
        for player in slow:
            await player.send(POLICY_REQUEST[-1:])
            assert await player.rest() == DENIED


# -- what is no question -------------------------------------------------------------------------------------------

WRONG = {
    "no NUL": b"<policy-file-request/>\r\n\r\n",
    "a space": b"<policy-file-request />\0",
    "capitals": b"<POLICY-FILE-REQUEST/>\0",
    "other XML": b"<cross-domain-policy/>\0",
    "longer than any question": b"<policy-file-request/" + b"/" * 10_000,
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
async def test_bytes_that_only_resemble_the_policy_request_are_no_http_either(said: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=INLINE) as gateway:
        player = await gateway.connect(said)
        answer = await player.rest()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"cross-domain" not in answer
        assert (await gateway.lines.line("refused"))["why"] == "this is not HTTP"


@pytest.mark.parametrize("said", [*WRONG.values(), b"\x16\x03\x01", bytes(64)], ids=[*WRONG, "TLS", "zeros"])
async def test_only_policy_requests_are_answered_on_a_port_of_their_own(said: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=ONLY) as gateway:
        await silence(gateway, await gateway.connect(said))


async def silence(gateway: Running, player: Peer) -> None:
    """Check that a connection ends without any answer."""
    with suppress(trio.BrokenResourceError):  # it was closed with unread bytes
        assert await player.rest() == b""
    line = await gateway.lines.line("refused")
    assert line["why"] == "no policy request, and public answers nothing else"
    assert "status" not in line


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_on_a_port_of_its_own_no_client_opens_a_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=ONLY) as gateway:
        await silence(gateway, await gateway.connect(opening.request))
        assert upstream.nobody_came()


# -- HTTP beside it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_beside_http_every_dialect_is_served_as_ever(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=INLINE) as gateway:
        client = await gateway.connect(opening.request[:1], opening.request[1:])
        await upstream.agree()
        await opening.accepted(client)
        await denied(gateway, POLICY_REQUEST)


async def test_beside_http_a_bad_request_is_refused_as_ever() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=INLINE) as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", "Host: example.com"))
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize("listener", ["", "flash_policy: {mode: none}"], ids=["by default", "by name"])
async def test_a_listener_without_a_policy_answers_as_to_any_other_noise(listener: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        player = await gateway.connect(POLICY_REQUEST)
        assert (await player.rest()).endswith(b"400 Bad Request: not-http\n")
        assert gateway.lines.every("policy") == []


# -- questions that never come -------------------------------------------------------------------------------------


unfinished = pytest.mark.parametrize(
    "part", [b"", b"<", POLICY_REQUEST[:-1]], ids=["nothing", "a byte", "all but the NUL"]
)


@unfinished
async def test_a_question_that_does_not_come_is_not_waited_for_beyond_its_time(
    part: bytes, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=ONLY, timeouts="handshake: 200ms") as gateway:
        player = await gateway.connect(part)
        assert await player.rest() == b""
        line = await gateway.lines.line("refused")
        assert line["why"] == "no policy request within 0.2 s"
        assert "status" not in line


@unfinished
async def test_beside_http_it_might_have_been_a_request(part: bytes, autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=INLINE, timeouts="handshake: 200ms") as gateway:
        player = await gateway.connect(part)
        answer = await player.rest()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"cross-domain" not in answer
        assert (await gateway.lines.line("refused"))["why"] == "no whole request within 0.2 s"


@both_modes
@unfinished
async def test_a_player_may_disconnect_inside_its_policy_request(mode: str, part: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        player = await gateway.connect(part)
        await player.send_eof()
        assert await player.rest() == b""
        line = await gateway.lines.line("disconnected")
        assert (line["level"], line["why"]) == ("debug", "inside its request" if part else "without a request")


@both_modes
async def test_a_player_that_has_only_stopped_to_send_gets_its_answer(mode: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        player = await gateway.connect(POLICY_REQUEST)
        await player.send_eof()
        assert await player.rest() == DENIED


@both_modes
async def test_a_player_that_is_cut_off_costs_nothing(mode: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=policy(mode)) as gateway:
        for said in POLICY_REQUEST[:5], POLICY_REQUEST:
            player = await gateway.connect(said)
            player.reset()
        await denied(gateway, POLICY_REQUEST)


@both_modes
async def test_a_player_that_does_not_close_is_closed_in_bounded_time(mode: str) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=policy(mode), timeouts="close: 100ms") as gateway,
    ):
        player = await gateway.connect(POLICY_REQUEST)
        assert await player.rest() == DENIED
        # So far the gateway has only ended its own direction; when it closes, further data is answered by a reset.
        with pytest.raises(trio.BrokenResourceError):
            await player.send(*repeat(b"x", 1_000_000))


@both_modes
@pytest.mark.parametrize("part", [b"", POLICY_REQUEST[:-1]], ids=["nothing", "all but the NUL"])
async def test_a_gateway_that_stops_does_not_wait_for_a_question(mode: str, part: bytes) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=policy(mode), timeouts="handshake: 1h, close: 100ms") as gateway,
    ):
        player = await gateway.connect(part)
        await wait_all_tasks_blocked()
        gateway.service.drain()
        answer = await player.rest()
        assert b"cross-domain" not in answer
        assert mode == "inline" or answer == b""
        await gateway.stopped.wait()


# -- more players than there is room for -----------------------------------------------------------------------------


async def test_a_player_above_the_limit_gets_no_answer_on_a_port_of_its_own() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=f"max_connections: 1, {ONLY}") as gateway:
        player = await gateway.connect(POLICY_REQUEST[:1])
        for _ in range(3):
            beyond = await gateway.connect()
            assert await beyond.rest() == b""
        await player.send(POLICY_REQUEST[1:])
        assert await player.rest() == DENIED


async def test_a_player_above_the_limit_gets_the_503_of_all_others_beside_http() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=f"max_connections: 1, {INLINE}") as gateway:
        player = await gateway.connect(POLICY_REQUEST[:1])
        beyond = await gateway.connect()
        assert (await beyond.rest()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        await player.send(POLICY_REQUEST[1:])
        assert await player.rest() == DENIED
