"""A sample of changes, and whether tests notice them: each is tried in a copy, and nothing is left of it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from . import __main__
from .__main__ import ROOT, all_of, failed, files_of, sample, tried
from .equivalent import EQUIVALENT
from .groups import GROUPS, Group

# A module that one quick test holds.
BALANCE = Group(("upstream/balance.py",), ("upstream/test_balance.py",))


def test_a_seed_is_a_sample() -> None:
    first, again, other = (sample(BALANCE, "*", seed, 5) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 5
    assert {each.module for each in first} == {"upstream/balance.py"}


def test_every_module_is_in_one_group() -> None:
    several: list[set[object]] = [{each.module for each in all_of(group, "*")} for group in GROUPS.values()]
    assert sum(map(len, several)) == len(set[object]().union(*several))
    # The others hold nothing that could be changed.
    left = {each.relative_to(ROOT / "wsgateway").as_posix() for each in (ROOT / "wsgateway").rglob("*.py")}
    assert all(
        name.endswith(("__init__.py", "__main__.py")) or name in {"settings/dialects.py", "version.py"}
        for name in left - set.union(*several)
    )


def test_a_group_has_each_of_its_tests_once() -> None:
    for name, group in GROUPS.items():
        tests = files_of(group)
        assert tests, name
        assert len(tests) == len(set(tests))
        # A pattern without a test is one whose tests have another name now.
        assert all(any((ROOT / "tests").glob(each)) for each in group.tests), name


def test_a_change_is_noticed_by_a_test_that_holds_it_and_not_by_others(tmp_path: Path) -> None:
    before = (ROOT / "wsgateway" / "upstream" / "balance.py").read_text()
    [changed] = [each for each in sample(BALANCE, "*", 1, 1000) if each.change.kind == "1 -> 2"][:1]
    assert tried(files_of(BALANCE), [changed], [tmp_path / "holds"]) == []
    assert tried(["tests/upstream/test_health.py"], [changed], [tmp_path / "other"]) == [changed]
    for folder in (ROOT, tmp_path / "holds", tmp_path / "other"):
        assert (folder / "wsgateway" / "upstream" / "balance.py").read_text() == before


def test_tests_that_fail_without_a_change_are_no_measure(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="the tests fail without any change"):
        tried(["tests/there_is_no_such_test.py"], [], [tmp_path / "copy"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_ended_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.mutants", "--group", "relay", "--without", "relay/test_[!c]*"]
    with subprocess.Popen(
        [*command, "--without", "serve/*"], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as process:
        assert process.stdout is not None
        assert b"changes are possible" in process.stdout.readline()
        assert b"changes are tried" in process.stdout.readline()
        assert len(list(tmp_path.glob("mutants-*/0/wsgateway"))) == 1
        process.send_signal(number)
        process.stdout.read()
        assert process.wait() != 0
    assert list(tmp_path.iterdir()) == []


FAILING = {  # tests that pass are in the test above
    "fails": ("def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): assert 0", "FAILED tests/test_x.py::test_b"),
    "does not end": ("def test_a(): pass\ndef test_b():\n    while True: pass", "tests/test_x.py::test_b"),
    "stands still once": (
        "from pathlib import Path\nagain = Path(__file__).with_name('again')\n"
        "def test_a():\n    if not again.exists():\n        again.touch()\n        while True: pass\n"
        "def test_b(): pass\ndef test_c(): assert 0",
        "FAILED tests/test_x.py::test_c",
    ),
    "is too large": ("def test_a():\n    bytearray(9 * 1024**3)", "FAILED tests/test_x.py::test_a"),
    "is no Python": ("def", "ERROR tests/test_x.py"),
}


@pytest.mark.parametrize(("text", "said"), FAILING.values(), ids=FAILING)
def test_the_test_that_notices_is_named(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(text)
    if "while True" in text:
        monkeypatch.setattr(__main__, "STALL_SECONDS", 8.0)  # more than pytest takes to begin on a busy machine
    by = failed(tmp_path, ["tests/test_x.py"])
    assert by is not None
    assert by.startswith(said)


STARTS = """\
import subprocess, sys
from pathlib import Path

def test_a():
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    Path("pid").write_text(str(subprocess.Popen(command, start_new_session=True).pid))
    assert 0
"""


def test_what_a_test_has_started_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(STARTS)
    assert (failed(tmp_path, ["tests/test_x.py"]) or "").startswith("FAILED tests/test_x.py::test_a")
    with suppress(OSError):  # there is none, even if nobody has waited for the process
        assert Path("/proc", (tmp_path / "pid").read_text(), "environ").read_bytes() == b""


def test_what_is_known_to_do_nothing_is_there() -> None:
    found = {(each.module, each.text, each.change.kind) for group in GROUPS.values() for each in all_of(group, "*")}
    assert EQUIVALENT.keys() <= found
