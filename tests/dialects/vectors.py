"""The bytes that other implementations wrote, from `vectors.json`: one vector a line.

    status      ok          right by the draft
                deviation   legal or harmless: to be read, never to be written
                wrong       against the draft, for the reason in `status_reason`
                refusal     an HTTP error
    wire        the bytes: hex strings and {"repeat": hex, "count": n}, in a row
    payload     the unmasked payload of the frame; in the same form
    request_id  the request that a response answers
    producer    the author: an implementation and its version, a draft, or a browser that was recorded
    secret      the secret that the handshake made for the frames; in hybi-04 alone

Client frames of the masking dialects have the mask key 37FA213D, that of the drafts' own example. If no implementation
of a draft is recorded, the draft borrows vectors from another one with the same frames (`_LOANS`).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from wsgateway.wire.events import Role

MASK_KEY = bytes.fromhex("37fa213d")
# The secret from which hybi-04 makes its masks, in all its vectors: SHA-1 of the draft's own key and nonce (4.3).
SECRET = bytes.fromhex("41e14f78311e4c34283e6d8b363b8848d58591a7")


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
    payload: bytes = b""
    type: str = ""
    status_reason: str = ""
    request_id: str = ""
    secret: bytes = SECRET
    """the secret that the handshake made for the frames; most dialects ignore it"""

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
    """Return the vectors of a kind (frame, handshake_request, handshake_response) that have one of the statuses."""
    return tuple(each for each in _every() if each.kind == kind and each.status in statuses)


def distinct(several: Iterable[Vector]) -> list[Vector]:
    """Return one vector for each name and bytes: several producers wrote the same."""
    return list({(each.dialect, each.direction, each.name, each.wire): each for each in several}.values())


def by_id(name: str) -> Vector:
    """Return the vector of this id."""
    return next(each for each in _every() if each.id == name)


# The borrower, the lender and the vectors. For draft 02 no valid frame was found; its frames are those of 01 and 03.
# For 05 there are few masked ones; they equal those of 06, except for the payload of a Close.
_LOANS: list[tuple[str, str, Callable[[Vector], bool]]] = [
    ("hybi-02", "hybi-01", lambda each: True),
    ("hybi-02", "hybi-03", lambda each: True),
    ("hybi-05", "hybi-06", lambda each: each.sender is Role.CLIENT and each.type != "close"),
]


def _borrowed(own: Iterable[Vector]) -> Iterator[Vector]:
    for each in own:
        for borrower, lender, wanted in _LOANS:
            if (each.dialect, each.kind) == (lender, "frame") and each.status in ("ok", "deviation") and wanted(each):
                yield replace(each, dialect=borrower, id=f"{borrower} as {each.id}")


@cache
def _every() -> tuple[Vector, ...]:
    rows = json.loads(Path(__file__).with_name("vectors.json").read_text())
    own = tuple(Vector(**row | {name: of(row[name]) for name, of in _BYTES.items() if name in row}) for row in rows)
    return (*own, *_borrowed(own))


def _bytes(parts: list[str | dict[str, str | int]]) -> bytes:
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(bytes.fromhex(part))
        else:
            pieces.append(bytes.fromhex(str(part["repeat"])) * int(part["count"]))
    return b"".join(pieces)


_BYTES: dict[str, Callable[[Any], bytes]] = {"wire": _bytes, "payload": _bytes, "secret": bytes.fromhex}
