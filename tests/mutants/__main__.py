"""`python -m tests.mutants`: sampled changes of the code, of which each should have a test fail. See --help."""

import argparse
import itertools
import os
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType

import pytest

from .equivalent import EQUIVALENT
from .groups import GROUPS, Group
from .reach import Reach, environment, read
from .sites import Change, changed, changes

ROOT = Path(__file__).parent.parent.parent
# What a copy needs not have.
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis")
# A change is noticed, too, if a test does not end in this time, and not in twice the time when it is run alone.
STALL_SECONDS = 30.0
_LOOK_SECONDS = 0.2
# A change may make a loop endless. So much a process of a copy may have, and write, before that is noticed: without
# a bound the kernel would end this command, too.
_MEMORY_BYTES = 8 * 1024**3
_FILE_BYTES = 1024**3
# The name of a variable that all processes of a copy have, with its folder.
_MARK = "WSGATEWAY_MUTANTS_COPY"
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(frozen=True)
class Mutant:
    """A change of a module."""

    module: str
    """below `wsgateway`"""
    number: int
    change: Change
    text: str
    """the line before"""

    def __str__(self) -> str:
        return f"{self.module}:{self.change.line}: {self.change.kind}: {self.text}"


def main() -> None:
    """Run the command. Exit with 1 if there are survivors."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Changes the code in one place at a time, in copies, and runs the tests that should notice. Prints"
        " the changes that none noticed, and which share was. With each seed it is another sample.",
    )
    parser.add_argument("--group", choices=GROUPS, required=True, help="what is changed, and which tests are run")
    parser.add_argument("--seed", type=int, default=1, help="of the sample; 1")
    parser.add_argument("--count", type=int, default=100, help="how many changes are tried; 100")
    parser.add_argument("--jobs", type=int, default=1, help="how many are tried at the same time; 1")
    parser.add_argument("--module", default="*", help="a pattern of names of modules, as upstream/p*; all of the group")
    parser.add_argument("--without", action="append", default=[], help="a pattern of tests, as upstream/test_c*")
    options = parser.parse_args()
    group = GROUPS[options.group]
    tests = [each for each in files_of(group) if not any(fnmatch(each, f"tests/{out}") for out in options.without)]
    mutants = sample(group, options.module, options.seed, options.count)
    with _stopped_by_signals() as stop, tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        survivors = tried(tests, mutants, [Path(folder, str(job)) for job in range(options.jobs)], stop)
    noticed = len(mutants) - len(survivors)
    print(f"\n{noticed} of {len(mutants)} were noticed, {100 * noticed / max(1, len(mutants)):.1f} %; survivors:")
    for mutant in sorted(survivors, key=str):
        print(f"  {mutant}")
    sys.exit(1 if survivors else 0)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Have signals that end the command set an event, so that it can end in order: no process and no copy is left."""
    stop = threading.Event()
    before = [(each, signal.signal(each, lambda *_: stop.set())) for each in _ENDING]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def files_of(group: Group) -> list[str]:
    """Return the files of the group's tests, each once, in their order."""
    files = [file for each in group.tests for file in sorted((ROOT / "tests").glob(each))]
    return [file.relative_to(ROOT).as_posix() for file in dict.fromkeys(files)]


def sample(group: Group, pattern: str, seed: int, count: int) -> list[Mutant]:
    """Return so many changes of the group's modules, without those that are known to do nothing."""
    every = all_of(group, pattern)
    left = [each for each in every if (each.module, each.text, each.change.kind) not in EQUIVALENT]
    print(f"{len(every)} changes are possible; {len(every) - len(left)} of them are known to do nothing", flush=True)
    return random.Random(seed).sample(left, min(count, len(left)))


def all_of(group: Group, pattern: str) -> list[Mutant]:
    """Return all changes of the group's modules that have such a name."""
    found: list[Mutant] = []
    for file in sorted((ROOT / "wsgateway").rglob("*.py")):
        module = file.relative_to(ROOT / "wsgateway").as_posix()
        if not any(fnmatch(module, each) for each in group.modules) or not fnmatch(module, pattern):
            continue
        if any(fnmatch(module, each) for each in group.not_these):
            continue
        source = file.read_text()
        lines = source.splitlines()
        found += [Mutant(module, at, each, lines[each.line - 1].strip()) for at, each in enumerate(changes(source))]
    return found


