"""What the README claims, held against the code."""

import doctest
import re
import socket
import subprocess
import sys
from pathlib import Path

import wsgateway.dialects
from tests.support import PATIENCE_SECONDS, configuration, head_of
from wsgateway.dialects import DIALECTS
from wsgateway.observe.pages import pages
from wsgateway.observe.status import Status
from wsgateway.wire.oddities import Oddity

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def section(heading: str) -> str:
    """What stands below a heading."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def snippets() -> list[str]:
    """What stands in the blocks of Python."""
    return re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_table_of_dialects_is_the_one_that_the_gateway_has() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section("Who speaks what"), re.MULTILINE)
    assert rows == [(dialect.name, dialect.spoken_by) for dialect in DIALECTS.values()]


def test_the_table_of_oddities_is_the_one_that_the_gateway_has() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| .+ \| .+ \| (on|off) \|$", section("What old programs do otherwise"), re.MULTILINE
    )
    assert rows == [(each.label, "on" if each.default else "off") for each in Oddity]


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
    [block] = [each for each in snippets() if each.startswith(">>> ")]
    examples = doctest.DocTestParser().get_doctest(block, {}, "README.md", "README.md", 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)
    assert result.attempted > 10
    assert not result.failed, "".join(said)


def test_a_whole_gateway_runs_in_a_program_of_somebody_else(tmp_path: Path) -> None:
    [program] = [block for block in snippets() if "trio.run(main)" in block]
    text = configuration(9).replace("name: public, ", "")
    (tmp_path / "wsgateway.yaml").write_text(f'{text}admin: {{bind: "127.0.0.1:0"}}\n')
    command = [sys.executable, "-W", "error", "-u", "-c", program]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None, "it was opened as a pipe"
            found = re.fullmatch(
                r"{'listener-1': \[Address\(host='127.0.0.1', port=(\d+)\)\]}\n", process.stdout.readline()
            )
            assert found is not None
            with socket.create_connection(("127.0.0.1", int(found[1])), PATIENCE_SECONDS) as client:
                client.sendall(head_of("GET / HTTP/1.1", "Host: example.com"))
                assert client.recv(4096).startswith(b"HTTP/1.1 426 ")
        finally:
            process.kill()


def test_a_type_checker_finds_nothing_wrong_with_the_snippets(tmp_path: Path) -> None:
    files = []
    for number, block in enumerate(snippets()):
        examples = doctest.DocTestParser().get_examples(block)
        files.append(tmp_path / f"snippet_{number}.py")
        files[-1].write_text("".join(each.source for each in examples) or block)
    assert len(files) == 2
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_library_does_what_its_own_docstring_says() -> None:
    result = doctest.testmod(wsgateway.dialects)
    assert result.attempted > 10
    assert not result.failed
