"""HTTP/2 is offered if the key, TLS and the installed library allow it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from wsgateway.settings.basics import Rate
from wsgateway.settings.listeners import Http2
from wsgateway.settings.load import parse

from .files import ROUTES, UPSTREAMS


def text(tls: str) -> str:
    certificates = "certificates: [{certificate: a.pem, private_key: a.pem}]"
    return f"version: 1\n{ROUTES}{UPSTREAMS}listeners:\n- bind: [a:80]\n  tls: {{{certificates}{tls}}}\n"


def offered(tls: str) -> Http2 | None:
    listener = parse(text(tls), "f.yaml").listeners[0]
    assert listener.tls is not None
    return replace(listener.tls.http2, mode="auto") if listener.tls.offers_http2 else None


@pytest.mark.parametrize(
    "tls",
    [
        "",
        ", http2: {}",
        ", http2: {mode: auto}",
        ", http2: {mode: offer}",
        ", profile: modern",
        ", profile: custom",
        ", profile: custom, minimum: 1.2",
    ],
)
def test_http2_is_offered_with_its_limits(tls: str) -> None:
    assert offered(tls) == Http2("auto", 100, 60.0, Rate(1000, 60.0))


@pytest.mark.parametrize(
    "tls",
    [
        ", http2: {mode: none}",
        ", profile: legacy",
        ", profile: custom, minimum: 1.0",
        ", profile: custom, minimum: 1.1",
    ],
)
def test_http2_is_not_offered_otherwise(tls: str) -> None:
    assert offered(tls) is None


def test_the_limits_of_http2_may_be_set() -> None:
    assert offered(", http2: {streams: 7, idle: 2m, control_rate: none}") == Http2("auto", 7, 120.0, None)


def checked_without_the_library(folder: Path, tls: str) -> tuple[int, str]:
    """Return the status and the last line of `check` where h2 is not installed."""
    file = folder / "f.yaml"
    file.write_text(text(tls))
    # No certificate is there, and it need not: what the key says comes before what is in files.
    code = "import sys; sys.modules['h2'] = None; from wsgateway.cli import main; sys.exit(main(['check', 'f.yaml']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    return done.returncode, done.stderr.splitlines()[-1]


def test_mode_offer_without_the_library_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    assert checked_without_the_library(tmp_path, ", http2: {mode: offer}") == (
        1,
        "f.yaml:6:81: listeners[0].tls.http2.mode: HTTP/2 needs a library that is not installed:"
        " pip install 'wsgateway[http2]'",
    )


def test_mode_auto_needs_no_library(tmp_path: Path) -> None:
    _, said = checked_without_the_library(tmp_path, ", http2: {mode: auto}")
    assert said.endswith("'a.pem' cannot be read: No such file or directory")
