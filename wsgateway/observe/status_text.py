"""The status of a gateway, in lines for people."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from wsgateway.errors.reasons import BY_NAME
from wsgateway.observe.status import Status, open_sessions, sentence
from wsgateway.observe.tables import aligned, printable, spelled_seconds, spelled_time

# For a terminal (ECMA-48, 8.3.117): bold, and colours for states.
_BOLD, _GREEN, _YELLOW, _RED, _PLAIN = (f"\x1b[{number}m" for number in (1, 32, 33, 31, 0))
_COLOURS = {
    **dict.fromkeys(("up", "serving"), _GREEN),
    **dict.fromkeys(("draining", "drained", "leaving", "starting", "waiting"), _YELLOW),
    **dict.fromkeys(("down", "ejected"), _RED),
}
# A certificate that expires sooner should have been renewed.
_SOON_SECONDS = 14 * 86400


def text_of(status: Status, now: float | None = None, coloured: bool = False) -> str:
    """Return the status as a text of several tables. `now` is in seconds since 1970."""
    now = time.time() if now is None else now
    lines = list(map(printable, _heading(status, now)))
    if coloured:
        lines[0] = f"{_BOLD}{lines[0]}{_PLAIN}"
    for rows, right in _TABLES:
        table = aligned(rows(status, now), right)
        if table:
            lines += ["", *(_coloured(table) if coloured else table)]
    if unseen := _unseen(status):
        lines += ["", unseen]
    return "\n".join(lines)


def _coloured(table: list[str]) -> Iterator[str]:
    yield f"{_BOLD}{table[0]}{_PLAIN}"
    for line in table[1:]:
        state = next((each for each in _COLOURS if f"  {each}  " in f"{line}  "), None)
        yield line if state is None else line.replace(f"  {state}", f"  {_COLOURS[state]}{state}{_PLAIN}", 1)


def _heading(status: Status, now: float) -> Iterator[str]:
    program = cast(Mapping[str, Any], status)
    version = program.get("build", {}).get("version")
    started = [each["started"] for each in program.get("processes", ()) if each["process"] in ("supervisor", "gateway")]
    name = f"wsgateway {version}" if version else "wsgateway"
    age = f", up {spelled_seconds(now - started[0])}" if started else ""
    yield f"{name}{age}: {sentence(status)}"
    configuration, reload = status["configuration"], status["reload"]
    since = f"since {spelled_time(configuration['since'])} UTC"
    yield f"{configuration['file']} (sha256 {configuration['sha256'][:12]}), {since}"
    if not reload["ok"]:
        yield f"the last reload was refused {_ago(now - reload['at'])}"


def _ago(seconds: float) -> str:
    return f"{spelled_seconds(seconds)} ago"


def _listeners(status: Status, now: float) -> Iterator[Sequence[str]]:
    yield "listener", "address", "connections", "limit"
    addresses = status.get("addresses", {})
    for name, each in status["gateway"].get("connections", {}).items():
        yield name, " ".join(addresses.get(name, ["-"])), str(each["open"]), str(each["cap"])


def _dialects(status: Status, now: float) -> Iterator[Sequence[str]]:
    yield "dialect", "sessions", "in all", "refused", "last seen", "routes"
    routes = status["gateway"].get("sessions", {})
    census = status["census"]["dialects"] if "census" in status else {}
    for name in dict.fromkeys((*census, *routes)):
        by_route, known = routes.get(name, {}), census.get(name)
        seen = None if known is None else known["last_seen"]
        last = "now" if by_route else "" if seen is None else _ago(now - seen)
        refused = 0 if known is None else sum(known["refused"].values())
        if last or refused:
            every = "" if known is None else str(known["sessions"])
            yield name, str(sum(by_route.values())), every, str(refused), last, _listed(by_route)


def _listed(by_route: Mapping[str, int]) -> str:
    """Return the routes of the sessions of a dialect, those with most sessions first."""
    ordered = sorted(by_route.items(), key=lambda each: -each[1])
    return ", ".join(f"{route} {count}" for route, count in ordered[:5]) + (", ..." if len(ordered) > 5 else "")


def _unseen(status: Status) -> str:
    """Return which dialects the census has never seen; empty if it has seen all."""
    if "census" not in status:
        return ""
    census = status["census"]
    unseen = [
        name
        for name, each in census["dialects"].items()
        if each["last_seen"] is None and name != "unknown" and not status["gateway"].get("sessions", {}).get(name)
    ]
    return f"no session since {spelled_time(census['since'])} UTC: {', '.join(unseen)}" if unseen else ""


def _targets(status: Status, now: float) -> Iterator[Sequence[str]]:
    yield "upstream", "target", "address", "state", "open", "served", "failures", "last failure"
    for name, pool in status["gateway"].get("pools", {}).items():
        for target in pool.get("targets", []):
            facts = (target[key] for key in ("url", "address", "state", "open", "served", "failures"))
            last = filter(None, (target.get("last_reason"), target["last_failure"]))
            yield (name, *map(str, facts), ": ".join(last))


def _refusals(status: Status, now: float) -> Iterator[Sequence[str]]:
    yield "refused", "answer", "clients", "cause"
    counts = [
        (count, reason, "" if answer == "none" else answer)
        for answer, by_reason in status["gateway"].get("refused", {}).items()
        for reason, count in by_reason.items()
        if count
    ]
    for count, reason, answer in sorted(counts, key=lambda each: (-each[0], each[1])):
        yield reason, answer, str(count), BY_NAME[reason].cause if reason in BY_NAME else ""


def _certificates(status: Status, now: float) -> Iterator[Sequence[str]]:
    yield "certificate of", "expires (UTC)", "", "file"
    for each in status.get("certificates", []):
        left = each["expires"] - now
        what = f"expired {_ago(-left)}" if left < 0 else f"in {spelled_seconds(left)}"
        urgent = "!" if left < _SOON_SECONDS else ""
        yield each["used_by"], spelled_time(each["expires"])[:16], what + urgent, each["file"]


def _workers(status: Status, now: float) -> Iterator[Sequence[str]]:
    yield "worker", "pid", "state", "sessions", "age", "restarts"
    for worker in status["workers"]:
        facts = (worker["worker"], worker["pid"] or "-", worker["state"], open_sessions(worker["status"]))
        yield (*map(str, facts), spelled_seconds(worker["age_seconds"]), str(worker["restarts"]))


# With the columns of numbers.
_TABLES = (
    (_listeners, (2, 3)),
    (_dialects, (1, 2, 3)),
    (_targets, (4, 5, 6)),
    (_refusals, (1, 2)),
    (_certificates, ()),
    (_workers, (3, 5)),
)
