"""Masks, by code in C and in Python."""

import random
from collections.abc import Callable
from itertools import islice

import pytest
import websockets.speedups
import websockets.utils
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgateway.wire.masking import KEYS_PER_CALL, Entropy, apply_mask, mask, mask_keys, rotate, xor_mask

KEYS = st.binary(min_size=4, max_size=4)
# The keys of hybi-04 have 20 bytes.
LONG_KEYS = st.binary(min_size=20, max_size=20)
# hybi-04's own example: SHA-1(nonce + secret).
KEY_04 = "824035ac55463da62257d6fb167d1cdc73da0f8e"


@pytest.mark.parametrize("way", [xor_mask, apply_mask, mask])
@pytest.mark.parametrize(
    ("data", "key", "masked"),
    [
        ("48656c6c6f", "37fa213d", "7f9f4d5158"),  # RFC 6455, 5.7
        ("", "37fa213d", ""),
        ("00", "37fa213d", "37"),
        ("00000000", "37fa213d", "37fa213d"),
        ("ffffffffffff", "00ff00ff", "ff00ff00ff00"),
        ("61626300", "00000000", "61626300"),
    ],
)
def test_a_mask_is_repeated_over_the_data(
    way: Callable[[bytes, bytes], bytes], data: str, key: str, masked: str
) -> None:
    assert way(bytes.fromhex(data), bytes.fromhex(key)) == bytes.fromhex(masked)
    assert way(bytes.fromhex(masked), bytes.fromhex(key)) == bytes.fromhex(data)


@pytest.mark.parametrize("way", [xor_mask, mask])
@pytest.mark.parametrize(
    ("data", "key", "masked"),
    [
        ("840548656c6c6f", KEY_04, "06457dc9392a52"),  # pywebsocket, 2011
        ("", KEY_04, ""),
        ("00" * 41, KEY_04, KEY_04 * 2 + "82"),
        ("ff" * 20, KEY_04, "7dbfca53aab9c259dda82904e982e3238c25f071"),
        ("48656c6c6f", "01", "49646d6d6e"),
        ("48656c6c6f", "010203", "49676f6d6d"),
    ],
)
def test_a_key_may_have_any_length(way: Callable[[bytes, bytes], bytes], data: str, key: str, masked: str) -> None:
    assert way(bytes.fromhex(data), bytes.fromhex(key)) == bytes.fromhex(masked)
    assert way(bytes.fromhex(masked), bytes.fromhex(key)) == bytes.fromhex(data)


@pytest.mark.parametrize("size", [*range(50), 125, 126, 127, 1023, 65536, 70000])
def test_a_long_key_masks_as_a_loop_would(size: int) -> None:
    chance = random.Random(size)
    data, key = chance.randbytes(size), chance.randbytes(20)
    assert mask(data, key) == bytes(byte ^ key[at % 20] for at, byte in enumerate(data))


@pytest.mark.parametrize("size", [*range(20), 125, 126, 127, 1023, 1024, 1025, 65535, 65536, 65537, 70000])
def test_masking_in_python_equals_that_of_websockets(size: int) -> None:
    chance = random.Random(size)
    data, key = chance.randbytes(size), chance.randbytes(4)
    assert xor_mask(data, key) == websockets.utils.apply_mask(data, key) == websockets.speedups.apply_mask(data, key)


@settings(database=None, max_examples=200)
@given(data=st.binary(max_size=600), key=KEYS)
def test_masking_in_python_equals_that_of_websockets_for_any_bytes(data: bytes, key: bytes) -> None:
    assert xor_mask(data, key) == websockets.speedups.apply_mask(data, key)


@settings(database=None, max_examples=200)
@given(first=st.binary(max_size=50), second=st.binary(max_size=50), key=KEYS | LONG_KEYS)
def test_a_payload_in_two_pieces_is_masked_with_a_rotated_key(first: bytes, second: bytes, key: bytes) -> None:
    assert mask(first, key) + mask(second, rotate(key, len(first))) == mask(first + second, key)


def test_the_key_is_rotated_by_any_offset() -> None:
    assert [rotate(b"abcd", offset) for offset in (0, 1, 2, 3, 4, 2**40 + 1)] == [
        b"abcd",
        b"bcda",
        b"cdab",
        b"dabc",
        b"abcd",
        b"bcda",
    ]


def test_a_long_key_is_rotated_by_any_offset() -> None:
    key = bytes(range(20))
    assert rotate(key, 0) == rotate(key, 20) == rotate(key, 20 * 2**32) == key
    assert rotate(key, 4) == rotate(key, 24) == bytes([*range(4, 20), 0, 1, 2, 3])
    assert rotate(key, 19) == rotate(key, 2**32 + 3) == bytes([19, *range(19)])


def counted() -> tuple[Entropy, list[int]]:
    """Return entropy that counts (00000000, 00000001 and so on), and the list of the sizes that were requested."""
    calls: list[int] = []

    def entropy(size: int) -> bytes:
        start = sum(calls) // 4
        calls.append(size)
        return b"".join(number.to_bytes(4, "big") for number in range(start, start + size // 4))

    return entropy, calls


def test_each_key_is_used_once_and_entropy_is_read_for_many_keys_at_a_time() -> None:
    entropy, calls = counted()
    keys = list(islice(mask_keys(entropy), 2 * KEYS_PER_CALL + 1))
    assert keys == [number.to_bytes(4, "big") for number in range(2 * KEYS_PER_CALL + 1)]
    assert calls == [4 * KEYS_PER_CALL] * 3


def test_no_entropy_is_taken_before_the_first_key() -> None:
    entropy, calls = counted()
    keys = mask_keys(entropy)
    assert calls == []
    next(keys)
    assert len(calls) == 1
