"""The command `census`: which files it takes, what it prints, and its exit status."""

import csv
import json
import time
from pathlib import Path

import pytest

from tests.support import configuration
from wsgateway.census.state import DAY, Batch, Period, Row, Run, State
from wsgateway.census.store import Store
from wsgateway.cli import main

DIALECT = "hixie-76"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "census.sqlite")


def write(path: str, days_ago: float = 0.5, covered: float = 60) -> None:
    """Write a census with one session, so many days ago."""
    now = time.time()
    seen = now - days_ago * DAY
    rows = [Row(DIALECT, name, value, 0, 1, seen, seen) for name, value in (("dialect", DIALECT), ("route", "chat"))]
    store = Store(path)
    store.open()
    state = State(rows, [Period(int(seen // DAY), DIALECT, 1, 1)], runs=[Run(now - covered * DAY, now)])
    store.write(Batch(state, True, 0))
    store.close()


def test_the_census_is_printed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path)
    assert main(["census", path]) == 0
    out = capsys.readouterr().out
    assert "hixie-76: last seen 12 hours ago, 1 session this month: in use" in out
    assert "\nhixie-76  route      chat" in out


def test_a_configuration_file_names_the_census(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(path)
    file = tmp_path / "gateway.yaml"
    file.write_text(f"{configuration(9)}census: {{file: census.sqlite}}\n")
    assert main(["census", str(file)]) == 0
    assert "hixie-76: last seen" in capsys.readouterr().out


def test_the_state_directory_of_systemd_has_the_census_of_a_configuration_that_does_not_say(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(path)
    file = tmp_path / "gateway.yaml"
    file.write_text(configuration(9))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert main(["census", str(file)]) == 0
    assert "hixie-76: last seen" in capsys.readouterr().out
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setattr("wsgateway.census.place.SYSTEM_DIRECTORY", "/no/such/directory")
    assert main(["census", str(file)]) == 1
    missing = "/no/such/directory/census.sqlite: No such file or directory"
    assert capsys.readouterr().err == f"{missing} (census.file of {file})\n"


def test_a_census_in_memory_is_in_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(f"{configuration(9)}census: {{file: none}}\n")
    assert main(["census", str(file)]) == 1
    assert "this gateway keeps its census in memory (census.file)" in capsys.readouterr().err


def test_it_is_printed_for_programs(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path)
    assert main(["census", "--json", path]) == 0
    assert json.loads(capsys.readouterr().out)["dialects"][DIALECT]["sessions"] == 1
    assert main(["census", path, "--csv"]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [line["value"] for line in lines] == [DIALECT, "chat"]


def test_several_gateways_are_merged(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path)
    write(f"{path}2")
    assert main(["census", "--merge", path, f"{path}2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dialects"][DIALECT]["sessions"] == 2


def test_a_dialect_in_use_is_a_fault_that_names_who_uses_it(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path)
    assert main(["census", path, "--require-unused", DIALECT]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1] == f"{path}: hixie-76: route chat, last seen 12 hours ago, 0 now"


def test_an_unused_dialect_is_no_fault(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path, days_ago=31)
    assert main(["census", path, "--require-unused", "hixie-75..76", "--require-unused", "hybi-04"]) == 0
    assert capsys.readouterr().out == "hixie-75, hixie-76, hybi-04: unused for 30 days\n"
    assert main(["census", path, "--require-unused", DIALECT, "--days", "40"]) == 1


def test_a_census_that_is_too_young_is_a_fault(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path, days_ago=4, covered=5)
    assert main(["census", path, "--require-unused", "hixie-75", "--days", "30"]) == 1
    assert f"{path}: the census covers 5 of the last 30 days, from " in capsys.readouterr().err


def test_one_gateway_of_several_that_needs_a_dialect_is_a_fault(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(path, days_ago=31)
    write(f"{path}2")
    assert main(["census", "--merge", path, f"{path}2", "--require-unused", DIALECT]) == 1
    assert all(line.startswith(f"{path}2: ") for line in capsys.readouterr().err.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "b"], "several FILEs need --merge"),
        (["a", "--days", "3"], "--days needs --require-unused"),
        (["a", "--require-unused", "hixie-77"], "'hixie-77' is not a dialect"),
        (["a", "--require-unused", "hixie-75", "--days", "0"], "'0' is not a number of days; write one from 1 to"),
        (["a", "--json", "--csv"], "not allowed with argument"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["census", *arguments])
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["census", path]) == 1
    assert capsys.readouterr().err == f"{path}: cannot be read: No such file or directory\n"


def test_a_census_is_not_counted_twice_under_two_names(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(path)
    file = tmp_path / "gateway.yaml"
    file.write_text(f"{configuration(9)}census: {{file: census.sqlite}}\n")
    assert main(["census", "--merge", str(file), path]) == 1
    assert capsys.readouterr().err == f"{path}: this census is given twice, and would count twice\n"
