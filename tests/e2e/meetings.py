"""A gateway between the old libraries and `websockets`, which speaks every dialect to both sides."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.dialects.families import NAMES

from .ends import Library, ModernEnd, OldEnd, Server, opened
from .libraries import KINDS, Speaker
from .servers import Gateway

BASE64 = "/base64"
"""where paths begin under which binary messages are text in base64, for those who have only text"""


def configuration(libraries: Mapping[str, Library], modern: Server) -> str:
    """Return the configuration of a gateway: to a library under /LIBRARY/DIALECT, to `websockets` elsewhere."""
    upstreams: dict[str, Any] = {"websockets": _upstream(modern.port)}
    paths = {"": "websockets"}
    for name, library in libraries.items():
        for dialect in NAMES:
            upstreams[f"{name}-{dialect}"] = {**_upstream(library.port), "dialect": dialect}
            paths[f"/{name}/{dialect}"] = f"{name}-{dialect}"
    routes = [
        {"match": {"path": {"prefix": prefix + path or "/"}}, "upstream": upstream, **options}
        # The first route that matches is taken, and all paths begin with / and with nothing.
        for prefix, options in ((BASE64, {"binary": {"encode": "base64", "decode": "base64"}}), ("", {}))
        for path, upstream in reversed(paths.items())
    ]
    file = {"version": 1, "listeners": [{"bind": ["127.0.0.1:0"]}], "routes": routes, "upstreams": upstreams}
    return json.dumps(file, indent=1)  # which is YAML, too


def _upstream(port: int) -> dict[str, Any]:
    return {"targets": [{"url": f"ws://127.0.0.1:{port}"}]}


class Meetings:
    """The gateway, and the programs on both sides of it."""

    def __init__(self, gateway: Gateway, libraries: Mapping[str, Library], modern: Server) -> None:
        self.gateway = gateway
        self._libraries = libraries
        self._modern = modern

    def library(self, name: str) -> Library:
        """Return the program of a library. Skip the test if it is missing, and say how to install it."""
        if name not in self._libraries:
            pytest.skip(f"{name} is missing: {KINDS[name].installation}")
        return self._libraries[name]

    def url(self, speaker: Speaker, under: str = "") -> str:
        """Return the URL where the gateway speaks this dialect to this library."""
        return self.gateway.url(f"{under}/{speaker.library}/{speaker.dialect}")

    @contextmanager
    def meeting(
        self, speaker: Speaker, subprotocol: str | None = None, under: str = ""
    ) -> Iterator[tuple[OldEnd, ModernEnd]]:
        """Yield a connection of a library, as client or server, and its other end."""
        library = self.library(speaker.library)
        library.forget()
        if speaker.role == "client":
            old = library.open(speaker.dialect, self.gateway.port, f"{under}/", subprotocol)
            with old, self._modern.accept() as modern:
                yield old, modern
        else:
            with opened(self.url(speaker, under), subprotocol) as modern, library.accept() as old:
                yield old, modern
