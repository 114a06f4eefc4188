"""A session leaves one gateway as bytes and goes on in another: its peers, the counts and the log notice no more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, Opening, every_dialect, opened
from tests.support import Running, Upstream, configuration, serving
from wsgateway.errors import RecordError
from wsgateway.relay.record import Names, SessionRecord, from_bytes, to_bytes
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.moving import Socks, go_on, leave
from wsgateway.serve.session import ClientConnection

from .http2 import HELLO, Client

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]


@dataclass
class Two:
    """Two gateways before the same upstream."""

    upstream: Upstream
    first: Running
    second: Running

    @property
    def here(self) -> GatewayState:
        return self.first.service._gateway

    @property
    def there(self) -> GatewayState:
        return self.second.service._gateway

    async def taken(self) -> tuple[SessionRecord, Socks]:
        """Take the session out of the first gateway, as soon as it is one."""
        await self.first.lines.line("opened")
        [connection] = [each for each in self.here.owner if isinstance(each, ClientConnection)]
        record, socks = leave(self.here, connection)
        return from_bytes(SessionRecord, to_bytes(record)), socks

    async def move(self) -> None:
        go_on(self.there, *await self.taken())


@asynccontextmanager
async def two(**options: str) -> AsyncIterator[Two]:
    async with (
        Upstream() as upstream,
        serving(upstream.port, **options) as first,
        serving(upstream.port, **options) as second,
    ):
        yield Two(upstream, first, second)


@every_dialect
async def test_a_session_works_after_it_has_moved_and_is_logged_where_it_ends(opening: Opening) -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, opening)
        await session.works()
        half, rest = session.hello[:3], session.hello[3:]
        await session.client.send(half)
        await session.behind.send(b"\x81\x05Hel")
        await both.move()
        await session.client.send(rest)
        assert await session.behind.frame() == (0x81, b"Hello")
        await session.behind.send(b"lo")
        assert await session.client.exactly(len(opening.hello_back)) == opening.hello_back
        await session.works()
        await session.behind.send(b"\x88\x02\x03\xe8")
        await session.ends()
        line = await both.second.lines.line("session")
        begun = both.first.lines.every("opened")[0]
        facts = {name: begun[name] for name in begun.keys() - {"event", "level"}}
        assert facts.items() <= line.items()
        assert (line["dialect"], line["messages_in"], line["messages_out"]) == (opening.dialect, 3, 3)
        assert not both.first.lines.every("session")
        assert not both.second.lines.every("opened")


async def test_a_session_counts_once_wherever_it_is() -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, MODERN)
        await session.works()
        await both.move()
        await session.works()
        before, after = both.first.service.status(), both.second.service.status()
        for status, is_here in ((before, 0), (after, 1)):
            assert status["connections"]["public"]["open"] == is_here
            assert status["pools"]["behind"]["open"] == is_here
            assert status["sessions"] == ({"rfc6455": {"all": 1}} if is_here else {})
            assert both.here.connections["public", "127.0.0.1"] == 0
        assert both.there.connections["public", "127.0.0.1"] == 1
        assert (before["opened"], after["opened"]) == ({"rfc6455": 1}, {})
        assert before["traffic"]["messages"]["in"] == {}
        assert after["traffic"]["messages"]["in"] == {"rfc6455": 2}
        await session.ends()
        await both.second.lines.line("session")
        after = both.second.service.status()
        assert (after["connections"]["public"]["open"], after["pools"]["behind"]["open"]) == (0, 0)
        assert both.there.connections["public", "127.0.0.1"] == 0
        assert after["ended"] == {"rfc6455": 1}


async def test_the_census_counts_a_session_and_its_messages_once() -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, MODERN)
        await session.works()
        await both.move()
        await session.works()
        await session.ends()
        await both.second.lines.line("session")
        [before], [after] = both.here.tally.take(9), both.there.tally.take(9)
        assert before["profile"] == after["profile"]
        assert (before["sessions"], before.get("open")) == (1, None)
        assert (after.get("sessions"), after.get("open")) == (None, None)
        assert (before["through"][:2], after["through"][:2]) == ([1, 1], [1, 1])


async def test_a_session_is_as_old_after_the_move_as_before() -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, MODERN)
        record, socks = await both.taken()
        go_on(both.there, replace(record, begun=record.begun - 3600), socks)
        await session.ends()
        assert 3600 <= (await both.second.lines.line("session"))["seconds"] < 3660


async def test_a_client_is_held_to_its_rate_across_the_move() -> None:
    async with two(limits="message_rate: 3/h") as both:
        session = await opened(both.upstream, both.first, MODERN)
        for _ in range(2):
            await session.works()
        await both.move()
        await session.works()
        await session.client.send(session.hello)
        await session.ends()
        assert (await both.second.lines.line("session"))["why"] == "more messages than 3 in 3600 s (1008)"


async def test_the_limits_of_the_reader_hold_from_the_move_on() -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, OLD)
        both.second.reload(configuration(both.upstream.port, limits="message_size: 4B"))
        await both.move()
        await session.client.send(session.hello)
        await session.ends()
        assert "frame of 5 bytes or more, limit 4" in (await both.second.lines.line("session"))["why"]


async def test_a_gateway_that_is_cancelled_closes_a_session_that_came_to_it() -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, MODERN)
        await both.move()
        both.second.cancel()
        await both.second.stopped.wait()
        assert await session.client.rest() == b""
        assert (await both.second.lines.line("session"))["why"] == "stopped"


async def test_a_drain_waits_for_no_session_that_has_left() -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, MODERN)
        await both.move()
        both.first.service.drain()
        await both.first.stopped.wait()
        await session.works()


# -- what cannot move ---------------------------------------------------------------------------------------------

# What is gone, and what the error says.
GONE = {
    "listener": ({"listener": "secret"}, "the session is of listener 'secret', which is gone; there are public"),
    "route": ({"route": "chat"}, "the session is of route 'chat', which is gone; there are all"),
    "upstream": ({"upstream": "chat"}, "the session is of upstream 'chat', which is gone; there are behind"),
    "target": ({"target": "ws://127.0.0.9:1"}, "the session is of target 'ws://127.0.0.9:1', which is gone; there are"),
    "address": ({"address": "127.0.0.9:1"}, "at 127.0.0.9:1', which is gone; there are ws://127.0.0.1:"),
}


@pytest.mark.parametrize(("changed", "told"), GONE.values(), ids=GONE)
async def test_a_name_that_is_gone_is_told_and_the_session_can_go_on_elsewhere(
    changed: dict[str, str], told: str
) -> None:
    async with two() as both:
        session = await opened(both.upstream, both.first, MODERN)
        record, socks = await both.taken()
        names: Names = replace(record.names, **changed)
        with pytest.raises(RecordError) as refused:
            go_on(both.there, replace(record, names=names), socks)
        assert told in str(refused.value)
        go_on(both.here, record, socks)
        await session.works()


async def test_a_stream_of_http2_stays_and_works(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number, behind = await client.session(upstream)
        [connection] = gateway.service._gateway.owner
        assert isinstance(connection, ClientConnection)
        with pytest.raises(RecordError, match="the client has HTTP/2, whose connection has other streams"):
            leave(gateway.service._gateway, connection)
        await client.say(number, HELLO)
        assert await behind.frame() == (0x81, b"Hello")


async def test_a_session_over_tls_stays_and_works(authority: Authority) -> None:
    file = authority.issue("localhost")
    tls = f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]}}"
    async with Upstream() as upstream, serving(upstream.port, listener=tls) as gateway:
        client = await gateway.connect_tls(authority.client(), MODERN.request)
        behind, _ = await upstream.agree()
        await client.head()
        await gateway.lines.line("opened")
        [connection] = gateway.service._gateway.owner
        assert isinstance(connection, ClientConnection)
        with pytest.raises(RecordError, match="the client has TLS, whose state is out of reach"):
            leave(gateway.service._gateway, connection)
        await client.send(MODERN.hello)
        assert await behind.frame() == (0x81, b"Hello")
