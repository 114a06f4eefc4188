"""What `.ci/run` installs, held against what tests ask for: there, nothing may be skipped."""

import re
from pathlib import Path

from tests.config import checkers
from tests.e2e.libraries import KINDS
from tests.e2e.programs import INSTALLATION

ROOT = Path(__file__).parent.parent
RUN = (ROOT / ".ci" / "run").read_text()


def test_the_folders_of_tests_that_run_on_other_systems_are_there() -> None:
    found = re.search(r"^sockets=\((.*)\)$", RUN, re.MULTILINE)
    assert found is not None
    for pattern in found[1].split():
        assert list(ROOT.glob(pattern)), pattern


def test_all_that_tests_ask_for_is_installed() -> None:
    installed = {package for packages in re.findall(r"packages\+?=\((.*?)\)", RUN) for package in packages.split()}
    asked = {*INSTALLATION.values(), checkers.INSTALLATION, *(kind.installation for kind in KINDS.values())}
    for installation in asked:
        command, _, packages = installation.partition(" install ")
        if command == "apt":
            assert set(packages.split()) <= installed
        else:
            assert installation in RUN
