"""The examples that we give are good."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from wsgateway.settings.load import load
from wsgateway.settings.model import Route
from wsgateway.settings.schema import known_keys

from .test_sections import sections

ROOT = Path(__file__).parents[2]
# The one for Kubernetes has a gateway's inside, and tests of its own.
FILES = sorted(file for file in (ROOT / "config").glob("*.yaml") if file.name != "kubernetes.yaml")


def test_there_are_example_files() -> None:
    assert {"minimal.yaml", "wsgateway.yaml"} <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_file_is_good(file: Path) -> None:
    load(file)


def test_the_complete_example_names_every_key() -> None:
    text = (ROOT / "config" / "wsgateway.yaml").read_text("utf-8")
    for section in sections():
        for key in (info.alias or name for name, info in section.model_fields.items()):
            assert re.search(rf"\b{key}: ", text) or re.search(rf"^ *{key}:$", text, re.MULTILINE), key


def test_the_complete_example_shows_the_defaults() -> None:
    complete, minimal = load(ROOT / "config" / "wsgateway.yaml"), load(ROOT / "config" / "minimal.yaml")
    assert complete.default_timeouts == minimal.default_timeouts
    assert complete.shutdown == minimal.shutdown
    assert complete.logging == minimal.logging
    assert complete.workers == minimal.workers
    assert complete.listeners[0].max_connections == minimal.listeners[0].max_connections
    assert complete.listeners[0].head_limits == minimal.listeners[0].head_limits
    assert complete.listeners[0].max_connections_per_ip == minimal.listeners[0].max_connections_per_ip
    assert complete.listeners[0].tls == minimal.listeners[0].tls
    assert complete.listeners[0].proxy_protocol == minimal.listeners[0].proxy_protocol
    assert complete.listeners[0].forwarded_trusted == minimal.listeners[0].forwarded_trusted
    assert complete.listeners[0].flash_policy.mode == minimal.listeners[0].flash_policy.mode
    assert replace(complete.upstreams["chat"], name="", targets=()) == replace(
        minimal.upstreams["echo"], name="", targets=()
    )
    # The last route says nothing of its own: what it has are the defaults.
    for field in fields(Route):
        if field.name not in ("name", "match", "upstream"):
            assert getattr(complete.routes[-1], field.name) == getattr(minimal.routes[0], field.name), field.name


def test_the_known_keys_of_the_file_are_in_the_order_of_the_example() -> None:
    text = (ROOT / "config" / "wsgateway.yaml").read_text("utf-8")
    assert re.findall(r"^([a-z_]+):", text, re.MULTILINE) == known_keys(())