def tried(
    tests: list[str], mutants: Sequence[Mutant], folders: Sequence[Path], stop: threading.Event | None = None
) -> list[Mutant]:
    """Return the changes that no test noticed. Each folder is for one that is tried at the same time.

    Raise SystemExit if `stop` is set, as soon as all that was started has ended.
    """
    stop = stop or threading.Event()
    for folder in folders:
        shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    begun = time.monotonic()
    reach, seconds = noted(folders[0], tests, stop)
    if stop.is_set():
        sys.exit("stopped")
    usual = time.monotonic() - begun
    print(f"{len(mutants)} changes are tried; all tests, with notes of what they call, took {usual:.0f} s", flush=True)
    free: queue.Queue[Path] = queue.Queue()
    for folder in folders:
        free.put(folder)
    numbers, lock = itertools.count(1), threading.Lock()
    survivors: list[Mutant] = []
    # What has noticed a change of a module is likely to notice the next one.
    sharp: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def attempt(mutant: Mutant) -> None:
        if stop.is_set():
            return
        folder = free.get()
        file = folder / "wsgateway" / mutant.module
        source = file.read_text()
        file.write_text(changed(source, mutant.number))
        stem, times = Path(mutant.module).stem, sharp[mutant.module].copy()
        callers = sorted(
            reach.of(mutant.module, source, mutant.change.line),
            key=lambda test: (-times[test], stem not in test, seconds[test]),
        )
        try:
            by = failed(folder, callers, stop) if callers else None
        finally:
            file.write_text(source)
            free.put(folder)
        if stop.is_set():
            return
        with lock:
            print(f"{next(numbers):4} {'SURVIVED' if by is None else 'noticed '} {mutant}", flush=True)
            if by is None:
                survivors.append(mutant)
            else:
                sharp[mutant.module].update(test for test in tests if f"{test}:" in by)
                print(f"     by {by}", flush=True)

    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(attempt, mutants))
    if stop.is_set():
        sys.exit("stopped")
    return survivors


def noted(folder: Path, tests: list[str], stop: threading.Event) -> tuple[Reach, Counter[str]]:
    """Run all tests of a copy that is not changed. Return what they call, and how long each file takes, in seconds.

    Raise SystemExit if one fails. One that fails only while it is noted what it calls is run again without that.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as beside:
        reached = Path(beside, "reached")
        reached.touch()
        options = ("-p", "noted", "--durations=0", "--durations-min=0.005")
        run = _run(folder, (*options, *tests), stop, environment(folder, reached))
        text = reached.read_text()
    unsure = [
        test for test in tests if not run.ended or re.search(rf"^(FAILED|ERROR) {re.escape(test)}", run.said, re.M)
    ]
    if not run.passed and not stop.is_set():
        fault = failed(folder, unsure or tests, stop)
        if fault is not None and not stop.is_set():
            sys.exit(f"the tests fail without any change: {fault}")
    seconds: Counter[str] = Counter()
    for took, test in re.findall(r"^([\d.]+)s \w+ +(tests/[^:]+)::", run.said, re.M):
        seconds[test] += float(took)
    return read(text, tests, unsure), seconds


def failed(folder: Path, tests: list[str], stop: threading.Event | None = None) -> str | None:
    """Return what pytest says last of the first test of a copy that fails, or does not end. None: all pass.

    A test that does not end may have met a slow machine, so it is run again alone, with more time. Once `stop` is set
    what is returned means nothing.
    """
    stop = stop or threading.Event()
    left, passed = tests, list[str]()
    while True:
        run = _run(folder, ("-x", *(f"--deselect={each}" for each in passed), *left), stop)
        if run.ended or stop.is_set() or "::" not in run.named:
            return None if run.passed else run.named
        alone = _run(folder, (run.named,), stop, stall_seconds=2 * STALL_SECONDS)
        if not alone.passed:
            return alone.named if alone.ended else f"{run.named}, which does not end"
        passed.append(run.named)
        left = left[left.index(run.named.partition("::")[0]) :]


@dataclass(frozen=True)
class Run:
    """A run of pytest."""

    said: str
    ended: bool
    """by itself"""
    passed: bool
    named: str
    """what is said last of a test: of one that fails, or of the one that did not end"""


def _run(
    folder: Path,
    arguments: Sequence[str],
    stop: threading.Event,
    variables: Mapping[str, str] = MappingProxyType({}),
    stall_seconds: float | None = None,
) -> Run:
    """Run pytest in a copy until it ends, says nothing for too long, or `stop` is set.

    What tests have started ends with them.
    """
    command = [sys.executable, "-m", "pytest", "-v", "--tb=line", "-p", "no:cacheprovider", *arguments]
    with tempfile.TemporaryFile("w+") as output:
        # What the tests around this one were told is not for those of a copy.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        marked = {**inherited, **variables, _MARK: str(folder)}
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, start_new_session=True, env=marked
        )
        resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
        try:
            ended = _ends(process, output.fileno(), stop, stall_seconds or STALL_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            while _kill_marked(folder):
                continue
        output.seek(0)
        said = output.read()
    lines = (line for line in reversed(said.splitlines()) if line.startswith(("FAILED ", "ERROR ", "tests/")))
    passed = ended and process.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return Run(said, ended, passed, next(lines, "pytest named no test").strip())


def _kill_marked(folder: Path) -> bool:
    """Kill what the tests of a copy have started, in sessions of their own, too. Return whether there was anything."""
    found, mark = False, f"{_MARK}={folder}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if mark in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)
                found = True
    return found


def _ends(process: subprocess.Popen[bytes], output: int, stop: threading.Event, stall_seconds: float) -> bool:
    """Wait until pytest ends, or has said nothing for too long (it says something of each test), or `stop` is set."""
    size, moved = 0, time.monotonic()
    while not stop.is_set() and time.monotonic() - moved < stall_seconds:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_SECONDS)
            return True
        now = os.fstat(output).st_size
        if now != size:
            size, moved = now, time.monotonic()
    return False


if __name__ == "__main__":
    main()
