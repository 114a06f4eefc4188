"""Small configuration files, and their parts."""

import pytest

from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.errors import SettingsError
from wsgateway.settings.load import parse
from wsgateway.settings.upstreams import Upstream

LISTENERS = 'listeners: [{bind: ["127.0.0.1:8080"]}]\n'
ROUTES = "routes: [{match: {path: {prefix: /}}, upstream: echo}]\n"
UPSTREAMS = 'upstreams: {echo: {targets: [{url: "ws://127.0.0.1:9000"}]}}\n'
SMALL = "version: 1\n" + LISTENERS + ROUTES + UPSTREAMS


def messages(text: str) -> list[str]:
    """Return the messages of the problems of a text, without their places."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "f.yaml")
    return [problem.message for problem in caught.value.problems]


def report(text: str) -> list[str]:
    """Return a line for each problem of a text, with its place."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "f.yaml")
    return str(caught.value).splitlines()


def named(*names: str) -> tuple[Dialect, ...]:
    """Return the dialects of these names."""
    return tuple(DIALECTS[name] for name in names)


def with_upstream(line: str) -> str:
    """Return a file with an upstream that has this line, the sixth, behind four spaces."""
    rest = "" if line.startswith("targets") else "    targets: [{url: ws://a}]\n"
    return f"version: 1\n{LISTENERS}{ROUTES}upstreams:\n  echo:\n    {line}\n{rest}"


def upstream(line: str) -> Upstream:
    """Return the upstream that has this line."""
    return parse(with_upstream(line), "/etc/f.yaml").upstreams["echo"]
