"""Which files of tests run which lines: only these can notice a change there."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HOOKS = Path(__file__).parent / "reached"


def environment(folder: Path, reached: Path) -> dict[str, str]:
    """Return the variables with which a process notes the lines of a copy that run, in a file."""
    return {
        "PYTHONPATH": str(HOOKS),
        "WSGATEWAY_SOURCES": f"{folder / 'wsgateway'}/",
        "WSGATEWAY_REACHED": str(reached),
    }


@dataclass(frozen=True)
class Reach:
    """The files of tests that run each line of a function."""

    tests: list[str]
    """all of them"""
    runners: dict[tuple[str, int], set[str]]
    """by module and line"""
    unsure: frozenset[str] = frozenset()
    """files of which it is not known what they run"""

    def of(self, module: str, source: str, line: int) -> list[str]:
        """Return the files of tests that may run what is in a line of a module."""
        lines = together(source, line)
        if lines is None:  # it runs at the import
            return self.tests
        runners = self.unsure.union(*(self.runners.get((module, each), ()) for each in lines))
        return self.tests if "" in runners else [test for test in self.tests if test in runners]


def read(text: str, tests: list[str], unsure: Iterable[str] = ()) -> Reach:
    """Return what processes have noted."""
    runners: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for noted in text.splitlines():
        test, module, line = noted.split("\t")
        runners[module, int(line)].add(test)  # the test is empty at an import
    return Reach(tests, dict(runners), frozenset(unsure))


def together(source: str, line: int) -> set[int] | None:
    """Return the lines of the statement in the body of a function that has this line, without its own body.

    None: the line is outside of all functions.
    """
    found: ast.stmt | None = None
    inside = False
    for node in ast.walk(ast.parse(source)):  # a statement comes after those around it
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            found = node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = inside or node.body[0].lineno <= line <= (node.end_lineno or 0)
    if found is None or not inside:
        return None
    body = getattr(found, "body", None) or getattr(found, "cases", None)
    last = _first_line(body[0]) - 1 if body else found.end_lineno or 0
    return {line, *range(found.lineno, last + 1)}


def _first_line(node: ast.AST) -> int:
    return node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno  # type: ignore[attr-defined]
