"""How a gateway is, in numbers: those of its workers put together, and shown to people."""

from collections.abc import Iterable
from typing import Any

Status = dict[str, Any]
"""as JSON may have it: numbers, truths, text, and mappings of these"""


def merged(parts: Iterable[Status]) -> Status:
    """All together: numbers are added, something is true if it is true of one, and of texts the last counts."""
    whole: Status = {}
    for part in parts:
        for key, value in part.items():
            before = whole.get(key)
            if isinstance(value, dict):
                whole[key] = merged([before if isinstance(before, dict) else {}, value])
            elif isinstance(value, bool):
                whole[key] = value or bool(before)
            elif isinstance(value, int | float) and isinstance(before, int | float):
                whole[key] = before + value
            else:
                whole[key] = value
    return whole


def open_sessions(status: Status) -> int:
    """How many sessions are open."""
    return sum(status.get("sessions", {}).get("by_dialect", {}).values())


def sentence(status: Status) -> str:
    """How a gateway is, in one line."""
    sessions = _count(open_sessions(status["gateway"]), "session")
    if status["draining"]:
        return f"draining, {sessions} left"
    serving = sum(worker["state"] == "serving" for worker in status["workers"])
    return f"serving {sessions} with {_count(serving, 'worker')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(status: Status) -> str:
    """How a gateway and each of its workers is, in lines for people."""
    rows: list[tuple[str, ...]] = [("worker", "pid", "state", "sessions", "age", "restarts")]
    for worker in status["workers"]:
        facts = (worker["worker"], worker["pid"] or "-", worker["state"], open_sessions(worker["status"]))
        rows.append((*map(str, facts), f"{worker['age_seconds']:.0f} s", str(worker["restarts"])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([sentence(status), "", *lines])
