"""The masks of client frames: XOR with a repeated key (RFC 6455, 5.3), and a supply of keys."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from struct import Struct

from wsgateway.native import step

Entropy = Callable[[int], bytes]
"""returns that many unpredictable bytes, as `os.urandom` does"""

# One call to the operating system provides this many keys: a call for each key would cost more than its frame.
KEYS_PER_CALL = 256
_KEYS = Struct(KEYS_PER_CALL * "4s")


def xor_mask(data: bytes | bytearray, key: bytes) -> bytes:
    """Mask or unmask `data` with a key of any length, in Python alone, by arithmetic with big integers."""
    size = len(data)
    pad = (key * (size // len(key) + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


apply_mask: Callable[[bytes | bytearray, bytes], bytes] = xor_mask if step is None else step.apply_mask


def mask(data: bytes, key: bytes) -> bytes:
    """Mask or unmask `data`. Most keys have 4 bytes, for which there may be code in C; those of hybi-04 have 20."""
    return apply_mask(data, key) if len(key) == 4 else xor_mask(data, key)


def rotate(key: bytes, offset: int) -> bytes:
    """Return the key rotated for data that begins `offset` bytes after the beginning of the masked data."""
    offset %= len(key)
    return key[offset:] + key[:offset]


def mask_keys(entropy: Entropy) -> Iterator[bytes]:
    """Return an iterator over keys of 4 bytes without end, one for each frame.

    None may be predictable from the keys before it (RFC 6455, 5.3). No code in Python runs for a key.
    """
    return chain.from_iterable(map(_KEYS.unpack, map(entropy, repeat(_KEYS.size))))
