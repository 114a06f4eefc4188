"""The documents of the project, as tests read them. As a program it writes the tables and files that are made from the
code:

python -m tests.documents
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.settings.reference import reference
from tests.test_architecture import MAY_IMPORT
from wsgateway.errors import Group, Reason
from wsgateway.observe.series import FAMILIES
from wsgateway.settings.example import complete_example, minimal_example
from wsgateway.settings.json_schema import json_schema

ROOT = Path(__file__).parent.parent
NAMES = ("README.md", "config/README.md", "wsgateway/README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
README, MANUAL, GUIDE = NAMES[:3]
"""for strangers, for operators, for those who change the code; tests/README.md has tests of its own"""


def text(name: str) -> str:
    """Return what is in a document."""
    return (ROOT / name).read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code."""

    document: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of all documents that are in one of these languages."""
    found = (
        Block(name, *match.groups())
        for name in NAMES
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text(name), re.DOTALL | re.MULTILINE)
    )
    return [block for block in found if block.language in languages]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what it prints, if the document says that."""

    document: str
    line: str
    output: str = ""


def commands() -> Iterator[Command]:
    """Yield the commands of all documents: each line of sh, without its comment, and what `$` stands before."""
    for block in blocks("sh"):
        for line in block.text.splitlines():
            if command := re.sub(r"(^|\s)# .*", "", line).strip():
                yield Command(block.document, command)
    for block in blocks("console"):
        for session in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, output = session.partition("\n")
            yield Command(block.document, command, output)


def rows(name: str, heading: str) -> list[tuple[str, ...]]:
    """Return the cells of the table below a heading of a document, without its own heading."""
    below = re.split(rf"^#+ {re.escape(heading)}$", text(name), flags=re.MULTILINE)
    assert len(below) == 2, f"{name} has no heading {heading!r}, or more than one"
    lines = re.split(r"^#+ ", below[1], flags=re.MULTILINE)[0].splitlines()
    table = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    return table[2:]


# -- tables that are made from the code ------------------------------------------------------------------------


def metrics() -> str:
    """Return the table of all metrics."""
    lines = ["| metric | type | labels | what it says |", "|---|---|---|---|"]
    for kind, several in FAMILIES:
        for series in several:
            labels = ", ".join(f"`{label}`" for label in series.labels)
            lines.append(f"| `{series.full(kind)}` | {kind} | {labels} | {series.help} |")
    return "\n".join(lines)


def reasons() -> str:
    """Return the tables of all reasons, one for each group."""
    lines: list[str] = []
    for group in Group:
        lines += [f"### {group.value}", "", "| reason | told | cause | cure |", "|---|---|---|---|"]
        for each in Reason:
            if each.group is group:
                lines.append(f"| `{each}` | {each.code or ''} | {each.cause} | {each.cure} |")
        lines.append("")
    return "\n".join(lines).strip()


def parts() -> str:
    """Return the table of all parts of the package. What each does is kept as it is written there."""
    does = {part: text_ for part, text_, _ in rows(GUIDE, "The map")}
    lines = ["| part | what it does | what it imports |", "|---|---|---|"]
    for part, imported in MAY_IMPORT.items():
        names = ", ".join(f"`{name}`" for name in sorted(imported))
        lines.append(f"| `{part}` | {does.get(f'`{part}`', '')} | {names} |")
    return "\n".join(lines)


TABLES: dict[tuple[str, str], Callable[[], str]] = {
    (MANUAL, "reasons"): reasons,
    (MANUAL, "metrics"): metrics,
    (MANUAL, "keys"): reference,
    (GUIDE, "map"): parts,
}
"""by the document, and the mark between which and its end a table stands"""


FILES: dict[str, Callable[[], str]] = {
    "config/wsgateway.yaml": complete_example,
    "config/minimal.yaml": minimal_example,
    "config/wsgateway.schema.json": lambda: json.dumps(json_schema(), indent=2) + "\n",
}
"""what the commands `example` and `schema` print, for readers of the repository"""


def with_table(document: str, mark: str, table: str) -> str:
    """Return a document with this table between its marks."""
    parts = re.fullmatch(rf"(.*\n<!-- {mark} -->\n).*?(<!-- /{mark} -->\n.*)", text(document), re.DOTALL)
    assert parts is not None, f"{document} has no <!-- {mark} --> and <!-- /{mark} -->"
    return f"{parts[1]}{table}\n{parts[2]}"


def write() -> Iterator[str]:
    """Write all tables and files that are not as the code says. Yield the names of those that were not."""
    for (document, mark), make in TABLES.items():
        yield from _write(ROOT / document, with_table(document, mark, make()), f"{document}: the table {mark}")
    for name, make in FILES.items():
        yield from _write(ROOT / name, make(), name)


def _write(file: Path, content: str, name: str) -> Iterator[str]:
    if file.read_text("utf-8") != content:
        file.write_text(content, "utf-8")
        yield name


if __name__ == "__main__":
    print("\n".join(f"{name}: written" for name in write()) or "all is up to date")
