"""A message of any size passes in bounded memory, through every pair of framings and in both directions.

1 GiB in one message, in reads of about 64 KiB, and the memory of the process grows by less than 32 MiB. It is done once
for each pair of framings: dialects with the same one are the same here. Pairs of drafts that are in no way special
(see IN_FULL) pass 64 MiB, which is no less a proof and leaves the suite quick.

That a decoder keeps next to nothing of hostile input is in `tests.dialects.test_noise`; here it is what the whole
translator keeps, with its encoder and its filter.
"""

import gc
import resource
import tracemalloc
from collections.abc import Iterable
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.dialects.feeding import byte_by_byte, other, text
from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.dialects.base import Translator
from wsgateway.wire.events import Event, Ping, Role
from wsgateway.wire.masking import xor_mask

from .passing import direction

KIB, MIB = 1024, 1024 * 1024
READ_BYTES = 64 * KIB
GROWTH_BYTES = 32 * MIB
KEPT_BYTES = 16 * KIB
UNLIMITED = Limits(message_bytes=2**40, fragments=2**40)

# One dialect for each framing.
DISTINCT = list({id(dialect.framing): name for name, dialect in reversed(DIALECTS.items())}.values())[::-1]
# Between these there is a translation of each kind.
IN_FULL = {"hixie-75", "hixie-76", "hybi-07", "rfc6455"}
PAIRS = [(source, target, role) for source in DISTINCT for target in DISTINCT for role in Role]
every_pair = pytest.mark.parametrize(
    ("source", "target", "role"),
    PAIRS,
    ids=[f"{s} {'client' if role is Role.SERVER else 'upstream'} to {t}" for s, t, role in PAIRS],
)

ASCII = b"0123456789abcdef" * (READ_BYTES // 16)


class Writer:
    """What a peer sends to us, who play the role; every frame with the same mask."""

    def __init__(self, source: str, role: Role) -> None:
        self._encoder = DIALECTS[source].framing.encoder(other(role), repeat(MASK_KEY))

    def __call__(self, event: Event) -> bytes:
        return self._encoder.send(event)


def resident_bytes() -> int:
    """The memory of this process, as it is now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def growth(translator: Translator, reads: Iterable[bytes]) -> tuple[int, int]:
    """By how many bytes the process grew, at most, and how many left."""
    before = most = resident_bytes()
    left = 0
    for number, read in enumerate(reads):
        step = translator.feed(read)
        assert step.ending is None
        left += len(step.forward)
        if number % 64 == 0:
            most = max(most, resident_bytes())
    return max(most, resident_bytes()) - before, left


@every_pair
def test_a_message_of_a_gib_passes_in_bounded_memory(source: str, target: str, role: Role) -> None:
    size = 1024 * MIB if {source, target} <= IN_FULL else 64 * MIB
    passing = direction(source, target, role, UNLIMITED)
    write = Writer(source, role)
    first, between = write(text(ASCII, final=False)), write(text(ASCII, final=False))
    grown, left = growth(passing, chain([first], repeat(between, size // READ_BYTES - 1), [write(text(b""))]))
    assert grown < GROWTH_BYTES
    assert left >= size
    assert passing.messages == 1


@pytest.mark.parametrize("target", DISTINCT)
@pytest.mark.parametrize("role", Role)
def test_a_frame_of_a_gib_passes_in_bounded_memory(target: str, role: Role) -> None:
    size = 1024 * MIB
    passing = direction("rfc6455", target, role, UNLIMITED)
    masked = role is Role.SERVER
    head = bytes.fromhex("81 ff 0000000040000000 37fa213d" if masked else "81 7f 0000000040000000")
    # Its key divides the size of the reads, so that they are all the same.
    read = xor_mask(ASCII, MASK_KEY) if masked else ASCII
    grown, left = growth(passing, chain([head], repeat(read, size // READ_BYTES)))
    assert grown < GROWTH_BYTES
    assert left >= size
    assert passing.messages == 1


@every_pair
def test_text_that_is_cut_inside_characters_passes_in_bounded_memory(source: str, target: str, role: Role) -> None:
    size = 64 * MIB
    passing = direction(source, target, role, UNLIMITED)
    write = Writer(source, role)
    # Of 2 bytes a character, each fragment ends inside one, and the next begins with the rest of it.
    first = write(text(b"\xd1".rjust(READ_BYTES), final=False))
    between = write(text(b"\x80" + b"\xd1\x80" * (READ_BYTES // 2 - 1) + b"\xd1", final=False))
    reads = chain([first], repeat(between, size // READ_BYTES), [write(text(b"\x80"))])
    grown, left = growth(passing, reads)
    assert grown < GROWTH_BYTES
    assert left >= size
    assert passing.messages == 1


# -- hostile input ----------------------------------------------------------------------------------------------

# What is said once, what is said then in each read, and how many reads there are.
ENDLESS: dict[str, tuple[list[Event], list[Event], int]] = {
    "a text": ([text(ASCII, final=False)], [text(ASCII, final=False)], 64),
    "text that is always cut": ([text(b"\xf0", final=False)], [text(b"\x9f\x98\x80\xf0", final=False)] * 2048, 4),
    "fragments": ([text(b"x", final=False)], [text(b"x", final=False)] * 2048, 4),
    "empty fragments": ([text(b"", final=False)], [text(b"", final=False)] * 2048, 4),
    "empty texts": ([], [text(b"")] * 2048, 4),
    "pings": ([], [Ping(bytes(125))] * 512, 4),
}
# The frame that never comes to its last byte.
UNFINISHED: dict[str, Event] = {
    "a text byte by byte": text(b"x" * (READ_BYTES // 4)),
    "a ping byte by byte": Ping(bytes(125)),
}
# hixie-75, 4.2: frames without a meaning are passed over; and what no encoder writes.
OF_HIXIE = {
    "a reserved text": [b"\x01", *[ASCII] * 64],
    "a reserved frame": [b"\xfe\xff\xff\xff\xff\x7f", *[ASCII] * 64],
    "empty reserved frames": [b"\x80\x00" * 2048] * 4,
    "broken text byte by byte": byte_by_byte(b"\x00" + b"\xed" * (READ_BYTES // 4)),
}


def hostile(source: str) -> dict[str, list[bytes]]:
    """What an upstream may send for ever."""
    framing = DIALECTS[source].framing
    found: dict[str, list[bytes]] = dict(OF_HIXIE) if framing.delimits_text else {}
    for what, (once, again, times) in ENDLESS.items():
        if framing.carries_ping or what != "pings":
            write = Writer(source, Role.CLIENT)
            found[what] = [b"".join(map(write, once)), *[b"".join(map(write, again))] * times]
    for what, event in UNFINISHED.items():
        if framing.carries_ping or not isinstance(event, Ping):
            found[what] = byte_by_byte(Writer(source, Role.CLIENT)(event)[:-1])
    return found


HOSTILE = [
    pytest.param(source, target, reads, id=f"{what} from {source} to {target}")
    for source in DISTINCT
    for target in DISTINCT
    for what, reads in hostile(source).items()
]


@pytest.mark.parametrize(("source", "target", "reads"), HOSTILE)
def test_a_translator_keeps_little_of_hostile_input(source: str, target: str, reads: list[bytes]) -> None:
    passing = direction(source, target, Role.CLIENT, UNLIMITED)
    gc.collect()
    tracemalloc.start()
    try:
        for read in reads:
            assert passing.feed(read).ending is None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < KEPT_BYTES
