"""The bounds hold under load, with fewer than `python -m tests.load` takes."""

from pathlib import Path

import pytest

from .crowd import crowd
from .flood import flood
from .reader import reader
from .slow import slow

MIB = 1024 * 1024


async def test_of_a_crowd_those_inside_are_served_and_all_others_are_told(tmp_path: Path) -> None:
    figures = await crowd(tmp_path, clients=600, places=100)
    assert figures.outcomes == {"accepted": 100, "served": 100, "refused": 500}


async def test_who_does_not_go_on_is_cut_and_others_are_served_meanwhile(tmp_path: Path) -> None:
    figures = await slow(tmp_path, drips=100, silent=100, timeouts="handshake: 8s, challenge: 1s")
    assert figures.ends == {"answered 408": 100, "cut without a proof": 100}
    assert figures.served > 0


@pytest.mark.parametrize("dialect", ["rfc6455", "hixie-76"])
async def test_clients_that_never_read_cost_little_however_much_is_for_them(dialect: str, tmp_path: Path) -> None:
    # 500 of them are to be had for 128 MiB in all, and the gateway itself has less than 64.
    figures = await flood(tmp_path, 50, dialect)
    assert figures.resident_bytes < 64 * MIB + 50 * (64 * MIB // 500)


async def test_a_client_that_reads_slowly_and_steadily_stays(tmp_path: Path) -> None:
    # It reads for longer than each of these times, which are longer than a busy machine stands still.
    options = {"timeouts": "send: 5s", "route": "keepalive: {interval: 500ms, timeout: 5s}"}
    figures = await reader(tmp_path, 200_000, 7.0, proxy=False, **options)
    assert figures.ended is None
    assert figures.read_bytes > 200_000
