"""What runs in the machine: `python -m tests.systemd.inside DEVICE [SCENE...]` plays the scenes, and reports.

It writes to a serial line; each line is a JSON object: what is begun, or what was found.
"""

import json
import sys
import time
import traceback
from pathlib import Path

from .scenes import GOODBYES, SCENES, STARTS, Scene
from .sessions import SPOKEN, Echo, Session, opened
from .unit import PLAIN_PORT, journal, restarts, state

JOURNAL_LINES = 40


def main(device: str, *names: str) -> None:
    """Play the scenes, all or those that are named (the first is always needed)."""
    with Echo() as echo, Path(device).open("w") as line:

        def report(**what: object) -> None:
            print(json.dumps(what), file=line, flush=True)

        for name, scene in SCENES.items():
            if name in ("start", *(names or SCENES)):
                report(begun=name)
                report(found=name, **play(name, scene, echo))
        report(over=True)


def play(name: str, scene: Scene, echo: Echo) -> dict[str, object]:
    """Play a scene with a session of each dialect, and return what was found. A scene that fails costs no other."""
    begun = time.monotonic()
    sessions: list[Session] = []
    wrong: list[str] = []
    try:
        if name not in STARTS:
            sessions = [opened(dialect, PLAIN_PORT) for dialect in SPOKEN]
            wrong += [f"{session.dialect} has no echo before it begins" for session in sessions if not session.works()]
        wrong += scene(echo, sessions)
    except Exception:  # noqa: BLE001  whatever it is stands in the report
        wrong.append(traceback.format_exc())
    if name != "stop":
        wrong += served()
    found: dict[str, object] = {session.dialect: session.end(0) for session in sessions}
    for session in sessions:
        session.close()
    found |= {"unit": state(), "restarts": restarts(), "seconds": round(time.monotonic() - begun), "wrong": wrong}
    return found | {"journal": journal(JOURNAL_LINES) if wrong else ""}


def served() -> list[str]:
    """Return what is wrong with new sessions: one of each dialect."""
    wrong = []
    for dialect in GOODBYES:
        try:
            session = opened(dialect, PLAIN_PORT)
        except OSError as error:
            wrong.append(f"{dialect} is not served any more: {error}")
        else:
            if not session.works():
                wrong.append(f"{dialect} has no echo afterwards")
            session.close()
    return wrong


if __name__ == "__main__":
    main(*sys.argv[1:])
