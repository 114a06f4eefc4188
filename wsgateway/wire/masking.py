"""Masks of client frames: XOR with a key that repeats (RFC 6455, 5.3), and where the keys come from."""

from collections.abc import Callable, Iterator

Entropy = Callable[[int], bytes]
"""Gives that many unpredictable bytes, as `os.urandom` does."""

# One call to the operating system serves this many keys: a call for each would cost more than its frame.
KEYS_PER_CALL = 1024


def xor_mask(data: bytes | bytearray, key: bytes) -> bytes:
    """Masks or unmasks `data` with a key of any length, in Python alone: the arithmetic of big integers does it."""
    size = len(data)
    pad = (key * (size // len(key) + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


apply_mask: Callable[[bytes | bytearray, bytes], bytes]
try:
    from websockets.speedups import apply_mask
except ImportError:
    apply_mask = xor_mask


def mask(data: bytes, key: bytes) -> bytes:
    """Masks or unmasks `data`. Nearly all keys have 4 bytes, for which C may help; those of hybi-04 have 20."""
    return apply_mask(data, key) if len(key) == 4 else xor_mask(data, key)


def rotate(key: bytes, offset: int) -> bytes:
    """The key as it stands `offset` bytes into what it masks."""
    offset %= len(key)
    return key[offset:] + key[:offset]


def mask_keys(entropy: Entropy) -> Iterator[bytes]:
    """Keys of 4 bytes without end, each for one frame. RFC 6455, 5.3: none may be predictable from those before it."""
    while True:
        pool = entropy(4 * KEYS_PER_CALL)
        for at in range(0, len(pool), 4):
            yield pool[at : at + 4]
