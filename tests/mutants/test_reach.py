"""Which files of tests run which lines, in their process and in those that they start."""

import re
import threading

import pytest

from .__main__ import noted
from .reach import Reach, together

MODULE = """\
LIMIT = 1

def at_import():
    return 2

VALUE = at_import()

class A:
    field = 3

    def method(self, of=4,
               more=5):
        if of == (
            6
        ):
            return 7
        return [
            8
        ]

    if LIMIT:
        def other(self, of=0):
            match of:
                case 9 if of < 10:
                    pass
                case 0:
                    pass
            def inner(more=11):
                return 12
            return inner

def in_process():
    return lambda: 13

def nowhere():
    for each in range(
        14 * 1000
    ):
        often(each)

def often(number):
    if number < 0:
        return 15
"""
TOGETHER = {  # a line by its number in the text, and the lines of its statement
    1: None,
    2: {4},
    3: None,
    4: None,
    5: None,
    6: {13, 14, 15},
    7: {16},
    8: {17, 18, 19},
    9: {23, 24},
    11: {28},
    12: {29},
    13: {33},
    14: {36, 37, 38},
    15: {43},
}
TESTS = {
    "tests/test_a.py": "from wsgateway.m import A\ndef test_a():\n    A().method(6)\n    A().other()()",
    # A process that ends without an exit.
    "tests/test_b.py": "import os, subprocess, sys\n"
    "CODE = 'from wsgateway.m import in_process; import os; in_process(); os._exit(1)'\n"
    "def test_b():\n    subprocess.run([sys.executable, '-c', CODE])",
    "tests/test_c.py": "from threading import Thread\nfrom wsgateway.m import A, nowhere\ndef test_c():\n"
    "    thread = Thread(target=A().method)\n    thread.start()\n    thread.join()\n    nowhere()",
    # It fails if it is looked at.
    "tests/test_d.py": "import sys\ndef test_d(): assert sys.gettrace() is None",
}


def line_of(number: int) -> int:
    [line] = [at for at, line in enumerate(MODULE.splitlines(), 1) if str(number) in re.findall(r"\d+", line)]
    return line


@pytest.mark.parametrize(("number", "lines"), TOGETHER.items())
def test_a_line_is_in_a_statement_of_a_function_or_runs_at_the_import(number: int, lines: set[int] | None) -> None:
    assert together(MODULE, line_of(number)) == lines


@pytest.fixture(scope="module")
def reach(tmp_path_factory: pytest.TempPathFactory) -> Reach:
    folder = tmp_path_factory.mktemp("copy")
    for name, text in {"wsgateway/__init__.py": "", "wsgateway/m.py": MODULE, **TESTS}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    found, seconds = noted(folder, list(TESTS), threading.Event())
    assert seconds["tests/test_b.py"] > 0
    return found


RUNNERS = {  # of the statement with this number, by the letters of their names
    6: "acd",
    7: "ad",
    8: "cd",
    9: "ad",
    11: "ad",
    12: "ad",
    13: "bd",
    14: "cd",
    # What is called more often than anybody looks at it counts as run in all its lines.
    15: "cd",
    # What runs at an import counts for all.
    1: "abcd",
    2: "abcd",
    5: "abcd",
}


@pytest.mark.parametrize(("number", "letters"), RUNNERS.items())
def test_the_files_of_tests_that_run_a_line_are_known(number: int, letters: str, reach: Reach) -> None:
    assert reach.of("m.py", MODULE, line_of(number)) == [f"tests/test_{letter}.py" for letter in letters]
