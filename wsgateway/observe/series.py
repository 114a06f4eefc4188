"""The table of all metrics: for each its name, where the status has it, and what it says."""

from wsgateway.errors import Group, Reason
from wsgateway.observe import known
from wsgateway.observe.histogram import HANDSHAKE_SECONDS, LAG_SECONDS, QUEUE_SECONDS, SESSION_SECONDS
from wsgateway.observe.metric import EACH, Facts, IsThere, Kind, OneOf, PathStep, Series

TARGET: tuple[PathStep, ...] = ("gateway", "pools", EACH, "targets", ("url", "address"))
_TARGET_LABELS = ("upstream", "target", "address")
_TARGET_STATES = OneOf(("up", "down", "ejected", "draining", "drained"))
_CHANGE_REASONS = tuple(each.value for each in Reason if each.group is Group.CHANGE or each is Reason.BUG)
_WORKER_STATES = OneOf(("starting", "serving", "leaving", "waiting"))
_WAYS = known.words(("in", "out"))
_STATUSES = known.words(("2xx", "3xx", "4xx", "5xx", "none"))

GAUGES = (
    Series(
        "build_info",
        ("build", Facts(("version", "python", "relay"))),
        "1; its labels say which version runs, on which Python, and in which language the relay is.",
        ("version", "python", "relay"),
    ),
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
        ("configuration", Facts(("sha256",))),
        "1; its label is the SHA-256 of the file that serves.",
        ("sha256",),
    ),
    Series(
        "workers",
        ("workers", (), "state", _WORKER_STATES),
        "Worker processes, by their state.",
        ("state",),
        zeros=(known.words(_WORKER_STATES.values),),
    ),
    Series(
        "worker_loop_lag_seconds",
        ("workers", ("worker",), "loop_lag_seconds"),
        "How late the loop of a worker was at most, in the last half minute to minute.",
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
        zeros=(known.dialects, known.routes),
    ),
    Series(
        "connections",
        ("gateway", "connections", EACH, "open"),
        "Connections of clients that are open.",
        ("listener",),
        zeros=(known.listeners,),
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
        zeros=(known.upstreams,),
    ),
    Series(
        "upstream_waiting",
        ("gateway", "pools", EACH, "waiting"),
        "Clients that wait for a target to have room.",
        ("upstream",),
        zeros=(known.upstreams,),
    ),
    Series(
        "upstream_info",
        ("gateway", "pools", EACH, Facts(("balance",))),
        "1; its label says how targets are chosen.",
        ("upstream", "balance"),
        max,
    ),
    Series(
        "upstream_addresses",
        ("gateway", "pools", EACH, "targets", (), "state", _TARGET_STATES),
        "Addresses of targets by their state. One of which workers know different states counts for each.",
        ("upstream", "state"),
        zeros=(known.upstreams, known.words(_TARGET_STATES.values)),
    ),
    Series(
        "dialect_last_seen_timestamp_seconds",
        ("census", "dialects", EACH, "last_seen"),
        "When a session of a dialect was open last, as the census knows it, in seconds since 1970; 0 if never.",
        ("dialect",),
        zeros=(known.dialects,),
    ),
    Series(
        "census_start_timestamp_seconds",
        ("census", "since"),
        "When the census began, in seconds since 1970; 0 if there is none.",
    ),
    Series(
        "census_problem",
        ("census", "problem", IsThere()),
        "1 while the file of the census cannot be written; all is written as soon as it can be.",
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
    Series(
        "join_memory_bytes",
        ("gateway", "join_memory", "held"),
        "Memory that holds parts of messages which must leave whole, in all workers together.",
    ),
    Series(
        "join_memory_limit_bytes",
        ("gateway", "join_memory", "most"),
        "The most that it may be, in all workers together.",
    ),
    Series(
        "log_queue_bytes", ("gateway", "log_queue_bytes"), "Lines of the log of all workers that wait to be written."
    ),
)
_PROCESS: tuple[PathStep, ...] = ("processes", ("process",))
# These have the names that Prometheus gives them for every program, and a row for each process.
PROCESS_GAUGES = tuple(
    Series(name, (*_PROCESS, key), text, ("process",), prefix="process")
    for name, key, text in (
        ("resident_memory_bytes", "resident_bytes", "Memory that a process has in use; processes share a part of it."),
        ("virtual_memory_bytes", "virtual_bytes", "Memory that a process has reserved."),
        ("open_fds", "open_fds", "Descriptors that are open."),
        ("max_fds", "max_fds", "The most descriptors that may be open."),
        ("start_time_seconds", "started", "When the process was started, in seconds since 1970."),
    )
)
PROCESS_COUNTERS = (
    Series(
        "cpu_seconds",
        (*_PROCESS, "cpu_seconds"),
        "CPU time of a process, in its own code and in the system. One that is started again begins at 0.",
        ("process",),
        prefix="process",
    ),
)
# These only rise, also if a worker is started again. `_total` follows their names.
COUNTERS = (
    Series("worker_restarts", ("restarts",), "Workers that died and were replaced."),
    Series(
        "sessions_opened",
        ("gateway", "opened", EACH),
        "Sessions that have begun.",
        ("dialect",),
        zeros=(known.dialects,),
    ),
    Series(
        "sessions_ended", ("gateway", "ended", EACH), "Sessions that are over.", ("dialect",), zeros=(known.dialects,)
    ),
    Series(
        "sessions_ended_by",
        ("gateway", "ended_by", EACH, EACH),
        "Sessions that are over, by the side that ended them and the reason.",
        ("by", "reason"),
        zeros=(
            known.words(("client", "upstream", "gateway")),
            known.reasons(Group.ENDED, more=[Reason.GATEWAY_STOPPING]),
        ),
    ),
    Series(
        "messages",
        ("gateway", "traffic", "messages", EACH, EACH),
        "Messages of sessions, by the dialect of the client; in is what came from clients.",
        ("direction", "dialect"),
        zeros=(_WAYS, known.dialects),
    ),
    Series(
        "bytes",
        ("gateway", "traffic", "bytes", EACH, EACH),
        "Bytes of sessions, by the dialect of the client; in is what came from clients.",
        ("direction", "dialect"),
        zeros=(_WAYS, known.dialects),
    ),
    Series(
        "oddities",
        ("gateway", "oddities", EACH),
        "Requests and sessions with an oddity of the client or the upstream, by its name.",
        ("oddity",),
        zeros=(known.oddities,),
    ),
    Series("passed_over_frames", ("gateway", "passed_over"), "Frames of hixie without a meaning, which were skipped."),
    Series(
        "refused",
        ("gateway", "refused", EACH, EACH),
        "Clients that got no session, by the status of the answer and the reason.",
        ("status", "reason"),
        zeros=(known.refusals,),
    ),
    Series(
        "refused_by_listener",
        ("gateway", "refused_by", "listener", EACH),
        "The same clients, by the listener.",
        ("listener",),
        zeros=(known.listeners,),
    ),
    Series(
        "refused_by_route",
        ("gateway", "refused_by", "route", EACH),
        "The same clients, by the route; none if no route was found yet.",
        ("route",),
        zeros=(known.beside_none(known.routes),),
    ),
    Series(
        "refused_by_dialect",
        ("gateway", "refused_by", "dialect", EACH),
        "The same clients, by the dialect; none if that was not known yet, or the request was no WebSocket.",
        ("dialect",),
        zeros=(known.beside_none(known.dialects),),
    ),
    Series(
        "disconnected",
        ("gateway", "disconnected", EACH),
        "Clients that disconnected before they had a session, by the reason.",
        ("reason",),
        zeros=(known.reasons(Group.DISCONNECTED),),
    ),
    Series(
        "http_exchanges",
        ("gateway", "http", EACH),
        "Exchanges of plain HTTP, by the class of the status, such as 2xx; none if there was no answer.",
        ("status",),
        zeros=(_STATUSES,),
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
        zeros=(known.targets,),
    ),
    Series(
        "target_failures",
        ("gateway", "pools", EACH, "failures", EACH, EACH),
        "Attempts of clients that failed at a target, by the reason.",
        ("upstream", "target", "reason"),
        zeros=(known.targets, known.reasons(Group.TARGET)),
    ),
)
# As counters, these only rise.
HISTOGRAMS = (
    Series(
        "handshake_duration_seconds",
        ("gateway", "handshakes"),
        "From the end of the head of a client's request to the end of its handshake; the upstream's is a part of it.",
        bounds=HANDSHAKE_SECONDS,
    ),
    Series(
        "upstream_handshake_duration_seconds",
        ("gateway", "pools", EACH, "handshakes"),
        "How long a target took to accept a connection and to answer a handshake, also if it refused.",
        ("upstream",),
        zeros=(known.upstreams,),
        bounds=HANDSHAKE_SECONDS,
    ),
    Series(
        "session_duration_seconds",
        ("gateway", "durations"),
        "How long a session has lasted that is over.",
        bounds=SESSION_SECONDS,
    ),
    Series(
        "queue_duration_seconds",
        ("gateway", "pools", EACH, "queued"),
        "How long a client has waited for a target to have room, whether one had it at last or not; without those that"
        " did not wait.",
        ("upstream",),
        zeros=(known.upstreams,),
        bounds=QUEUE_SECONDS,
    ),
    Series(
        "loop_lag_seconds",
        ("gateway", "loop_lag"),
        "How late the loops of workers were, each of which is asked eight times a second.",
        bounds=LAG_SECONDS,
    ),
)
FAMILIES: tuple[tuple[Kind, tuple[Series, ...]], ...] = (
    ("gauge", (*GAUGES, *PROCESS_GAUGES)),
    ("counter", (*COUNTERS, *PROCESS_COUNTERS)),
    ("histogram", HISTOGRAMS),
)
"""all metrics, by their kinds"""
