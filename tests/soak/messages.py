"""What clients say: numbers, in messages of all sizes. The number and the rest of it must come back."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random

from wsgateway.wire.events import Fragment, Kind

LARGE = 100 * 1024
# Around where a length needs more bytes, and where a read ends.
EDGES = (0, 1, 125, 126, 127, 65535, 65536, 65537)
_TEXT = "numbers, Zählen, числа, 数字, \U0001f522; " * 8000
_BYTES = bytes(range(256)) * 1024


def message(random: Random, number: int, binary: bool) -> tuple[Kind, bytes]:
    """Return the message with this number, and what it is made of."""
    size = _size(random)
    at = random.randrange(100)
    if binary and random.random() < 0.3:
        return Kind.BINARY, b"%d " % number + _BYTES[at : at + size]
    return Kind.TEXT, f"{number} {_TEXT[at : at + size]}".encode()


def _size(random: Random) -> int:
    kind = random.random()
    if kind < 0.02:
        return LARGE
    return random.choice(EDGES) if kind < 0.05 else random.randrange(1000)


def fragments(random: Random, kind: Kind, data: bytes) -> Iterator[Fragment]:
    """Yield a message in one fragment, or, now and then, in several, cut anywhere."""
    cuts = (
        sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(1, 5))) if random.random() < 0.1 else []
    )
    ends = [0, *cuts, len(data)]
    for at, (begin, end) in enumerate(pairwise(ends), 2):
        yield Fragment(kind, data[begin:end], final=at == len(ends))
