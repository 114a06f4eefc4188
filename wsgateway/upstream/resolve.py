"""The addresses of a target: those of its host, or those of its SRV records (RFC 2782)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from wsgateway.settings.basics import Address
from wsgateway.settings.upstreams import Target
from wsgateway.upstream.names import Names

# The longest time for the host of one record. A record without an answer is left out, and does not delay the others.
RECORD_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class ResolvedAddress:
    """An address of a target."""

    address: Address
    weight: int
    rank: int = 0
    """the priority of its record: addresses with greater ones are used only if those with smaller ones cannot be"""


LookUp = Callable[[Target], Awaitable[list[ResolvedAddress]]]
"""returns the addresses of a target, of which no two are the same"""


async def look_up(names: Names, target: Target) -> list[ResolvedAddress]:
    """Return all addresses of a target, the best first. Raise OSError if there are none, or the resolver fails."""
    if target.srv:
        return await _services(names, target)
    return [
        ResolvedAddress(address, target.weight) for address in await addresses(names, target.url.host, target.url.port)
    ]


async def addresses(names: Names, host: str, port: int) -> list[Address]:
    """Return all addresses of a host, in the order of RFC 6724. Raise OSError if there are none."""
    return [Address(each, port) for each in await names.addresses(host)]


async def _services(names: Names, target: Target) -> list[ResolvedAddress]:
    """Return the addresses by SRV records. A record whose host has no address is left out if there are others.

    Hosts of two records may have the same address: it has the weight of the better record.
    """
    # An optional dependency, needed only here.
    from dns.asyncresolver import resolve
    from dns.exception import DNSException

    try:
        records = await resolve(target.url.host, "SRV", search=False)
    except DNSException as error:
        raise OSError(str(error)) from None
    ordered = sorted(records, key=lambda each: (each.priority, -each.weight))
    offered = [record for record in ordered if record.target.to_text() != "."]
    if not offered:  # 2782: a record of "." means this
        raise OSError("the service is not offered there")
    several: list[list[Address] | OSError] = [OSError("the resolver is silent")] * len(offered)

    async def resolve_host(at: int, host: str, port: int) -> None:
        with trio.move_on_after(RECORD_SECONDS):
            try:
                several[at] = await addresses(names, host, port)
            except OSError as error:
                several[at] = error

    async with trio.open_nursery() as nursery:
        for at, record in enumerate(offered):
            nursery.start_soon(resolve_host, at, record.target.to_text(omit_final_dot=True), record.port)
    found: dict[Address, ResolvedAddress] = {}
    for record, where in zip(offered, several, strict=True):
        for address in () if isinstance(where, OSError) else where:
            found.setdefault(address, ResolvedAddress(address, max(1, record.weight), record.priority))
    if not found:
        raise next(each for each in reversed(several) if isinstance(each, OSError))
    return list(found.values())
