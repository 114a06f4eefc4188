"""A sample of changes, and whether tests notice them: each is tried in a copy, and nothing is left of it."""

from pathlib import Path

import pytest

from . import __main__
from .__main__ import ROOT, files_of, passes, sample, tried
from .groups import GROUPS, Group

# A module that one quick test holds.
BALANCE = Group(("upstream/balance.py",), ("upstream/test_balance.py",))


def test_a_seed_is_a_sample() -> None:
    first, again, other = (sample(BALANCE, "*", seed, 5) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 5
    assert {each.module for each in first} == {"upstream/balance.py"}


def test_every_module_is_in_one_group() -> None:
    several = [{each.module for each in sample(group, "*", 1, 100_000)} for group in GROUPS.values()]
    assert sum(map(len, several)) == len(set[str]().union(*several))
    # The others hold nothing that could be changed.
    left = {each.relative_to(ROOT / "wsgateway").as_posix() for each in (ROOT / "wsgateway").rglob("*.py")}
    assert all(
        name.endswith(("__init__.py", "__main__.py")) or name in {"settings/dialects.py"}
        for name in left - set.union(*several)
    )


def test_a_group_begins_with_its_quick_tests_and_has_each_once() -> None:
    for name, group in GROUPS.items():
        tests = files_of(group)
        assert tests, name
        assert len(tests) == len(set(tests))
    assert files_of(GROUPS["upstream"])[0] == "tests/upstream/test_balance.py"


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


def test_a_test_that_takes_too_long_has_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_endless.py").write_text("def test():\n    while True: pass\n")
    monkeypatch.setattr(__main__, "STALL_SECONDS", 0.5)
    assert not passes(tmp_path, ["test_endless.py"])
