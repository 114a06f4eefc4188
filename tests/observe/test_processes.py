"""What the system says of a process, compared with what this one knows of itself."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wsgateway.observe.processes import figures


def test_the_figures_of_this_process_are_its_own() -> None:
    before = time.process_time()
    while time.process_time() < before + 0.05:  # the system counts hundredths
        pass
    with open(os.devnull, "rb"), open(os.devnull, "rb"):
        here = Path("/proc/self/fd")
        known = len(list(here.iterdir())) - 1  # without the descriptor that reads the directory
        [told] = figures({"me": os.getpid()})
    assert told["process"] == "me"
    assert told["open_fds"] == known
    assert told["max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 0 < told["cpu_seconds"] <= time.process_time() + 0.02
    assert told["resident_bytes"] < told["virtual_bytes"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 0 < told["resident_bytes"] <= 2 * peak


def test_the_start_of_a_process_is_a_time_of_the_clock_and_stays() -> None:
    begun = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        [told] = figures({"worker-1": process.pid})
        assert told["started"] == pytest.approx(begun, abs=30)
        assert figures({"worker-1": process.pid})[0]["started"] == told["started"]
        assert [each["process"] for each in figures({"me": os.getpid(), "worker-1": process.pid})] == ["me", "worker-1"]
        process.communicate(b"\n")
    assert figures({"worker-1": process.pid}) == []
