"""Note which lines of functions of the gateway run, for which file of tests. Standard library only.

Python imports this module at the start of each process that has this folder in its path (see `reach`): in that of the
tests, and in those that they start. A process may be killed, so each line is written down when it first runs. No
descriptor stays open for that: some tests count them, or pass on those with certain numbers.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any

# After so many calls all lines of a function count as run, as it costs too much to look at each one.
MOST_CALLS = 1000
_OPTIMIZED = 1  # the code of a function, and not that of a module or a class (see `inspect.CO_OPTIMIZED`)
_SOURCES, _FILE = os.environ["WSGATEWAY_SOURCES"], os.environ["WSGATEWAY_REACHED"]
_codes: dict[int, CodeType] = {}  # a reference, so that no other one gets the same id
_left: dict[int, int] = {}  # calls that are looked at
_known: set[tuple[int, int]] = set()
_tests = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]


def _enter(frame: FrameType, event: str, argument: object) -> Callable[[FrameType, str, Any], Any] | None:
    code = frame.f_code
    number = id(code)
    left = _left.get(number)
    if left is None:
        _codes[number] = code
        ours = code.co_filename.startswith(_SOURCES) and code.co_flags & _OPTIMIZED
        left = _left[number] = MOST_CALLS if ours else 0
    if left == 0:
        return None
    _left[number] = left - 1
    if left == 1:
        _note(code, {line for _, _, line in code.co_lines() if line})
        return None
    return _line


def _line(frame: FrameType, event: str, argument: object) -> Callable[[FrameType, str, Any], Any]:
    key = (id(frame.f_code), frame.f_lineno)
    if key not in _known:
        _known.add(key)
        _note(frame.f_code, [frame.f_lineno])
    return _line


def _note(code: CodeType, lines: Iterable[int]) -> None:
    text = "".join(f"{_tests}\t{code.co_filename[len(_SOURCES) :]}\t{line}\n" for line in lines)
    with suppress(OSError):  # a test may allow few descriptors
        out = os.open(_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        os.write(out, text.encode())
        os.close(out)


def begin(tests: str) -> None:
    """Note for another file of tests from now on. A test may have ended the tracing of this thread."""
    global _tests
    if tests != _tests:
        _tests = tests
        _known.clear()
        _left.clear()
    sys.settrace(_enter)


threading.settrace(_enter)
sys.settrace(_enter)
