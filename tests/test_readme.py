"""What the README claims, held against the code."""

import doctest
import re
import socket
from pathlib import Path
from typing import Any

import trio
import trio.testing

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
    block = re.search(r"^```python\n(>>> .*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert block is not None
    examples = doctest.DocTestParser().get_doctest(block[1], {}, "README.md", "README.md", 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)
    assert result.attempted > 10
    assert not result.failed, "".join(said)


async def test_a_whole_gateway_runs_in_a_program_of_somebody_else(tmp_path: Path) -> None:
    block = re.search(r"^```python\n(from .*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert block is not None
    program: dict[str, Any] = {}
    exec(block[1], program)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        (tmp_path / "gateway.yaml").write_text(configuration(9).replace("127.0.0.1:0", f"127.0.0.2:{port}"))
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(program["serve"], tmp_path / "gateway.yaml")
                await trio.testing.wait_all_tasks_blocked()
                async with await trio.open_tcp_stream("127.0.0.2", port) as client:
                    await client.send_all(head_of("GET / HTTP/1.1", "Host: example.com"))
                    assert (await client.receive_some()).startswith(b"HTTP/1.1 426 ")
                nursery.cancel_scope.cancel()


def test_the_library_does_what_its_own_docstring_says() -> None:
    result = doctest.testmod(wsgateway.dialects)
    assert result.attempted > 10
    assert not result.failed
