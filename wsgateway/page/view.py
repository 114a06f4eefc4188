"""What the page shows of a status: its sections, each bounded, with nothing in them that is secret."""

import time
from collections.abc import Iterable, Iterator, Sequence

from wsgateway.dialects import DIALECTS
from wsgateway.errors.reasons import BY_NAME
from wsgateway.observe.refusals import Refusal, newest
from wsgateway.observe.status import Status, open_sessions, sentence

# The page shows no more rows of a table; it says how many there are.
MOST_ROWS = 500


def sections(status: Status, refusals: Iterable[Refusal], now: float | None = None) -> dict[str, object]:
    """Return the sections of the page but for the chart. `now` is the time of the status, in seconds since 1970."""
    now = time.time() if now is None else now
    return {
        "summary": {
            "version": status["build"]["version"] if "build" in status else "",
            "sentence": sentence(status),
            "ready": status["ready"],
            "draining": status["draining"],
            "sessions": open_sessions(status["gateway"]),
        },
        "dialects": list(DIALECTS),
        "census": {name: {"last_seen": seen} for name, seen in _last_seen(status)},
        "sessions": _bounded(list(_sessions(status))),
        "targets": _bounded(list(_targets(status))),
        "refusals": last_refusals(refusals),
        "certificates": _bounded(status.get("certificates", [])),
        "configuration": {**status["configuration"], "reload": status["reload"]},
        "workers": _bounded(list(_workers(status, now))),
    }


def _last_seen(status: Status) -> Iterator[tuple[str, float]]:
    """Yield when each dialect was last seen, to the minute: of one that is spoken now this changes all the time."""
    for name, each in status["census"]["dialects"].items() if "census" in status else ():
        if each["last_seen"] is not None:
            yield name, each["last_seen"] // 60 * 60


def _bounded(rows: Sequence[object]) -> dict[str, object]:
    return {"rows": rows[:MOST_ROWS], "count": len(rows)}


def _sessions(status: Status) -> Iterator[dict[str, object]]:
    for dialect, by_route in status["gateway"].get("sessions", {}).items():
        for route, count in by_route.items():
            yield {"dialect": dialect, "route": route, "open": count}


def _targets(status: Status) -> Iterator[dict[str, object]]:
    for upstream, pool in status["gateway"].get("pools", {}).items():
        for target in pool.get("targets", []):
            yield {"upstream": upstream, **target}


def _workers(status: Status, now: float) -> Iterator[dict[str, object]]:
    for worker in status["workers"]:
        yield {
            "worker": worker["worker"],
            "pid": worker["pid"],
            "state": worker["state"],
            "since": round(now - worker["age_seconds"]),
            "restarts": worker["restarts"],
            "open": open_sessions(worker["status"]),
        }


def last_refusals(refusals: Iterable[Refusal]) -> list[dict[str, object]]:
    """Return the last refusals of all workers, the newest first, each with its cure."""
    return [{**each, **_explained(str(each.get("reason")))} for each in reversed(newest(refusals))]


def _explained(name: str) -> dict[str, str]:
    """Return the cause and the cure of a reason; nothing for one that a worker of another version has."""
    reason = BY_NAME.get(name)
    return {} if reason is None else {"cause": reason.cause, "cure": reason.cure}
