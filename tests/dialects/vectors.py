"""The bytes that other implementations wrote, from `vectors.json`: one vector a line.

    status      ok          right by the draft
                deviation   legal or harmless: to be understood, not to be written
                wrong       against the draft, for the reason in `status_reason`
                refusal     an HTTP error
    wire        the bytes: hex strings and {"repeat": hex, "count": n}, one behind the other
    payload     what the frame carries, unmasked; in the same form
    request_id  the request that a response answers
    producer    who wrote it: an implementation and its version, a draft, or a browser that was recorded

Client frames of the masking dialects have the mask key 37FA213D, that of the drafts' own example.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wsgateway.wire.events import Role

MASK_KEY = bytes.fromhex("37fa213d")


@dataclass(frozen=True, slots=True)
class Vector:
    id: str
    dialect: str
    kind: str
    direction: str
    name: str
    status: str
    producer: str
    wire: bytes
    payload: bytes
    type: str = ""
    status_reason: str = ""
    request_id: str = ""

    @property
    def sender(self) -> Role:
        return Role.CLIENT if self.direction == "c2s" else Role.SERVER

    @property
    def receiver(self) -> Role:
        return Role.SERVER if self.direction == "c2s" else Role.CLIENT

    def __str__(self) -> str:
        return self.id


@cache
def vectors(kind: str, *statuses: str) -> tuple[Vector, ...]:
    """The vectors of a kind (frame, handshake_request, handshake_response) that have one of the statuses."""
    return tuple(each for each in _every() if each.kind == kind and each.status in statuses)


def distinct(several: Iterable[Vector]) -> list[Vector]:
    """One vector for each name and bytes: several producers wrote the same."""
    return list({(each.dialect, each.direction, each.name, each.wire): each for each in several}.values())


def by_id(name: str) -> Vector:
    """The vector of this id."""
    return next(each for each in _every() if each.id == name)


@cache
def _every() -> tuple[Vector, ...]:
    rows = json.loads(Path(__file__).with_name("vectors.json").read_text())
    return tuple(
        Vector(**row | {"wire": _bytes(row["wire"]), "payload": _bytes(row.get("payload", []))}) for row in rows
    )


def _bytes(parts: list[str | dict[str, str | int]]) -> bytes:
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(bytes.fromhex(part))
        else:
            pieces.append(bytes.fromhex(str(part["repeat"])) * int(part["count"]))
    return b"".join(pieces)
