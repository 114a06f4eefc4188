"""`python -m tests.soak`: sessions of all dialects through reloads, hand-overs, kills and outages. See --help."""

import argparse
import sys
import tempfile
from pathlib import Path

import trio

from tests.load.process import many_descriptors

from .plan import Plan, usual
from .run import soak

_KINDS = {
    "reloads": "reloads with a good file",
    "refused": "reloads with a bad file",
    "hand_overs": "hand-overs to a new gateway",
    "kills": "workers killed",
    "outages": "upstreams killed, which come back",
    "freezes": "times at which all processes of the gateway are stopped for 25 s",
    "log_stalls": "times at which nobody reads the log for 5 s",
    "slow_readers": "clients that read 5 kB/s",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Has a gateway serve clients of all dialects while all around it fails, and sees that nothing is"
        " lost. Exit status 0: nothing was.",
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="default: %(default)g")
    parser.add_argument("--sessions", type=int, default=200, help="open at any time; default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="when things happen; default: %(default)s")
    for kind, what in _KINDS.items():
        name = f"--{kind.replace('_', '-')}"
        parser.add_argument(name, type=int, metavar="N", help=f"how many {what}; default: by the time")
    parser.add_argument("--log", type=Path, metavar="FILE", help="where the log of the gateway goes; default: nowhere")
    options = vars(parser.parse_args())
    log = options.pop("log")
    often = usual(options["seconds"])
    plan = Plan(**{key: often[key] if value is None else value for key, value in options.items()})
    print(plan, flush=True)
    many_descriptors()
    with tempfile.TemporaryDirectory() as folder:
        report = trio.run(soak, plan, Path(folder), log)
    print(report)
    print("nothing is lost" if not report.judge.faults else f"{len(report.judge.faults)} faults")
    return 1 if report.judge.faults else 0


sys.exit(main())
