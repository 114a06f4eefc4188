"""`--no-skips`, in one process and in several."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import pytest

def test_that_passes(): pass

@pytest.mark.skip(reason="no browser")
def test_that_is_skipped(): pass
"""


# Which this has no use for, and which take their time to start.
WITHOUT = [argument for plugin in ("cacheprovider", "hypothesispytest", "trio") for argument in ("-p", f"no:{plugin}")]


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--no-skips",), 1), (("--no-skips", "-n", "2"), 1)])
def test_a_skipped_test_fails_the_run_only_if_none_may_be(options: tuple[str, ...], code: int, tmp_path: Path) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", *WITHOUT, *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # meant for us
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("1 passed, 1 skipped in ")
    assert ("test_it.py::test_that_is_skipped" in done.stdout) is (code == 1)
