"""The addresses of a pool from which one is chosen: those of the best rank that are up, and have room.

If none is up, all are candidates: a health check that is wrong, or that has not yet seen the end of an outage, must not
refuse clients whom the servers would accept.

Addresses stay in groups, by state and rank, and move when these change. So a choice visits no address but the chosen
one, and those that it must not choose.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from wsgateway.upstream.balance import Balancer, Candidate
from wsgateway.upstream.health import State

Rank = tuple[bool, int]


class Member(Candidate, Protocol):
    """The properties of an address that decide whether it is a candidate. `put` must be called after each change."""

    state: State
    rank: Rank
    """lower ones are used first"""

    @property
    def has_room(self) -> bool:
        """Whether its limit allows another session."""


M = TypeVar("M", bound=Member)

_Key = tuple[bool, Rank | None]
"""the key of a group: whether its members are not up; and their rank, if they are. The least is used first."""


@dataclass(slots=True)
class _Group(Generic[M]):
    """The addresses of which none is better than another."""

    key: _Key
    with_room: Balancer[M]
    size: int = 0
    """the number of its members, with or without room"""


class Candidates(Generic[M]):
    """The addresses of a pool, in groups."""

    def __init__(self, balancer: Callable[[], Balancer[M]]) -> None:
        """Take what makes a balancer for each group."""
        self._balancer = balancer
        self._order: list[_Key] = []
        self._groups: dict[_Key, _Group[M]] = {}
        self._group_of: dict[M, _Group[M]] = {}
        self.up = 0
        """how many are up"""

    def __len__(self) -> int:
        """Return the number of addresses, whatever their state."""
        return len(self._group_of)

    def __contains__(self, member: M) -> bool:
        return member in self._group_of

    def put(self, member: M) -> None:
        """Add an address, or note what has changed of it. It must be removed before its place or weight changes."""
        key: _Key = (False, member.rank) if member.state == "up" else (True, None)
        group = self._group_of.get(member)
        if group is None or group.key != key:
            if group is not None:
                self.remove(member)
            group = self._enter(member, key)
        if member.has_room:
            group.with_room.put(member)
        elif member in group.with_room:
            group.with_room.remove(member)

    def remove(self, member: M) -> None:
        """Remove an address, if it is here."""
        group = self._group_of.pop(member, None)
        if group is None:
            return
        if member in group.with_room:
            group.with_room.remove(member)
        group.size -= 1
        self.up -= not group.key[0]
        if not group.size:
            del self._groups[group.key]
            del self._order[bisect_left(self._order, group.key)]

    def _enter(self, member: M, key: _Key) -> _Group[M]:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key, self._balancer())
            insort(self._order, key)
        group.size += 1
        self.up += not key[0]
        self._group_of[member] = group
        return group

    def choose(self, key: str | None, tried: Collection[M] = ()) -> M | None:
        """Return one of the candidates that have not been tried; None if none of them has room."""
        for each in self._order:
            group = self._groups[each]
            passed_over = [member for member in tried if self._group_of.get(member) is group]
            if len(passed_over) < group.size:
                return _chosen(group.with_room, key, [member for member in passed_over if member in group.with_room])
        return None


def _chosen(among: Balancer[M], key: str | None, without: Collection[M]) -> M | None:
    for each in without:
        among.remove(each)
    chosen = among.choose(key) if among else None
    for each in without:
        among.put(each)
    return chosen
