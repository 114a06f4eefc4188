"""`python -m tests.systemd`: boots the machine, prints what happens, and a table at the end."""

import argparse
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from .machine import boot, disk, equip, make
from .scenes import SCENES
from .sessions import SPOKEN

COLUMNS = (("scene", 31), *((dialect, 9) for dialect in SPOKEN), ("the unit", 26), ("restarts", 9), ("s", 5), ("", 5))
Report = dict[str, object]
FOLDER = Path("/var/tmp")


def main() -> int:
    """Return 0 if nothing is wrong in any scene."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.systemd",
        description="Plays scenes with the gateway as a service of a real systemd, in a machine that qemu emulates: how"
        " sessions of three dialects fare with reloads, a hand-over, kills, a restart and a stop. Needs root, and makes"
        " a Debian of its own, which stays; installs qemu if it is missing. Exit status 0: nothing was wrong.",
    )
    parser.add_argument("--suite", default="bookworm", help="which Debian; default: %(default)s")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it is kept; default: %(default)s")
    parser.add_argument("--minutes", type=float, default=60.0, help="for all of it, at most; default: %(default)g")
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"default: all of {', '.join(SCENES)}")
    options = parser.parse_args()
    for scene in options.scenes:
        if scene not in SCENES:
            parser.error(f"{scene!r} is not a scene: {', '.join(SCENES)}")
    if shutil.which("qemu-system-x86_64") is None:
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "qemu-system-x86"], check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the machine and its disk go, too
    root = options.folder / f"wsgateway-systemd-{options.suite}"
    console = root.with_suffix(".log")
    print(f"the system: {root}", flush=True)
    make(root, options.suite)
    equip(root, options.scenes)
    with disk(root) as image:
        print(f"it boots, its console is in {console}", flush=True)
        reports = list(map(told, boot(root, image, console, options.minutes * 60)))
    return summary(reports, options.scenes or list(SCENES))


def told(report: Report) -> Report:
    """Print what the machine reports, when it does."""
    if "begun" in report:
        print(f"- {report['begun']} ...", flush=True)
    for wrong in _wrong(report):
        print(f"  {wrong}", flush=True)
    if report.get("journal"):
        print("".join(f"  | {line}\n" for line in str(report["journal"]).splitlines()), flush=True)
    return report


def summary(reports: list[Report], asked: list[str]) -> int:
    """Print the table, and return the exit status."""
    print("", "  ".join(name.ljust(width) for name, width in COLUMNS).rstrip(), sep="\n")
    found = [report for report in reports if "found" in report]
    for each in found:
        cells = [each["found"], *(each.get(dialect, "-") for dialect in SPOKEN)]
        cells += [each["unit"], each["restarts"], each["seconds"], "wrong" if _wrong(each) else "good"]
        print("  ".join(str(cell).ljust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True)).rstrip())
    missing = set(asked) - {each["found"] for each in found}
    if missing or not any("over" in report for report in reports):
        print(f"the machine has not come to its end: {', '.join(sorted(missing))}")
        return 1
    return int(any(map(_wrong, found)))


def _wrong(report: Report) -> list[object]:
    wrong = report.get("wrong", [])
    assert isinstance(wrong, list)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
