"""What the README claims, held against the code."""

import re
from pathlib import Path

from wsgateway.dialects import DIALECTS

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_table_of_dialects_is_the_one_that_the_gateway_has() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", README, re.MULTILINE)
    assert rows == [(dialect.name, dialect.spoken_by) for dialect in DIALECTS.values()]


def test_the_two_commands_are_one_line_each() -> None:
    for mark in ("demo", "test"):
        block = re.search(rf"<!-- {mark} -->\n```sh\n(.+)\n```", README)
        assert block is not None, mark
        assert block[1].startswith("python3 -m venv .venv && ")
