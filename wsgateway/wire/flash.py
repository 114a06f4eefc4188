"""The policy request of Flash Player: which pages may connect? It is `<policy-file-request/>` and a NUL, not HTTP.

Flash Player sends it to port 843 first, and then to the port where it wants to connect. The answer is XML and a NUL;
then the connection is closed. A page that no grant names may not connect.
"""

from collections.abc import Iterable
from dataclasses import dataclass

POLICY_REQUEST = b"<policy-file-request/>\0"


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission: pages of a domain may connect to ports of this host."""

    domain: str
    """a name, an address, *.NAME, or * for all"""
    ports: tuple[int, ...]
    """never empty"""


def is_policy_request(data: bytes) -> bool | None:
    """Return whether a connection begins with a policy request; None if more bytes are needed to tell.

    `data` is what the client has sent so far, perhaps nothing. No HTTP request begins with the first byte of it.
    """
    if data.startswith(POLICY_REQUEST):
        return True
    return None if POLICY_REQUEST.startswith(data) else False


def policy(grants: Iterable[Grant]) -> bytes:
    """Return the answer to a policy request. Domains must not contain characters that XML would need escaped."""
    rows = "".join(
        f'<allow-access-from domain="{grant.domain}" to-ports="{",".join(map(str, grant.ports))}"/>' for grant in grants
    )
    return f'<?xml version="1.0"?><cross-domain-policy>{rows}</cross-domain-policy>\0'.encode("ascii")
