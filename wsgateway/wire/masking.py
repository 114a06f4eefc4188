"""Masks of client frames: XOR with a 4-byte key (RFC 6455, 5.3), and where the keys come from."""

from collections.abc import Callable, Iterator

Entropy = Callable[[int], bytes]
"""Gives that many unpredictable bytes, as `os.urandom` does."""

# One call to the operating system serves this many keys: a call for each would cost more than its frame.
KEYS_PER_CALL = 1024


def xor_mask(data: bytes, key: bytes) -> bytes:
    """Masks or unmasks `data` with a key of 4 bytes, in Python alone: the arithmetic of big integers does it."""
    size = len(data)
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


apply_mask: Callable[[bytes, bytes], bytes]
try:
    from websockets.speedups import apply_mask
except ImportError:
    apply_mask = xor_mask


def rotate(key: bytes, offset: int) -> bytes:
    """The key as it stands `offset` bytes into a payload."""
    offset &= 3
    return key[offset:] + key[:offset]


def mask_keys(entropy: Entropy) -> Iterator[bytes]:
    """Keys of 4 bytes without end, each for one frame. RFC 6455, 5.3: none may be predictable from those before it."""
    while True:
        pool = entropy(4 * KEYS_PER_CALL)
        for at in range(0, len(pool), 4):
            yield pool[at : at + 4]
