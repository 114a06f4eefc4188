"""A message of any size passes in bounded memory, through every pair of framings and in both directions.

It comes in reads of about 64 KiB, and the memory of the process grows by less than GROWTH_BYTES. 1 GiB passes from and
to each framing; SOME_BYTES, several times the allowed growth, pass through all pairs of framings.

`tests.dialects.test_noise` tests how little a decoder keeps of hostile input; here it is the whole translator, with its
encoder and its filters.
"""

import resource
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import chain, product, repeat
from pathlib import Path

import pytest

from tests.cases import Decorator, cases
from tests.dialects.families import COVERED
from tests.dialects.feeding import binary, byte_by_byte, other, text
from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.dialects.base import Translator
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.binary import BinaryRule, Decode, Encode
from wsgateway.wire.events import Event, Ping, Role
from wsgateway.wire.masking import xor_mask

from .passing import CLIENT, SECRETS, UPSTREAM, direction
from .ways import DISTINCT

KIB, MIB = 1024, 1024 * 1024
READ_BYTES = 64 * KIB
GROWTH_BYTES = 8 * MIB
SOME_BYTES = 32 * MIB
MANY_BYTES = 1024 * MIB
KEPT_BYTES = 4 * KIB
UNLIMITED = Limits(message_bytes=2**40, fragments=2**40)

# One dialect for each framing.
FRAMINGS = [dialect.name for dialect in DISTINCT]
PAIRS = list(product(FRAMINGS, FRAMINGS, Role))
# In a ring, each framing is a target once and a source once. Masks of 04 are made in Python alone, which takes a second
# for 256 MiB: such frames come from an upstream and go to a client here, unmasked.
RING = [
    (source, target, UPSTREAM if "hybi-04" in (source, target) else role)
    for source, target, role in zip(FRAMINGS, [*FRAMINGS[1:], FRAMINGS[0]], [CLIENT, UPSTREAM] * 5, strict=False)
]


def on_each(pairs: Iterable[tuple[str, str, Role]]) -> Decorator:
    """Return a mark that runs a test from a source to a target; `role` is ours towards the source."""
    several = list(pairs)
    names = [f"{source} {'client' if role is CLIENT else 'upstream'} to {target}" for source, target, role in several]
    return cases(("source", "target", "role"), several, names)


