"""The metrics of a gateway, made of its status, for Prometheus."""

import operator
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, cast

from wsgateway.errors import Group, Reason
from wsgateway.observe.status import ProcessStatus, Status, merged

# Prometheus' text format.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EACH = "*"
# What may not stand in the value of a label as it is.
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text of the status that becomes the value of a label: 1 for the text itself, 0 for each other possible text."""

    values: tuple[str, ...] = ()
    """the possible texts; empty: any text"""


PathStep = str | tuple[str, ...] | OneOf


@dataclass(frozen=True, slots=True)
class Series:
    """One metric: a number of the status, or several that differ by labels."""

    name: str
    """without `wsgateway_` before it"""
    path: tuple[PathStep, ...]
    """the keys that lead to it. EACH stands for every key, which is the value of a label, and a tuple for every entry
    of a list, of which these are the values of labels"""
    help: str
    labels: tuple[str, ...] = ()
    """their names, in the order of the path"""
    together: Callable[[float, float], float] = operator.add
    """combines several numbers with equal labels, as of one target in several workers"""


TARGET: tuple[PathStep, ...] = ("gateway", "pools", EACH, "targets", ("url", "address"))
_TARGET_LABELS = ("upstream", "target", "address")
_TARGET_STATES = OneOf(("up", "down", "ejected", "draining", "drained"))
_CHANGE_REASONS = tuple(each.value for each in Reason if each.group is Group.CHANGE or each is Reason.BUG)
_WORKER_STATES = OneOf(("starting", "serving", "leaving", "waiting"))

GAUGES = (
    Series("ready", ("ready",), "1 while the gateway serves and does not drain, as /health/ready says."),
    Series("draining", ("draining",), "1 while the gateway drains."),
    Series("last_reload_successful", ("reload", "ok"), "1 if the last reload went well; the start counts as one."),
    Series(
        "last_reload_timestamp_seconds",
        ("reload", "at"),
        "When the last reload was, in seconds since 1970; the start counts as one.",
    ),
    Series(
        "configuration_timestamp_seconds",
        ("configuration", "since"),
        "When the configuration that serves began to, in seconds since 1970.",
    ),
    Series(
        "last_reload_refused",
        ("reload", "reason", OneOf(_CHANGE_REASONS)),
        "1 for the reason why the last reload was refused; 0 for the others, and for all if it was not refused.",
        ("reason",),
    ),
    Series(
        "configuration_info",
        ("configuration", "sha256", OneOf()),
        "1; its label is the SHA-256 of the file that serves.",
        ("sha256",),
    ),
    Series("workers", ("workers", (), "state", _WORKER_STATES), "Worker processes, by their state.", ("state",)),
    Series(
        "worker_age_seconds",
        ("workers", ("worker",), "age_seconds"),
        "How long ago the process of a worker was started.",
        ("worker",),
    ),
    Series(
        "certificate_expires_timestamp_seconds",
        ("certificates", ("used_by", "file"), "expires"),
        "When the first certificate of a file expires, or the last authority, as seconds since 1970; as it was at the"
        " last reload.",
        ("used_by", "file"),
        min,
    ),
    Series(
        "sessions",
        ("gateway", "sessions", EACH, EACH),
        "Sessions that are open, by the dialect of the client and the route.",
        ("dialect", "route"),
    ),
    Series(
        "connections", ("gateway", "connections", EACH, "open"), "Connections of clients that are open.", ("listener",)
    ),
    Series(
        "connections_limit",
        ("gateway", "connections", EACH, "cap"),
        "The most connections of clients that there may be, in all workers together.",
        ("listener",),
    ),
    Series(
        "upstream_connections",
        ("gateway", "pools", EACH, "open"),
        "Connections to targets that are open.",
        ("upstream",),
    ),
    Series(
        "upstream_waiting",
        ("gateway", "pools", EACH, "waiting"),
        "Clients that wait for a target to have room.",
        ("upstream",),
    ),
    Series(
        "upstream_balance",
        ("gateway", "pools", EACH, "balance", OneOf()),
        "1; its label says how targets are chosen.",
        ("upstream", "balance"),
        max,
    ),
    Series("target_connections", (*TARGET, "open"), "Connections to an address that are open.", _TARGET_LABELS),
    Series(
        "target_state",
        (*TARGET, "state", _TARGET_STATES),
        "1 for the state of an address, 0 for the others. Where workers know different states, several are 1.",
        (*_TARGET_LABELS, "state"),
        max,
    ),
    Series(
        "target_weight",
        (*TARGET, "weight"),
        "The weight of an address: how often it is chosen, compared with others.",
        _TARGET_LABELS,
        max,
    ),
    Series(
        "target_backup",
        (*TARGET, "backup"),
        "1 for an address that is used only if no other can be used.",
        _TARGET_LABELS,
        max,
    ),
)
# These only rise, also if a worker is started again. `_total` follows their names.
COUNTERS = (
    Series("worker_restarts", ("restarts",), "Workers that died and were replaced."),
    Series("sessions_opened", ("gateway", "opened", EACH), "Sessions that have begun.", ("dialect",)),
    Series("sessions_ended", ("gateway", "ended", EACH), "Sessions that are over.", ("dialect",)),
    Series(
        "sessions_ended_by",
        ("gateway", "ended_by", EACH, EACH),
        "Sessions that are over, by the side that ended them and the reason.",
        ("by", "reason"),
    ),
    Series(
        "messages",
        ("gateway", "messages", EACH),
        "Messages of sessions; in is what came from clients.",
        ("direction",),
    ),
    Series("bytes", ("gateway", "bytes", EACH), "Bytes of sessions; in is what came from clients.", ("direction",)),
    Series(
        "oddities",
        ("gateway", "oddities", EACH),
        "Requests and sessions with an oddity of the client or the upstream, by its name.",
        ("oddity",),
    ),
    Series("passed_over_frames", ("gateway", "passed_over"), "Frames of hixie without a meaning, which were skipped."),
    Series(
        "refused",
        ("gateway", "refused", EACH, EACH),
        "Clients that got no session, by the status of the answer and the reason.",
        ("status", "reason"),
    ),
    Series(
        "disconnected",
        ("gateway", "disconnected", EACH),
        "Clients that disconnected before they had a session, by the reason.",
        ("reason",),
    ),
    Series(
        "http_exchanges",
        ("gateway", "http", EACH),
        "Exchanges of plain HTTP, by the class of the status, such as 2xx.",
        ("status",),
    ),
    Series(
        "log_lines_dropped",
        ("gateway", "log_lines_dropped"),
        "Lines of the log that were lost, as nobody read it or it could not be written.",
    ),
    Series("flash_policies", ("gateway", "policies"), "Policy requests of Flash Player that were answered."),
    Series(
        "target_served",
        ("gateway", "pools", EACH, "served", EACH),
        "Clients that a target has served: with a session, or with an answer to plain HTTP.",
        ("upstream", "target"),
    ),
    Series(
        "target_failures",
        ("gateway", "pools", EACH, "failures", EACH, EACH),
        "Attempts of clients that failed at a target, by the reason.",
        ("upstream", "target", "reason"),
    ),
)


def exposition(status: Status) -> bytes:
    """Return the text of `/metrics`."""
    lines: list[str] = []
    for kind, suffix, several in (("gauge", "", GAUGES), ("counter", "_total", COUNTERS)):
        for series in several:
            name = f"wsgateway_{series.name}{suffix}"
            lines += [f"# HELP {name} {series.help}", f"# TYPE {name} {kind}"]
            lines += [
                f"{name}{_labels(series, each)} {float(value)}" for each, value in numbers(status, series).items()
            ]
    return "".join(f"{line}\n" for line in lines).encode()


def _labels(series: Series, values: tuple[str, ...]) -> str:
    pairs = sorted(zip(series.labels, values, strict=True))
    labels = ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in pairs)
    return f"{{{labels}}}" if labels else ""


def rising(status: ProcessStatus) -> ProcessStatus:
    """Return the numbers in a worker's status that only rise: they still count when the worker has ended."""
    paths = [series.path[1:] for series in COUNTERS if series.path[0] == "gateway"]
    return cast(ProcessStatus, merged(_picked(status, path) for path in paths))


