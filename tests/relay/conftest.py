"""What tests of the relay share: fixtures of TLS, and the engine in C and in Python."""

import pytest

from tests.net.certificates import authority
from wsgateway import native
from wsgateway.relay import endpoint, engine

__all__ = ["authority"]

ENGINES = ["Python"] if native.step is None else ["C", "Python"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have every test that runs an engine do so with both."""
    if {"Engine", "Stage", "staged", "patiently"} & vars(metafunc.module).keys():
        metafunc.parametrize("engine_in", ENGINES, indirect=True)


@pytest.fixture(autouse=True)  # pytest sets up no fixture that neither a test asks for nor is used by all
def engine_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the engine in this language, for the tests that run with both."""
    if getattr(request, "param", "") == "Python":
        monkeypatch.setattr(endpoint, "step", None)
        monkeypatch.setattr(engine, "Turn", native._Turn)
