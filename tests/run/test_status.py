"""The status of a service while sessions begin, end and are refused."""

import json
from typing import Any

import trio
from trio.testing import MockClock

from tests.heads import head_of
from tests.observe.nothing import NO_STATUS
from tests.openings import BY_DIALECT, opened
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, serving_http
from tests.support import Running, Upstream, configuration, serving

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]


def status(gateway: Running) -> dict[str, Any]:
    """Return the status as a program gets it."""
    told: dict[str, Any] = json.loads(json.dumps(gateway.service.status()))
    return told


async def all_gone(gateway: Running) -> None:
    """Wait until no client is connected: one that has closed counts until the gateway has noticed."""
    while status(gateway)["connections"]["public"]["open"]:
        await trio.lowlevel.checkpoint()


async def test_a_gateway_that_has_done_nothing_says_so() -> None:
    async with Upstream() as upstream, serving(upstream.port, behind="max_connections: 7") as gateway:
        target = {
            "url": f"ws://127.0.0.1:{upstream.port}",
            "address": f"127.0.0.1:{upstream.port}",
            "state": "up",
            "weight": 1,
            "backup": False,
            "open": 0,
            "served": 0,
            "failures": 0,
            "last_failure": None,
            "last_reason": None,
        }
        told = status(gateway)
        del told["loop_lag"]
        assert told == {
            "draining": False,
            "connections": {"public": {"open": 0, "cap": 20000}},
            "pools": {
                "behind": {
                    "balance": "round_robin",
                    "open": 0,
                    "waiting": 0,
                    "queued": {},
                    "handshakes": {},
                    "served": {},
                    "failures": {},
                    "targets": [target],
                }
            },
            "join_memory": {"held": 0, "most": 64 * 1024 * 1024},
            **NO_STATUS,
        }


async def test_figures_are_of_now_and_add_up_through_sessions_reloads_and_a_drain() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        first = await opened(upstream, gateway, MODERN)
        second = await opened(upstream, gateway, OLD)
        for session in (first, second, first):
            await session.works()
        told = status(gateway)
        assert told["sessions"] == {"rfc6455": {"all": 1}, "hixie-76": {"all": 1}}
        assert told["connections"]["public"]["open"] == told["pools"]["behind"]["open"] == 2
        # Hello is 11 bytes with a mask, 7 without, and 7 in hixie.
        assert told["traffic"] == {
            "messages": {"in": {"rfc6455": 2, "hixie-76": 1}, "out": {"rfc6455": 2, "hixie-76": 1}},
            "bytes": {"in": {"rfc6455": 11 + 11, "hixie-76": 7}, "out": {"rfc6455": 7 * 2, "hixie-76": 7}},
        }

        gateway.reload(configuration(upstream.port))
        assert status(gateway) | {"loop_lag": told["loop_lag"]} == told

        await first.client.send(first.masked(b"\x88\x02\x03\xe8"))
        await first.behind.frame()
        await first.behind.send(b"\x88\x02\x03\xe8")
        await first.client.frame()
        await first.client.close()
        await first.behind.close()
        await gateway.lines.line("session")
        told = status(gateway)
        assert told["sessions"] == {"hixie-76": {"all": 1}}
        assert told["traffic"] == {
            "messages": {"in": {"rfc6455": 2, "hixie-76": 1}, "out": {"rfc6455": 2, "hixie-76": 1}},
            "bytes": {"in": {"rfc6455": 22 + 8, "hixie-76": 7}, "out": {"rfc6455": 14 + 4, "hixie-76": 7}},
        }
        assert (told["opened"], told["ended"]) == ({"rfc6455": 1, "hixie-76": 1}, {"rfc6455": 1})

        third = await opened(upstream, gateway, MODERN)
        await third.behind.send(b"\x83\x00")  # no such frame
        await third.client.rest()
        await third.client.close()
        await third.behind.close()
        fourth = await opened(upstream, gateway, MODERN)
        await fourth.behind.send(b"\x88\x00")
        await fourth.client.frame()
        await fourth.client.send(fourth.masked(b"\x88\x00"))
        await fourth.client.close()
        await fourth.behind.close()
        gateway.service.drain()
        assert status(gateway)["draining"] is True
        await second.client.rest()
        await second.client.close()
        await second.behind.close()
        await gateway.stopped.wait()
        told = status(gateway)
        assert told["opened"] == told["ended"] == {"rfc6455": 3, "hixie-76": 1}
        assert told["ended_by"] == {
            "client": {"closed": 1},
            "upstream": {"frame-malformed": 1, "closed": 1},
            "gateway": {"gateway-stopping": 1},
        }
        assert told["sessions"] == {}
        lines = gateway.lines.every("session")
        for what in ("messages", "bytes"):
            for way in ("in", "out"):
                assert sum(told["traffic"][what][way].values()) == sum(line[f"{what}_{way}"] for line in lines)


