"""The filter by which a person says which sessions are meant: by dialect, client, route, target and user agent."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from wsgateway.settings.basics import Peers, is_among
from wsgateway.settings.dialects import dialects
from wsgateway.settings.patterns import peers


class Described(Protocol):
    """The facts of a session, as far as they are known: it may be about to begin."""

    dialect: str
    route: str
    target: str
    agent: str

    @property
    def client_ip(self) -> str:
        """The address of the client itself; UNIX if that is not known."""


@dataclass(frozen=True, kw_only=True)
class SessionFilter:
    """A filter. Each part that is given must hold; without any part every session is meant."""

    dialect: str | None = None
    """a dialect, or a range such as hybi-01..08"""
    client: str | None = None
    """an address, a network, or unix"""
    route: str | None = None
    """the name of a route"""
    target: str | None = None
    """the url of a target, as the file has it"""
    agent: str | None = None
    """a part of the User-Agent, in upper or lower case"""

    def __post_init__(self) -> None:
        """Raise ValueError for a dialect that does not exist, and for what is neither an address nor a network."""
        for part, read in (("dialect", lambda: self._dialects), ("client", lambda: self._peers)):
            try:
                read()
            except ValueError as error:
                raise ValueError(f"{part}: {error}") from None

    @cached_property
    def _dialects(self) -> frozenset[str] | None:
        return None if self.dialect is None else frozenset(each.name for each in dialects(self.dialect))

    @cached_property
    def _peers(self) -> Peers | None:
        return None if self.client is None else peers(self.client)

    @cached_property
    def _agent(self) -> str:
        return (self.agent or "").casefold()

    def matches(self, facts: Described) -> bool:
        """Return whether a session is meant."""
        return (
            (self._dialects is None or facts.dialect in self._dialects)
            and (self.route is None or facts.route == self.route)
            and (self.target is None or facts.target == self.target)
            and (not self._agent or self._agent in facts.agent.casefold())
            and (self._peers is None or is_among(facts.client_ip, (self._peers,)))
        )
