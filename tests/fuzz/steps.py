"""`python -m tests.fuzz.steps`: compares the translators in C with those in Python. See --help."""

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.relay.in_c import Both
from wsgateway import native
from wsgateway.native.build import MODULE, compile_module

from .directions import both, cases
from .frames import Inputs

# For how many inputs one pair of translators is used, unless it ends before that.
_INPUTS_EACH = 50
# The frames of all sides are made once for as many inputs.
_INPUTS_AT_ONCE = 250_000
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1")

# Python runs it at its start: the module in the folder of this file is loaded under the name of that of the package.
_PRELOAD = f"""
import importlib.util, pathlib, sys
name = "wsgateway.native._step"
spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).parent / "{MODULE}")
sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[name])
"""


def fuzz(seed: int, inputs: int) -> tuple[int, int]:
    """Compare so many inputs. Return how many there were, and how many bytes C took. Raise AssertionError."""
    chance = random.Random(seed)
    every = cases(chance)
    sources = {(case.source.name, case.role): Inputs(case.source, case.role, chance) for case in every}
    done = taken = 0
    while done < inputs:
        case = chance.choice(every)
        source = sources[case.source.name, case.role]
        translators = both(case)
        history: list[bytes] = []
        try:
            while len(history) < _INPUTS_EACH and not ends(translators, source.pieces(), history):
                pass
        except AssertionError:
            print(f"{case}\n\nafter {history!r}", file=sys.stderr)
            raise
        done += len(history)
        taken += translators.taken
    return done, taken


def ends(translators: Both, pieces: list[bytes], history: list[bytes]) -> bool:
    """Feed pieces to both. Return whether they have ended."""
    for piece in pieces:
        history.append(piece)
        if translators.feed(piece).ending is not None:
            return True
    return False


def _fuzz(seed_and_inputs: tuple[int, int]) -> tuple[int, int]:
    return fuzz(*seed_and_inputs)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.steps",
        description="Compares the translators in C with those in Python: for any input, however it is cut, both make"
        " the same bytes and events. Exit status 0: they did.",
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="pieces of bytes; default: %(default)s")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--sanitize", nargs=argparse.REMAINDER, metavar="ARGUMENT",
        help="use a module that is built with the sanitizers of addresses and of undefined behaviour; with arguments,"
        " which come last, run Python with them: --sanitize -m pytest -n0 tests/relay tests/native",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.sanitize is not None:
        rest = arguments.sanitize or [
            "-m", "tests.fuzz.steps", "--inputs", str(arguments.inputs), "--jobs", str(arguments.jobs),
            "--seed", str(arguments.seed),
        ]  # fmt: skip
        return sanitized(rest)
    if native.step is None:
        parser.error("there is no module in C (`wsgateway --version`)")
    each, begun = min(_INPUTS_AT_ONCE, -(-arguments.inputs // arguments.jobs)), time.monotonic()
    rounds = -(-arguments.inputs // each)
    done = taken = 0
    with multiprocessing.Pool(arguments.jobs) as pool:
        work = [(arguments.seed * 1_000_003 + number, each) for number in range(rounds)]
        for inputs, size in pool.imap_unordered(_fuzz, work):
            done += inputs
            taken += size
            print(f"{done} inputs, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    print(f"{done} inputs, {taken} bytes by {native.step.__file__}, {time.monotonic() - begun:.0f} s: no difference")
    return 0


def sanitized(arguments: list[str]) -> int:
    """Run Python with a module that has sanitizers. Return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        compile_module(Path(folder) / MODULE, *_SANITIZERS)
        (Path(folder) / "sitecustomize.py").write_text(_PRELOAD)
        compiler = os.environ.get("CC", "cc")
        libraries = [
            subprocess.run(
                [compiler, f"-print-file-name={name}"], capture_output=True, encoding="utf-8", check=True
            ).stdout.strip()
            for name in ("libasan.so", "libubsan.so")
        ]
        environment = os.environ | {
            "LD_PRELOAD": " ".join(libraries),
            # Of what Python itself allocates, some is never freed; and its own allocator hides the ends of objects.
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
            "WSGATEWAY_ENGINE": "c",
            "PYTHONPATH": folder,
        }
        return subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
