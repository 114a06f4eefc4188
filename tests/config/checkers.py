"""Programs that check files for other programs. They come with the extra `deploy`, and stand beside our interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "config"
INSTALLATION = ".venv/bin/pip install -q -e '.[deploy]'"


def complaints(program: str, *arguments: str | Path) -> str:
    """Return what a program says of a file that it finds something wrong with; nothing if all is well."""
    executable = Path(sys.executable).parent / program
    if not executable.exists():
        pytest.skip(f"{program} is missing: {INSTALLATION}")
    checked = subprocess.run([executable, *arguments], capture_output=True, text=True, check=False)
    said = checked.stdout + checked.stderr
    return f"{program}: {said}" if checked.returncode else ""
