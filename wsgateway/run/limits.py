"""How many descriptors a process may have, and how many it would need."""

import resource

from wsgateway.observe.log import Log
from wsgateway.settings.model import Settings

# A client and its upstream.
PER_CONNECTION = 2
# For the log, listeners, event loops, the line between processes, files of certificates.
BESIDE = 64


def raise_limit() -> int:
    """Lets this process, and those that it starts, have as many descriptors as it may have. Returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def needed(settings: Settings) -> int:
    """How many descriptors a worker has if all its listeners have as many connections as they may."""
    return BESIDE + PER_CONNECTION * sum(listener.max_connections for listener in settings.listeners)


def warn_of_few(settings: Settings, limit: int, log: Log) -> None:
    """Says so if a worker may not have as many descriptors as it may need."""
    if needed(settings) > limit:
        log.warning(
            "few descriptors",
            limit=limit,
            needed=needed(settings),
            why="listeners may have more connections than there are descriptors; raise LimitNOFILE (ulimit -n), or"
            " lower max_connections",
        )
