"""The addresses of names, by address records and by SRV records, from a name server of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support import PATIENCE_SECONDS
from wsgateway.settings.basics import Address, Url
from wsgateway.settings.upstreams import Target
from wsgateway.upstream.names import Names
from wsgateway.upstream.resolve import ResolvedAddress, look_up

from .blocking import blocking, clock

RECORD_SECONDS = 4.0

__all__ = ["clock"]

CHAT = "_ws._tcp.chat.internal"
SERVICE = Target(Url(CHAT, 80, f"ws://{CHAT}"), srv=True)


@asynccontextmanager
async def name_server(*records: str) -> AsyncIterator[None]:
    """Run a name server that answers all queries with these records; without any, that the name does not exist."""
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], sock.getsockname()[1]
        dns.asyncresolver.default_resolver = resolver
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_serve, sock, records)
                    yield
                    nursery.cancel_scope.cancel()
        finally:
            dns.asyncresolver.default_resolver = None


async def _serve(sock: trio.socket.SocketType, records: tuple[str, ...]) -> None:
    while True:
        data, client = await sock.recvfrom(4096)
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        assert question.question[0].name.to_text() == f"{CHAT}."
        if records:
            answer.answer.append(dns.rrset.from_text(f"{CHAT}.", 60, "IN", "SRV", *records))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        await sock.sendto(answer.to_wire(), client)


async def test_an_address_leads_to_itself() -> None:
    assert await look_up(Names(), Target(Url("::1", 81, "ws://[::1]:81"), weight=3)) == [
        ResolvedAddress(Address("::1", 81), 3)
    ]


async def test_a_name_that_does_not_exist_is_an_error() -> None:
    # RFC 6761, 6.4: no name ever ends in this.
    with trio.fail_after(20), pytest.raises(OSError, match=r"\w"):
        await look_up(Names(), Target(Url("wsgateway.invalid", 80, "ws://wsgateway.invalid")))


async def test_srv_records_give_addresses_and_weights() -> None:
    async with name_server(
        "10 1 9003 127.0.0.3.", "0 30 9001 127.0.0.1.", "0 70 9002 127.0.0.2.", "0 0 9004 127.0.0.4."
    ):
        assert await look_up(Names(), SERVICE) == [
            ResolvedAddress(Address("127.0.0.2", 9002), 70, 0),
            ResolvedAddress(Address("127.0.0.1", 9001), 30, 0),
            ResolvedAddress(Address("127.0.0.4", 9004), 1, 0),
            ResolvedAddress(Address("127.0.0.3", 9003), 1, 10),
        ]


async def test_an_address_of_two_srv_records_is_one_and_the_better_record_counts() -> None:
    async with name_server("5 1 9001 127.0.0.1.", "0 30 9001 127.0.0.1.", "0 70 9002 127.0.0.1."):
        assert await look_up(Names(), SERVICE) == [
            ResolvedAddress(Address("127.0.0.1", 9002), 70, 0),
            ResolvedAddress(Address("127.0.0.1", 9001), 30, 0),
        ]


async def test_an_srv_record_without_an_address_is_left_out_if_there_are_others() -> None:
    async with name_server("0 1 9001 wsgateway.invalid.", "5 1 9002 127.0.0.2."):
        assert await look_up(Names(), SERVICE) == [ResolvedAddress(Address("127.0.0.2", 9002), 1, 5)]
    async with name_server("0 1 9001 wsgateway.invalid.", r"0 1 9001 a\.\.b."):
        with pytest.raises(OSError, match=r"\w"):
            await look_up(Names(), SERVICE)


async def test_a_service_that_is_not_offered_is_an_error() -> None:
    async with name_server("0 0 0 ."):
        with pytest.raises(OSError, match="the service is not offered there"):
            await look_up(Names(), SERVICE)
    async with name_server():
        with pytest.raises(OSError, match="does not exist"):
            await look_up(Names(), SERVICE)


async def test_a_record_whose_host_hangs_does_not_hold_up_the_others(clock: MockClock) -> None:
    with blocking() as resolver:
        async with name_server("0 1 9001 slow.", "0 1 9002 good.", "5 1 9003 slow.other."):
            names, found = Names(resolver), list[ResolvedAddress]()

            async def ask() -> None:
                found.extend(await look_up(names, SERVICE))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await resolver.enough(3)
                await names.addresses("good")  # so that its answer is here
                await wait_all_tasks_blocked()
                clock.jump(RECORD_SECONDS)
            assert found == [ResolvedAddress(Address("192.0.2.1", 9002), 1, 0)]


async def test_a_service_all_of_whose_hosts_hang_is_an_error(clock: MockClock) -> None:
    with blocking() as resolver:
        async with name_server("0 1 9001 slow."), trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(OSError, match="the resolver is silent"):
                    await look_up(Names(resolver), SERVICE)

            nursery.start_soon(ask)
            await resolver.enough(1)
            clock.jump(RECORD_SECONDS)
