"""What all tests share: how many processes run them, `--no-skips`, with which a skipped test fails a run, and a file.

Tests that need a browser or Node are skipped where it is missing, so that the suite runs anywhere; where it must not
be missing, nobody should have to read the summary to find out.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Each one starts the browser and the old libraries anew.
MOST_PROCESSES = 4
# Hypothesis would fail a test of which one example, or the making of them, is slow: a busy machine is slow at any time.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# What commands print is compared, and has no colours then.
os.environ.pop("FORCE_COLOR", None)
# Tests start hundreds of programs. Where Python may not keep what it has compiled, each compiles all modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="fail if any test is skipped")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return what `-n auto` means: one more than there are processors, as many tests wait for programs."""
    return min(len(os.sched_getaffinity(0)) + 1, MOST_PROCESSES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """For the configuration of a gateway."""
    return tmp_path / "gateway.yaml"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("no_skips"):
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.section("skipped, with --no-skips")
        for report in skipped:
            reporter.line(str(report.nodeid))
