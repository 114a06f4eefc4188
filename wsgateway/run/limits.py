"""The limits of connections of one worker: its part of those of the gateway, and no more than its descriptors allow."""

import resource
from dataclasses import replace
from typing import TypeVar

from wsgateway.observe.log import Log
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.settings.whole import Settings

Bounded = TypeVar("Bounded", Target, Upstream)

# One for the client, one for its upstream. A stream of HTTP/2 has a socketpair and an upstream.
_PER_CONNECTION = 2
_PER_STREAM = 3
# For the log, event loops, the connection to the supervisor, files of certificates, and clients that are being refused.
_BESIDE = 32


def raise_limit() -> int:
    """Raise the limit of descriptors of this process and its children as far as allowed. Return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except OSError:  # a sandbox may forbid it
        return soft
    return hard


def share(settings: Settings, workers: int) -> Settings:
    """Return the settings for one of several workers: its part of each limit of connections, rounded up.

    Limits for one address stay. Its connections reach workers at random, and a few of them are not distributed evenly:
    a client that keeps to a limit must never be refused.
    """

    def part(whole: int) -> int:
        return -(-whole // workers)

    def bounded(it: Bounded) -> Bounded:
        return it if it.max_connections is None else replace(it, max_connections=part(it.max_connections))

    def upstream(whole: Upstream) -> Upstream:
        return replace(bounded(whole), targets=tuple(map(bounded, whole.targets)))

    return replace(
        settings,
        workers=workers,
        listeners=tuple(replace(each, max_connections=part(each.max_connections)) for each in settings.listeners),
        upstreams={name: upstream(each) for name, each in settings.upstreams.items()},
    )


def needed(settings: Settings) -> int:
    """Return how many descriptors a worker needs if its listeners have as many connections as they may."""
    return _beside(settings) + _for_connections(settings)


def within(settings: Settings, limit: int) -> Settings:
    """Return the same settings, with lower limits if there are too few descriptors, so that clients are refused."""
    if needed(settings) <= limit:
        return settings
    room, wanted = max(0, limit - _beside(settings)), _for_connections(settings)
    return replace(
        settings,
        listeners=tuple(
            replace(each, max_connections=max(1, each.max_connections * room // wanted)) for each in settings.listeners
        ),
    )


def warn_of_few(settings: Settings, limit: int, log: Log) -> None:
    """Write a warning if a worker may need more descriptors than it may have."""
    if needed(settings) > limit:
        log.warning(
            "few descriptors",
            limit=limit,
            needed=needed(settings),
            connections=_connections(within(settings, limit)),
            why=f"max_connections are {_connections(settings)} together for a worker;"
            " lower them, or raise LimitNOFILE (ulimit -n)",
        )


def _connections(settings: Settings) -> int:
    return sum(listener.max_connections for listener in settings.listeners)


def _for_connections(settings: Settings) -> int:
    return sum(
        listener.max_connections
        * (_PER_STREAM if listener.tls is not None and listener.tls.offers_http2 else _PER_CONNECTION)
        for listener in settings.listeners
    )


def _beside(settings: Settings) -> int:
    return _BESIDE + sum(len(listener.bind) for listener in settings.listeners)
