"""Small files, and how they are made larger."""

import pytest

from wsgateway.errors import SettingsError
from wsgateway.settings.load import parse

LISTENERS = 'listeners: [{bind: ["127.0.0.1:8080"]}]\n'
ROUTES = "routes: [{match: {path: {prefix: /}}, upstream: echo}]\n"
UPSTREAMS = 'upstreams: {echo: {targets: [{url: "ws://127.0.0.1:9000"}]}}\n'
SMALL = "version: 1\n" + LISTENERS + ROUTES + UPSTREAMS


def messages(text: str) -> list[str]:
    """The messages of the problems of a text, without their places."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "f.yaml")
    return [problem.message for problem in caught.value.problems]


def report(text: str) -> list[str]:
    """All that is said of a text, a line for each problem, with its place."""
    with pytest.raises(SettingsError) as caught:
        parse(text, "f.yaml")
    return str(caught.value).splitlines()
