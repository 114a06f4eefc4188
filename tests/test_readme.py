"""What the documents say, held against the code. Their commands have tests of their own."""

import ast
import doctest
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import wsgateway.dialects
from tests.documents import FILES, GUIDE, MANUAL, NAMES, README, ROOT, TABLES, blocks, rows, text, with_table, write
from tests.heads import head_of
from tests.support import PATIENCE_SECONDS, configuration
from wsgateway.dialects import DIALECTS
from wsgateway.errors import Reason
from wsgateway.observe.pages import pages
from wsgateway.observe.status import Status
from wsgateway.settings.load import parse
from wsgateway.wire.oddities import Oddity

MOST_LINES_OF_THE_README = 150
SOURCES = {file: file.read_text("utf-8") for file in (ROOT / "wsgateway").rglob("*.py")}


def names_in(cell: str) -> list[str]:
    """Return what stands between backticks in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)


# -- the README ------------------------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len(text(README).splitlines()) <= MOST_LINES_OF_THE_README


def test_the_two_commands_are_one_line_each() -> None:
    for mark in ("demo", "test"):
        block = re.search(rf"<!-- {mark} -->\n```sh\n(.+)\n```", text(README))
        assert block is not None, mark
        assert block[1].startswith("python3 -m venv .venv && ")


def test_the_whole_configuration_of_the_readme_is_the_smallest_example() -> None:
    [block] = [each for each in blocks("yaml") if each.document == README]
    smallest = (ROOT / "config" / "minimal.yaml").read_text()
    assert block.text == re.sub(r"^#.*\n", "", smallest, flags=re.MULTILINE)


def test_the_table_of_dialects_is_the_one_that_the_gateway_has() -> None:
    assert rows(README, "Who speaks what") == [(f"`{each.name}`", each.spoken_by) for each in DIALECTS.values()]


def test_a_whole_gateway_runs_in_a_program_of_somebody_else(tmp_path: Path) -> None:
    [program] = [each.text for each in blocks("python") if each.document == README]
    file = configuration(9).replace("name: public, ", "")
    (tmp_path / "wsgateway.yaml").write_text(f'{file}admin: {{bind: "127.0.0.1:0"}}\n')
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


def test_no_link_of_the_readme_is_broken_on_a_package_index() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    assert project["project"]["dynamic"] == ["readme"]
    assert hook["fragments"] == [{"path": README}]
    shown = text(README)
    for substitution in hook["substitutions"]:
        shown = re.sub(substitution["pattern"], substitution["replacement"], shown)
    assert "](" not in shown
    assert "HAProxy, nginx or Caddy (config/README.md)" in shown
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for link in re.findall(r"\]\(([^)#]+)", text(README)):
        assert link.split("/")[0] in included, link


# -- the manual ------------------------------------------------------------------------------------------------


def test_the_table_of_oddities_is_the_one_that_the_gateway_has() -> None:
    table = rows(MANUAL, "What old programs do otherwise")
    assert [(name, default) for name, _, _, default in table] == [
        (f"`{each.label}`", "on" if each.default else "off") for each in Oddity
    ]


async def test_the_table_of_pages_is_what_a_gateway_has() -> None:
    async def status() -> Status:
        return {}

    assert [page for page, _ in rows(MANUAL, "Watch it")] == [f"`{page}`" for page in ("/", *pages(status))]


def test_each_file_for_operators_is_in_the_list() -> None:
    listed = re.findall(r"\[[^]]+\]\(([^)/]+)\)", " ".join(cell for cell, _ in rows(MANUAL, "The operator's manual")))
    assert sorted([*listed, "README.md"]) == sorted(path.name for path in (ROOT / "config").iterdir())


@pytest.mark.parametrize(("document", "mark"), TABLES)
def test_a_table_that_is_made_from_the_code_is_up_to_date(document: str, mark: str) -> None:
    assert with_table(document, mark, TABLES[document, mark]()) == text(document), "run python -m tests.documents"


def test_the_program_that_writes_tables_and_files_names_what_it_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (MANUAL, GUIDE, *FILES):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr("tests.documents.ROOT", tmp_path)
    list(write())  # from here on all is up to date
    guide, smallest = tmp_path / GUIDE, tmp_path / "config/minimal.yaml"
    before = guide.read_text("utf-8"), smallest.read_text("utf-8")
    guide.write_text(before[0].replace("` | `cli` |\n", "` | `errors` |\n"), "utf-8")
    smallest.write_text("version: 2\n", "utf-8")
    assert list(write()) == [f"{GUIDE}: the table map", "config/minimal.yaml"]
    assert (guide.read_text("utf-8"), smallest.read_text("utf-8")) == before
    assert list(write()) == []


def test_every_reason_of_a_symptom_is_one_that_there_is() -> None:
    named = [name for _, several, _ in rows(MANUAL, "Find out why") for name in names_in(several)]
    assert len(named) > 20
    assert set(named) <= {str(each) for each in Reason}


def logged() -> Iterator[tuple[str, set[str]]]:
    """Yield the events that a log is told in so many words, and the fields that go with each."""
    for source in SOURCES.values():
        for node in ast.walk(ast.parse(source)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            of, event = ast.unparse(node.func.value), node.args[0]
            if of.endswith("log") and isinstance(event, ast.Constant) and isinstance(event.value, str):
                yield event.value, {keyword.arg for keyword in node.keywords if keyword.arg is not None}


def test_every_event_of_the_log_is_in_the_manual_with_its_fields() -> None:
    table = rows(MANUAL, "Every event of the log")
    listed = {name for first, *_ in table for name in names_in(first)}
    for event, fields in logged():
        assert {event, *fields} <= listed, f"config/README.md does not have all of {event}: {fields}"
    # And nothing is listed that no line has. A target is up, down, ejected or draining.
    everything = "\n".join(SOURCES.values())
    for name in listed:
        begin = re.sub(r"^target (up|down|ejected|draining)$", "target {state}", name)
        assert re.search(
            rf"\"{re.escape(begin)}\"|\b{re.escape(name)}(: \w+)?=|^    {name}: (int|str)( = \"\")?$", everything, re.M
        ), name


# -- the guide -------------------------------------------------------------------------------------------------


def test_the_map_says_of_each_part_what_it_does() -> None:
    for part, does, _ in rows(GUIDE, "The map"):
        assert does, part


@pytest.mark.parametrize("heading", ["WebSocket", "A session", "Configuration and upstreams", "Processes"])
def test_each_term_of_the_glossary_is_in_its_module(heading: str) -> None:
    table = rows(GUIDE, heading)
    assert len(table) > 5
    for term, _, where in table:
        path, *names = names_in(where)
        source = (ROOT / "wsgateway" / path).read_text()
        for name in names:
            *within, own = name.split(".")
            assert all(re.search(rf"^class {each}\b", source, re.MULTILINE) for each in within), f"{term}: {name}"
            found = rf"^{'    ' * len(within)}(class|def|async def) {own}\b|^{own}\b.* = "
            assert re.search(found, source, re.MULTILINE), f"{term}: {name}"


def test_every_module_and_function_that_the_guide_names_is_there() -> None:
    for path in re.findall(r"`(\w+/\w+\.py)`", text(GUIDE)):
        assert (ROOT / "wsgateway" / path).exists() or (ROOT / path).exists(), path
    life = text(GUIDE).partition("## The life of a connection")[2].partition("\n## ")[0]
    for step in re.split(r"^\d+\. ", life, flags=re.MULTILINE)[1:]:
        for path, name in re.findall(r"\(`([\w/]+\.py)`, `([\w.]+)`\)", step):
            assert name.rpartition(".")[2] in (ROOT / "wsgateway" / path).read_text(), (path, name)


def test_the_library_does_what_the_guide_says() -> None:
    [block] = [each for each in blocks("python") if each.document == GUIDE]
    examples = doctest.DocTestParser().get_doctest(block.text, {}, GUIDE, GUIDE, 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)
    assert result.attempted > 10
    assert not result.failed, "".join(said)


def test_the_library_does_what_its_own_docstring_says() -> None:
    result = doctest.testmod(wsgateway.dialects)
    assert result.attempted > 10
    assert not result.failed


def test_a_type_checker_finds_nothing_wrong_with_the_snippets(tmp_path: Path) -> None:
    files = []
    for number, block in enumerate(blocks("python")):
        examples = doctest.DocTestParser().get_examples(block.text)
        files.append(tmp_path / f"snippet_{number}.py")
        files[-1].write_text("".join(each.source for each in examples) or block.text)
    assert len(files) == 2
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


# -- all of them -----------------------------------------------------------------------------------------------


def test_every_configuration_is_good() -> None:
    for block in blocks("yaml"):
        if block.text.startswith("version:"):
            parse(block.text, block.document)
        else:
            assert yaml.safe_load(block.text), block


def anchors(document: str) -> set[str]:
    """Return the anchors that the headings of a document get, as GitHub and others make them."""
    prose = re.sub(r"^```.*?^```$", "", text(document), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [*NAMES, "tests/README.md"])
def test_every_link_leads_to_a_file_of_the_repository_and_to_a_heading_of_it(document: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", text(document)):
        path, _, anchor = link.partition("#")
        assert "://" not in path, f"{link}: who knows for how long that is there?"
        file = ((ROOT / document).parent / path).resolve() if path else ROOT / document
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(str(file.relative_to(ROOT))), link