ASCII = b"0123456789abcdef" * (READ_BYTES // 16)


class Writer:
    """Return what a peer sends; `role` is ours. Every frame has the same mask."""

    def __init__(self, source: str, role: Role) -> None:
        self._encoder = DIALECTS[source].framing.encoder(other(role), repeat(MASK_KEY), SECRETS[role])

    def __call__(self, event: Event) -> bytes:
        return self._encoder.send(event)


def resident_bytes() -> int:
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def growth(translator: Translator, reads: Iterable[bytes]) -> tuple[int, int]:
    """Return by how many bytes the process grew, at most, and how many bytes were sent."""
    before = most = resident_bytes()
    left = 0
    for number, read in enumerate(reads):
        step = translator.feed(read)
        assert step.ending is None
        left += len(step.forward)
        if number % 64 == 0:
            most = max(most, resident_bytes())
    return max(most, resident_bytes()) - before, left


def check_growth(passing: Translator, reads: Iterable[bytes], size: int) -> None:
    """Pass one message on until so many bytes or more have been sent."""
    grown, left = growth(passing, reads)
    assert grown < GROWTH_BYTES
    assert left >= size
    assert passing.messages == 1


def in_fragments(source: str, target: str, role: Role, size: int) -> None:
    passing = direction(source, target, role, TranslationOptions(UNLIMITED))
    write = Writer(source, role)
    first, between = write(text(ASCII, final=False)), write(text(ASCII, final=False))
    reads = chain([first], repeat(between, size // READ_BYTES - 1), [write(text(b""))])
    check_growth(passing, reads, size)


@on_each(RING)
def test_a_message_of_a_gib_passes_in_bounded_memory(source: str, target: str, role: Role) -> None:
    in_fragments(source, target, role, MANY_BYTES)


@on_each(PAIRS)
def test_a_large_message_passes_in_bounded_memory(source: str, target: str, role: Role) -> None:
    in_fragments(source, target, role, SOME_BYTES)


@pytest.mark.parametrize("target", FRAMINGS)
@pytest.mark.parametrize("role", Role)
def test_a_frame_of_a_gib_passes_in_bounded_memory(target: str, role: Role) -> None:
    size = 128 * MIB if (target, role) == ("hybi-04", CLIENT) else MANY_BYTES
    passing = direction("rfc6455", target, role, TranslationOptions(UNLIMITED))
    masked = role is CLIENT
    head = bytes([0x81, 0xFF if masked else 0x7F]) + size.to_bytes(8) + (MASK_KEY if masked else b"")
    # Its key divides the size of the reads, so that all reads are equal.
    read = xor_mask(ASCII, MASK_KEY) if masked else ASCII
    check_growth(passing, chain([head], repeat(read, size // READ_BYTES)), size)


@on_each(pair for pair in PAIRS if pair[2] is UPSTREAM)
def test_text_that_is_cut_inside_characters_passes_in_bounded_memory(source: str, target: str, role: Role) -> None:
    passing = direction(source, target, role, TranslationOptions(UNLIMITED))
    write = Writer(source, role)
    # Characters of 2 bytes; each fragment ends inside one, and the next begins with the rest of it.
    first = write(text(b"\xd1".rjust(READ_BYTES), final=False))
    between = write(text(b"\x80" + b"\xd1\x80" * (READ_BYTES // 2 - 1) + b"\xd1", final=False))
    reads = chain([first], repeat(between, SOME_BYTES // READ_BYTES), [write(text(b"\x80"))])
    check_growth(passing, reads, SOME_BYTES)


@pytest.mark.parametrize("encode", ["base64", "latin-1", "hex"])
def test_binary_becomes_text_in_bounded_memory(encode: Encode) -> None:
    passing = direction("rfc6455", "hixie-76", UPSTREAM, TranslationOptions(UNLIMITED, BinaryRule(encode)))
    # A size that is not a multiple of base64's groups.
    write = Writer("rfc6455", UPSTREAM)
    first, between = (write(binary(bytes(range(256)) * 256 + b"!", final=False)) for _ in range(2))
    reads = chain([first], repeat(between, SOME_BYTES // READ_BYTES), [write(binary(b""))])
    check_growth(passing, reads, SOME_BYTES)


@pytest.mark.parametrize(
    ("decode", "piece"), [("base64", b"AAAAA" * 13107), ("latin-1", b"\xc3\xbf" * 32768), ("hex", b"0" * 65535)]
)
def test_text_becomes_binary_in_bounded_memory(decode: Decode, piece: bytes) -> None:
    passing = direction("hixie-76", "rfc6455", UPSTREAM, TranslationOptions(UNLIMITED, BinaryRule(decode=decode)))
    # An even number of pieces that are multiples of 4 characters together.
    reads = chain([b"\x00"], repeat(piece, 4 * (SOME_BYTES // READ_BYTES)), [b"\xff"])
    check_growth(passing, reads, SOME_BYTES)


# -- hostile input ----------------------------------------------------------------------------------------------

# The first bytes, the bytes of each following read, and the number of reads.
ENDLESS: dict[str, tuple[list[Event], list[Event], int]] = {
    "a text": ([text(ASCII, final=False)], [text(ASCII, final=False)], 8),
    "text that is always cut": ([text(b"\xf0", final=False)], [text(b"\x9f\x98\x80\xf0", final=False)] * 300, 4),
    "fragments": ([text(b"x", final=False)], [text(b"x", final=False)] * 300, 4),
    "empty fragments": ([text(b"", final=False)], [text(b"", final=False)] * 300, 4),
    "empty texts": ([], [text(b"")] * 300, 4),
    "pings": ([], [Ping(bytes(125))] * 200, 4),
}


def slowly(data: bytes) -> list[bytes]:
    """Return the first bytes one by one: it shows if each is kept as an object. The others come in small pieces."""
    return [*byte_by_byte(data[:500]), *(data[at : at + 16] for at in range(500, len(data), 16))]


# A frame whose last byte never comes.
UNFINISHED: dict[str, Event] = {"a slow text": text(b"x" * 6 * KIB), "a slow ping": Ping(bytes(125))}
# hixie-75, 4.2: frames without a meaning are skipped; and bytes that no encoder writes.
OF_HIXIE = {
    "a reserved text": [b"\x01", *[ASCII] * 8],
    "a reserved frame": [b"\xfe\xff\xff\xff\xff\x7f", *[ASCII] * 8],
    "empty reserved frames": [b"\x80\x00" * 300] * 4,
    "a slow broken text": slowly(b"\x00" + b"\xed" * 6 * KIB),
}


def hostile(source: str, role: Role) -> dict[str, list[bytes]]:
    """Return what a peer may send without end; `role` is ours."""
    framing = DIALECTS[source].framing
    found: dict[str, list[bytes]] = dict(OF_HIXIE) if framing.delimits_text else {}
    for what, (once, again, times) in ENDLESS.items():
        if framing.carries_ping or what != "pings":
            write = Writer(source, role)
            found[what] = [b"".join(map(write, once)), *[b"".join(map(write, again))] * times]
    for what, event in UNFINISHED.items():
        if framing.carries_ping or not isinstance(event, Ping):
            found[what] = slowly(Writer(source, role)(event)[:-1])
    return found


# Each framing to itself, which passes frames unchanged where possible, and to the next. Only clients have masks that
# cover heads.
HOSTILE = {
    f"{what} from {source} to {target}": (source, target, role, reads)
    for source, target in [*zip(FRAMINGS, FRAMINGS, strict=True), *((source, target) for source, target, _ in RING)]
    for role in [CLIENT if source in COVERED else UPSTREAM]
    for what, reads in hostile(source, role).items()
}


# How often to measure until the result is small enough.
LOOKS = 3


def kept_bytes(make: Callable[[], Callable[[bytes], object]], reads: Iterable[bytes]) -> int:
    """Return how many bytes are still allocated after a new object has got all reads: the lowest of several.

    Each measurement is of a new object, so what the object keeps is in all of them. What is in some of them belongs to
    others: the thread in which pytest-xdist learns which tests are next takes some KiB for a list of them.
    """
    found: list[int] = []
    while len(found) < LOOKS and min(found, default=KEPT_BYTES) >= KEPT_BYTES:
        feed = make()
        tracemalloc.start()
        try:
            for read in reads:
                feed(read)
            found.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    return min(found)


@pytest.mark.parametrize(("busy_looks", "little"), [(0, True), (LOOKS - 1, True), (LOOKS, False)])
def test_memory_that_others_allocate_in_some_measurements_does_not_count(busy_looks: int, little: bool) -> None:
    looks = iter(range(LOOKS))
    others: list[bytes] = []

    def make() -> Callable[[bytes], object]:
        busy = next(looks) < busy_looks
        return lambda read: others.append(bytes(bytearray(KEPT_BYTES))) if busy else read

    assert (kept_bytes(make, [b"x"]) < KEPT_BYTES) is little


@cases(("source", "target", "role", "reads"), HOSTILE.values(), HOSTILE.keys())
@cases("join_bytes", [0, KIB])
def test_a_translator_keeps_little_of_hostile_input(
    source: str, target: str, role: Role, reads: list[bytes], join_bytes: int
) -> None:
    def make() -> Callable[[bytes], object]:
        passing = direction(source, target, role, TranslationOptions(Limits(2**40, 2**40, join_bytes)))

        def feed(read: bytes) -> None:
            assert passing.feed(read).ending is None

        return feed

    assert kept_bytes(make, reads) < KEPT_BYTES