async def test_counts_of_targets_go_on_when_a_reload_changes_their_upstream() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await opened(upstream, gateway, MODERN)
        gateway.reload(configuration(upstream.port, behind="max_connections: 7"))
        await opened(upstream, gateway, MODERN)
        assert status(gateway)["pools"]["behind"]["served"] == {f"ws://127.0.0.1:{upstream.port}": 2}


async def test_every_refusal_is_counted_by_its_status_and_its_reason() -> None:
    async with Upstream() as upstream:
        options = {
            "listener": "max_connections: 2, max_connections_per_ip: 1",
            "path": "/chat",
            "route": 'dialects: [rfc6455], origins: {allow: ["http://example.com"]}',
            "limits": "handshake_rate: 2/h",
        }
        async with serving(upstream.port, **options) as gateway:

            async def refused(request: bytes, expected: bytes) -> None:
                client = await gateway.connect(request)
                assert (await client.rest()).startswith(expected)
                await client.close()
                await all_gone(gateway)

            await refused(b"\x00", b"HTTP/1.1 400 ")
            await refused(MODERN.request.replace(b"/chat", b"/other"), b"HTTP/1.1 404 ")
            await refused(MODERN.request.replace(b"Origin: http://e", b"Origin: http://another.e"), b"HTTP/1.1 403 ")
            await refused(OLD.request.replace(b"/demo", b"/chat"), b"HTTP/1.1 400 ")
            early = await gateway.connect(b"GET /")
            await early.send_eof()
            await gateway.lines.line("disconnected")
            await early.close()
            await all_gone(gateway)

            client = await gateway.connect(MODERN.request)
            behind = await upstream.accept()
            await behind.head()
            await behind.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            assert (await client.rest()).startswith(b"HTTP/1.1 401 ")
            await client.close()
            await all_gone(gateway)
            client = await gateway.connect(MODERN.request)
            behind = await upstream.accept()
            await behind.close()
            assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
            await client.close()
            await all_gone(gateway)
            await refused(MODERN.request, b"HTTP/1.1 429 ")
            await gateway.connect()  # holds its place
            await trio.testing.wait_all_tasks_blocked()
            beyond = await gateway.connect(MODERN.request)
            assert (await beyond.rest()).startswith(b"HTTP/1.1 429 ")
            third = await gateway.connect(MODERN.request)  # the second has not closed yet
            assert (await third.rest()).startswith(b"HTTP/1.1 503 ")
            told = status(gateway)
            assert told["refused"] == {
                "400": {"not-http": 1, "dialect-refused": 1},
                "404": {"route-missing": 1},
                "403": {"origin-refused": 1},
                "401": {"upstream-refused": 1},
                "502": {"target-lost": 1},
                "429": {"handshake-rate": 1, "address-full": 1},
                "503": {"listener-full": 1},
            }
            assert told["refused_by"] == {
                "listener": {"public": 9},
                "route": {"none": 4, "all": 5},
                "dialect": {"none": 3, "rfc6455": 5, "hixie-76": 1},
            }
            assert told["disconnected"] == {"disconnected-in-request": 1}
            assert told["opened"] == {}
            logged = [*gateway.lines.every("refused"), *gateway.lines.every("upstream failed")]
            assert len(logged) == sum(sum(kinds.values()) for kinds in told["refused"].values())


async def test_plain_http_counts_by_class() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        for start in ("200 OK", "304 Not Modified", "404 Not Found", "500 Oh"):
            answer = head_of(f"HTTP/1.1 {start}", "Content-Length: 0")
            client, _ = await answered(upstream, gateway, HTTP_GET, answer)
            await client.close()
        client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        await client.until(b"ok")
        await client.close()
        await gateway.lines.line("disconnected", client=client.name)
        told = status(gateway)
        assert told["http"] == {"2xx": 2, "3xx": 1, "4xx": 1, "5xx": 1}
        assert told["disconnected"]["disconnected-idle"] >= 1
        assert told["refused"] == {}


async def test_the_loop_of_a_service_turns_also_where_nothing_happens(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await trio.sleep(5.0)
        assert trio.current_time() - gateway.service.beat() < 0.2
