"""The question of Flash Player, before it connects, which pages may: `<policy-file-request/>`, a NUL, and no HTTP.

It asks at port 843 first and then where it wants to connect; the answer is XML and a NUL, and the connection is over.
Whoever is not granted anything is denied.
"""

from collections.abc import Iterable
from dataclasses import dataclass

QUESTION = b"<policy-file-request/>\0"


@dataclass(frozen=True, slots=True)
class Grant:
    """Pages of a domain may connect to ports of this host."""

    domain: str
    """a name, an address, *.NAME, or * for all"""
    ports: tuple[int, ...]
    """never empty"""


def asks_for_policy(data: bytes) -> bool | None:
    """Whether a connection begins with the question; None if what is here of it, perhaps nothing, is too little.

    No HTTP begins so: the first byte decides.
    """
    if data.startswith(QUESTION):
        return True
    return None if QUESTION.startswith(data) else False


def policy(grants: Iterable[Grant]) -> bytes:
    """The answer. Domains must be free of what XML would need escaped."""
    rows = "".join(
        f'<allow-access-from domain="{grant.domain}" to-ports="{",".join(map(str, grant.ports))}"/>' for grant in grants
    )
    return f'<?xml version="1.0"?><cross-domain-policy>{rows}</cross-domain-policy>\0'.encode("ascii")
