"""Where a target is: the addresses of its host, or what SRV records say (RFC 2782)."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from wsgateway.settings.basics import Address
from wsgateway.settings.model import Target


@dataclass(frozen=True, slots=True)
class Found:
    """An address of a target."""

    address: Address
    weight: int
    rank: int = 0
    """the priority of its record: greater ones are for the time when those before cannot be used"""


LookUp = Callable[[Target], Awaitable[list[Found]]]


async def look_up(target: Target) -> list[Found]:
    """All addresses of a target, the best first. Raises OSError if there are none, or the resolver fails."""
    if target.srv:
        return await _services(target)
    return [Found(address, target.weight) for address in await addresses(target.host, target.port)]


async def addresses(host: str, port: int) -> list[Address]:
    """All addresses of a host, in the order of RFC 6724. Raises OSError."""
    try:
        answers = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a record may name anything
        raise OSError(f"{host!r} is no name: {error}") from None
    return list(dict.fromkeys(Address(name[0], port) for *_, name in answers if isinstance(name[0], str)))


async def _services(target: Target) -> list[Found]:
    """A record whose own host has no address is left out, as long as there are others."""
    # An extra, which nobody else has to install.
    from dns.asyncresolver import resolve
    from dns.exception import DNSException

    try:
        records = await resolve(target.host, "SRV", search=False)
    except DNSException as error:
        raise OSError(str(error)) from None
    found: list[Found] = []
    failed = OSError("the service is not offered there")  # 2782: which a record of "." says
    for record in sorted(records, key=lambda each: (each.priority, -each.weight)):
        name = record.target.to_text(omit_final_dot=True)
        if name != ".":
            try:
                where = await addresses(name, record.port)
            except OSError as error:
                failed = error
            else:
                found += [Found(address, max(1, record.weight), record.priority) for address in where]
    if not found:
        raise failed
    return found
