"""The examples that we give are good."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from wsgateway.settings.load import load
from wsgateway.settings.paths import known_keys
from wsgateway.settings.routes import Route

from .sections import keys

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
    for key in keys().values():
        assert re.search(rf"\b{key.name}: ", text) or re.search(rf"^ *(?:# *)?{key.name}:$", text, re.MULTILINE), key


def test_the_complete_example_shows_the_defaults() -> None:
    complete, minimal = load(ROOT / "config" / "wsgateway.yaml"), load(ROOT / "config" / "minimal.yaml")
    for name in ("defaults", "shutdown", "workers", "join_memory_bytes", "logging", "control"):
        assert getattr(complete, name) == getattr(minimal, name), name
    listener, least = complete.listeners[0], minimal.listeners[0]
    assert replace(listener, name=least.name, bind=least.bind, flash_policy=least.flash_policy) == least
    upstream, least_upstream = complete.upstreams["chat"], minimal.upstreams["echo"]
    assert replace(upstream, name="echo", targets=least_upstream.targets) == least_upstream
    target = least_upstream.targets[0]
    assert replace(upstream.targets[0], url=target.url) == target
    # The last route says nothing of its own: what it has are the defaults.
    for field in fields(Route):
        if field.name not in ("name", "match", "upstream"):
            assert getattr(complete.routes[-1], field.name) == getattr(minimal.routes[0], field.name), field.name


def test_the_known_keys_of_the_file_are_in_the_order_of_the_example() -> None:
    text = (ROOT / "config" / "wsgateway.yaml").read_text("utf-8")
    assert re.findall(r"^([a-z_]+):", text, re.MULTILINE) == known_keys(())
