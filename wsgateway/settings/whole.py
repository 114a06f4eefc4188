"""The whole configuration: the keys on the first level of the file."""

from dataclasses import field, replace
from typing import Annotated

from wsgateway.errors import Problem
from wsgateway.settings.declare import AtLeastOne, List, Made, Members, key, section
from wsgateway.settings.defaults import Defaults
from wsgateway.settings.listeners import Listener
from wsgateway.settings.process import Admin, Census, Logging, Shutdown, TraceSecrets
from wsgateway.settings.routes import Route
from wsgateway.settings.upstreams import Upstream
from wsgateway.settings.values import (
    MOST_FILES,
    MOST_MIB,
    ControlAddress,
    FilePattern,
    JoinMemoryBytes,
    Version,
    Workers,
)


def _with_names(upstreams: dict[str, Upstream]) -> dict[str, Upstream]:
    return {name: replace(each, name=name) for name, each in upstreams.items()}


Upstreams = Annotated[dict[str, Upstream], Made(Annotated[dict[str, Upstream], Members(least=1)], _with_names)]


@section(kw_only=True)
class Settings:
    """Describe a whole configuration. That of a file is complete: every default is filled in, every route has what it
    does not say from `defaults`, and every name of an upstream is the upstream."""

    version: Version = key("Version of this format.", example=1)
    include: List[FilePattern] = key(
        "Files that have more routes and upstreams, and nothing else: their routes come behind those of this file, in"
        " the order of the names. The last part of a name may have *, ? and []; names in these files are relative to"
        f" this file, too. At most {MOST_FILES} files and {MOST_MIB} MiB.",
        default=[],
        example=["routes.d/*.yaml"],
    )
    listeners: AtLeastOne[Listener] = key("Where clients connect. At least one.")
    defaults: Defaults = key(default={})
    routes: AtLeastOne[Route] = key(
        "Which requests go where. At least one; the first that matches a request is taken.",
        example={
            "dialects": ["hybi-04..08", "rfc6455"],
            "timeouts": {"connect": "2s"},
            "limits": {"message_size": "1MiB"},
        },
        more=[
            {"name": "pages", "match": {"path": {"prefix": "/"}, "upgrade": False}, "http_upstream": "pages"},
            {"name": "everything-else", "match": {"path": {"prefix": "/"}}, "upstream": "echo"},
        ],
    )
    upstreams: Upstreams = key(
        "The servers behind the gateway, under names of your choice. At least one.",
        example="chat",
        more={
            "echo": {"targets": [{"url": "ws://127.0.0.1:9000"}]},
            "pages": {"targets": [{"url": "http://127.0.0.1:8000"}]},
        },
    )
    shutdown: Shutdown = key(default={}, reload="at once")
    workers: Workers = key(
        "Processes that serve, or auto for one per core. They share all listeners. Each has its share of"
        " `max_connections` of listeners, upstreams and targets, rounded up; all other limits hold for each of them"
        " alone.",
        default=1,
        example="auto",
        unit="processes",
        reload="at once",
    )
    join_memory_bytes: JoinMemoryBytes = key(
        "Memory of each worker for what `limits.join` holds back, in all its sessions together. When it is full, what"
        " has been held back longest leaves in fragments.",
        name="join_memory",
        default="64MiB",
        reload="at once",
    )
    logging: Logging = key(default={}, reload="restart")
    trace: TraceSecrets = key(default={}, reload="at once")
    admin: Admin = key(default={}, reload="at once")
    control: ControlAddress = key(
        "Socket for `wsgateway reload`.",
        default="auto",
        values={
            "auto": "control.sock in the RuntimeDirectory= of systemd, else in /run/wsgateway, if that directory is"
            " there, can be written, and has no socket of another gateway; else none",
            "unix:PATH": "a Unix socket to which our user and root may connect (mode 0600)",
            "none": "no socket; SIGHUP always works",
        },
        reload="at once",
    )
    census: Census = key(default={}, reload="restart")
    outdated: tuple[Problem, ...] = field(default=(), kw_only=True)
    """keys with an old name, with their place and what they are called now"""
