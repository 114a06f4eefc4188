"""config/Dockerfile is well made, and takes what there is."""

import json
import re
import tomllib

from .checkers import CONFIG, complaints

FILE = CONFIG / "Dockerfile"
TEXT = FILE.read_text("utf-8")
ROOT = CONFIG.parent


def test_hadolint_finds_nothing_wrong() -> None:
    assert complaints("hadolint", FILE) == ""


def test_what_it_copies_is_there() -> None:
    copied = {name for names in re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, re.MULTILINE) for name in names.split()}
    assert {name for name in copied if not (ROOT / name).exists()} == set()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    readme = {part["path"] for part in declared["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"]}
    assert {"pyproject.toml", "wsgateway", *readme, *declared["project"]["license-files"]} == copied


def test_it_installs_extras_that_there_are() -> None:
    [extras] = re.findall(r"'\.\[(.+)\]'", TEXT)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def test_signals_reach_the_supervisor_itself() -> None:
    [command] = re.findall(r"^ENTRYPOINT (.+)$", TEXT, re.MULTILINE)
    [environment] = re.findall(r"-m venv (\S+)", TEXT)
    assert json.loads(command) == [f"{environment}/bin/wsgateway"]
