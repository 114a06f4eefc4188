"""What the README claims, held against the code."""

import doctest
import re
from pathlib import Path

import wsgateway.dialects
from wsgateway.dialects import DIALECTS
from wsgateway.observe.pages import pages
from wsgateway.observe.status import Status

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def section(heading: str) -> str:
    """What stands below a heading."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_table_of_dialects_is_the_one_that_the_gateway_has() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section("Who speaks what"), re.MULTILINE)
    assert rows == [(dialect.name, dialect.spoken_by) for dialect in DIALECTS.values()]


async def test_the_table_of_pages_is_what_a_gateway_has() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| .+ \|$", section("How it is"), re.MULTILINE)

    async def status() -> Status:
        return {}

    assert rows == list(pages(status))


def test_the_two_commands_are_one_line_each() -> None:
    for mark in ("demo", "test"):
        block = re.search(rf"<!-- {mark} -->\n```sh\n(.+)\n```", README)
        assert block is not None, mark
        assert block[1].startswith("python3 -m venv .venv && ")


def test_each_file_of_the_configuration_is_named() -> None:
    names = {path.name for path in (ROOT / "config").iterdir()}
    assert {name for name in names if f"(config/{name})" not in README} == set()


def test_the_library_does_what_the_readme_says() -> None:
    block = re.search(r"^```python\n(>>> .*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert block is not None
    examples = doctest.DocTestParser().get_doctest(block[1], {}, "README.md", "README.md", 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)
    assert result.attempted > 10
    assert not result.failed, "".join(said)


def test_the_library_does_what_its_own_docstring_says() -> None:
    result = doctest.testmod(wsgateway.dialects)
    assert result.attempted > 10
    assert not result.failed
