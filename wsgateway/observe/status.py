"""The status of a gateway: its shape, how those of several workers become one, and its sentence for people.

Other versions of the gateway may send more keys, or fewer: keys that are not known are kept (see `shape`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, TypedDict, TypeVar, cast

from wsgateway.observe.tables import counted

# The facts by which targets are told apart: workers may differ in what they know of an address.
_FACTS = ("url", "address", "state", "weight", "backup")


class HistogramStatus(TypedDict, total=False):
    """The counts of durations; empty if there are none. See `observe.histogram`."""

    buckets: dict[str, int]
    """by the upper bounds in seconds; without those that are in buckets before them"""
    sum: float
    """in seconds"""


class ConnectionStatus(TypedDict):
    """The connections of a listener."""

    open: int
    cap: int
    """how many there may be"""


class MemoryStatus(TypedDict):
    """The memory for messages that must leave whole, in bytes."""

    held: int
    most: int


class TargetStatus(TypedDict):
    """One address of a target."""

    url: str
    address: str
    state: str
    """up, down, ejected, draining, or drained by an operator"""
    weight: int
    backup: bool
    open: int
    """how many connections to it are open"""
    served: int
    """how many clients it has served"""
    failures: int
    last_failure: str | None
    last_reason: NotRequired[str | None]
    """the name of the reason of that failure"""


class PoolStatus(TypedDict, total=False):
    """One upstream. If no worker has reported yet, there are only the counts of those that have ended."""

    balance: str
    open: int
    waiting: int
    """how many clients wait for a target to have room"""
    queued: HistogramStatus
    """for how long clients have waited, whether a target had room at last or not"""
    handshakes: HistogramStatus
    """how long targets took to accept a connection and to answer a handshake"""
    served: dict[str, int]
    """by the url of the target, as `failures`"""
    failures: dict[str, dict[str, int]]
    """and by reason"""
    targets: list[TargetStatus]


class CountersStatus(TypedDict, total=False):
    """The counts of a process since its start, and its open sessions. See `observe.counters`."""

    sessions: dict[str, dict[str, int]]
    """open ones, by dialect and route"""
    opened: dict[str, int]
    """by dialect, as `ended`"""
    ended: dict[str, int]
    ended_by: dict[str, dict[str, int]]
    """by side, and by reason"""
    traffic: dict[str, dict[str, dict[str, int]]]
    """messages and bytes, each by in and out, and by dialect"""
    handshakes: HistogramStatus
    """from the request of a client to the end of its handshake"""
    durations: HistogramStatus
    """of sessions that are over"""
    oddities: dict[str, int]
    passed_over: int
    refused: dict[str, dict[str, int]]
    """by status, and by reason"""
    refused_by: dict[str, dict[str, int]]
    """the same, once by listener, once by route, once by dialect"""
    disconnected: dict[str, int]
    """by reason"""
    http: dict[str, int]
    """by class of the status"""
    policies: int


class ServeStatus(CountersStatus, total=False):
    """The listeners, sessions and upstreams of a process."""

    draining: bool
    connections: dict[str, ConnectionStatus]
    """by listener"""
    pools: dict[str, PoolStatus]
    """by upstream"""
    join_memory: MemoryStatus
    loop_lag: HistogramStatus
    """how late the loop was, eight times a second"""


class ProcessStatus(ServeStatus, total=False):
    """One process that serves, or all of a gateway together. A worker that has not reported yet has none of it."""

    log_lines_dropped: int
    log_queue_bytes: int
    """what waits to be written"""


class WorkerStatus(TypedDict):
    """One worker."""

    worker: int
    """its number"""
    state: str
    """starting, serving, leaving or waiting"""
    pid: int | None
    age_seconds: float
    restarts: int
    loop_lag_seconds: NotRequired[float]
    """the longest of the last half minute to minute"""
    status: ProcessStatus


class WorkerPoolStatus(TypedDict):
    """All workers of a gateway."""

    draining: bool
    ready: bool
    not_serving: str | None
    """the reason why no worker serves"""
    restarts: int
    gateway: ProcessStatus
    """all workers together, those that have ended, too"""
    workers: list[WorkerStatus]


class LoadedStatus(TypedDict):
    """The configuration that serves."""

    file: str
    sha256: str
    since: float
    """seconds since 1970"""


class ReloadStatus(TypedDict):
    """The last reload; the start counts as one."""

    ok: bool
    at: float
    """seconds since 1970"""
    reason: NotRequired[str | None]
    """the name of the reason why it was refused"""
    why: str | None
    """the first problem"""


class ConfigurationStatus(TypedDict):
    """The configuration that serves, and the last reload."""

    configuration: LoadedStatus
    reload: ReloadStatus


class CertificateStatus(TypedDict):
    """One file of certificates. Times are seconds since 1970."""

    used_by: str
    file: str
    begins: float
    expires: float
    hosts: list[str]


class DialectCensus(TypedDict):
    """The figures of one dialect in the census. Times are seconds since 1970."""

    open: int
    """how many sessions are open now"""
    sessions: int
    """how many there have been"""
    first_seen: float | None
    """when the first session began; None: there was none"""
    last_seen: float | None
    """when a session was last open: now, if one is"""
    refused: dict[str, int]
    """clients that were refused, by reason"""


class CensusStatus(TypedDict):
    """The figures of the census, a few seconds old at most. See `census.keeper`."""

    file: str | None
    """where it is kept; None: in memory alone"""
    problem: str | None
    """why the file cannot be written now"""
    since: float
    """when it began, in seconds since 1970"""
    dialects: dict[str, DialectCensus]
    """every dialect, also those that nobody speaks, and `unknown` for refused clients that had none"""


class Names(TypedDict):
    """The names in a configuration, in its order."""

    listeners: list[str]
    routes: list[str]
    upstreams: dict[str, list[str]]
    """with the URLs of their targets"""


class BuildStatus(TypedDict):
    """The program that runs."""

    version: str
    python: str
    relay: str
    """the language of the relay: C or Python"""


class ProcessFigures(TypedDict):
    """The figures of one process, from the system."""

    process: str
    """supervisor, worker-1, worker-2 ...; gateway in a program of another kind"""
    cpu_seconds: float
    resident_bytes: int
    virtual_bytes: int
    open_fds: int
    max_fds: int
    started: float
    """seconds since 1970"""


class Overview(WorkerPoolStatus, ConfigurationStatus):
    """A gateway without its certificates."""


class Status(Overview):
    """A whole gateway, as the admin page `/status` has it."""

    certificates: list[CertificateStatus]
    addresses: NotRequired[dict[str, list[str]]]
    """where the listeners listen, by their names"""
    census: NotRequired[CensusStatus]
    """left out by older versions"""
    names: NotRequired[Names]
    build: NotRequired[BuildStatus]
    processes: NotRequired[list[ProcessFigures]]


Counted = TypeVar("Counted", bound=Mapping[str, Any])


def merged(parts: Iterable[Counted]) -> Counted:
    """Return several statuses as one.

    Numbers are added, a truth is true if one of them is, and of texts the last counts. Targets with the same facts are
    put together. Lists of anything else, which another version may have, are joined.
    """
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            before = whole.get(key)
            if isinstance(value, dict):
                whole[key] = merged([before if isinstance(before, dict) else {}, value])
            elif isinstance(value, list):
                whole[key] = _together([*(before if isinstance(before, list) else []), *value])
            elif isinstance(value, bool):
                whole[key] = value or bool(before)
            elif isinstance(value, int | float) and isinstance(before, int | float):
                whole[key] = before + value
            elif value is not None or key not in whole:
                whole[key] = value
    return cast(Counted, whole)


def _together(members: list[Any]) -> list[Any]:
    """Return one for all targets with the same facts; their other numbers are added. Leave other lists as they are."""
    if not all(isinstance(each, dict) and each.keys() >= set(_FACTS) for each in members):
        return members
    by_facts: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for target in members:
        by_facts.setdefault(tuple(target[fact] for fact in _FACTS), []).append(target)
    return [merged(several) | dict(zip(_FACTS, facts, strict=True)) for facts, several in by_facts.items()]


def open_sessions(status: ProcessStatus) -> int:
    """Return how many sessions are open."""
    return sum(sum(by_route.values()) for by_route in status.get("sessions", {}).values())


def sentence(status: Overview) -> str:
    """Return the status of a gateway in one line, for systemd and people."""
    sessions = counted(open_sessions(status["gateway"]), "session")
    if status["draining"]:
        return f"draining, {sessions} left"
    if status["not_serving"]:
        return f"not serving: {status['not_serving']}"
    serving = sum(worker["state"] == "serving" for worker in status["workers"])
    failed = "" if status["reload"]["ok"] else f"; the last reload was refused: {_why(status['reload'])}"
    return f"serving {sessions} with {counted(serving, 'worker')}{failed}"


def _why(reload: ReloadStatus) -> str:
    return ": ".join(filter(None, (reload.get("reason"), reload["why"])))