def of_targets(status: ProcessStatus, known: Mapping[str, Set[str]]) -> ProcessStatus:
    """Return what `rising` has picked, without the figures of targets that are not known: by upstream, their urls."""
    pools: dict[str, Any] = {
        name: {key: {url: count for url, count in by_url.items() if url in known[name]} for key, by_url in pool.items()}
        for name, pool in cast(dict[str, Any], status).get("pools", {}).items()
        if name in known
    }
    return cast(ProcessStatus, {**status, "pools": pools})


def _picked(status: Mapping[str, Any], path: tuple[PathStep, ...]) -> dict[str, Any]:
    step, *rest = path
    keys = status if step == EACH else status.keys() & {step}
    return {key: _picked(status[key], tuple(rest)) if rest else status[key] for key in keys}


def numbers(status: Status, series: Series) -> dict[tuple[str, ...], float]:
    """Return the numbers of a series, by the values of its labels."""
    found: dict[tuple[str, ...], float] = {}
    for labels, value in _followed(status, series.path):
        found[labels] = series.together(found[labels], value) if labels in found else value
    return found


def _followed(status: object, path: tuple[PathStep, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the numbers at the end of a path, with the values of the labels on the way."""
    if not path:
        if isinstance(status, int | float):  # a limit may be None
            yield (), status
        return
    step, *rest = path
    for labels, below in _stepped(status, step):
        for more, value in _followed(below, tuple(rest)):
            yield (*labels, *more), value


def _stepped(status: Any, step: PathStep) -> Iterator[tuple[tuple[str, ...], object]]:
    match step:
        case OneOf(values):
            for value in values or (status,):
                yield (value,), value == status
        case tuple(keys):
            for row in status:
                yield tuple(str(row[key]) for key in keys), row
        case str(key):
            for each in status if key == EACH else status.keys() & {key}:
                yield (each,) if key == EACH else (), status[each]
