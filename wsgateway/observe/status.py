"""How a gateway is, in numbers: those of its workers put together, and shown to people."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

Status = dict[str, Any]
"""as JSON may have it: numbers, truths, text, mappings of these, and lists of targets"""

# By these targets are told apart: workers differ in what they know of an address.
_FACTS = ("url", "address", "state", "weight", "backup")


def merged(parts: Iterable[Status]) -> Status:
    """All together: numbers are added, something is true if it is true of one, and of texts the last counts. Targets
    are put together that are told in the same words."""
    whole: Status = {}
    for part in parts:
        for key, value in part.items():
            before = whole.get(key)
            if isinstance(value, dict):
                whole[key] = merged([before if isinstance(before, dict) else {}, value])
            elif isinstance(value, list):
                whole[key] = list(_together([*(before or []), *value]))
            elif isinstance(value, bool):
                whole[key] = value or bool(before)
            elif isinstance(value, int | float) and isinstance(before, int | float):
                whole[key] = before + value
            elif value is not None or key not in whole:
                whole[key] = value
    return whole


def _together(targets: list[Status]) -> Iterator[Status]:
    """Those with the same facts are one, whose other numbers are added."""
    by_facts: dict[tuple[object, ...], list[Status]] = {}
    for target in targets:
        by_facts.setdefault(tuple(target[fact] for fact in _FACTS), []).append(target)
    for facts, several in by_facts.items():
        yield merged(several) | dict(zip(_FACTS, facts, strict=True))


def open_sessions(status: Status) -> int:
    """How many sessions are open."""
    return sum(sum(by_route.values()) for by_route in status.get("sessions", {}).values())


def sentence(status: Status) -> str:
    """How a gateway is, in one line."""
    sessions = _count(open_sessions(status["gateway"]), "session")
    if status["draining"]:
        return f"draining, {sessions} left"
    if status["not_serving"]:
        return f"not serving: {status['not_serving']}"
    serving = sum(worker["state"] == "serving" for worker in status["workers"])
    failed = "" if status["reload"]["ok"] else f"; the last reload was refused: {status['reload']['why']}"
    return f"serving {sessions} with {_count(serving, 'worker')}{failed}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(status: Status) -> str:
    """How a gateway, each of its workers and each target is, in lines for people."""
    configuration = status["configuration"]
    since = datetime.fromtimestamp(configuration["since"], UTC)
    loaded = f"{configuration['file']} (sha256 {configuration['sha256'][:12]}), since {since:%Y-%m-%d %H:%M:%S} UTC"
    tables = (line for rows in (_workers, _targets, _certificates) for line in _aligned(rows(status)))
    return "\n".join([sentence(status), loaded, *tables])


def _workers(status: Status) -> Iterator[tuple[str, ...]]:
    yield "worker", "pid", "state", "sessions", "age", "restarts"
    for worker in status["workers"]:
        facts = (worker["worker"], worker["pid"] or "-", worker["state"], open_sessions(worker["status"]))
        yield (*map(str, facts), f"{worker['age_seconds']:.0f} s", str(worker["restarts"]))


def _targets(status: Status) -> Iterator[tuple[str, ...]]:
    yield "upstream", "target", "address", "state", "open", "served", "failures", "last failure"
    for name, pool in status["gateway"].get("pools", {}).items():
        for target in pool.get("targets", []):
            facts = (target[key] for key in ("url", "address", "state", "open", "served", "failures"))
            yield (name, *map(str, facts), target["last_failure"] or "")


def _certificates(status: Status) -> Iterator[tuple[str, ...]]:
    yield "certificate of", "expires (UTC)", "file"
    for each in status.get("certificates", []):
        yield each["used_by"], f"{datetime.fromtimestamp(each['expires'], UTC):%Y-%m-%d %H:%M}", each["file"]


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table below an empty line; none without any row but the heading."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in lines)] if len(lines) > 1 else []
