"""Fixtures of tests of listeners: the authority of the tests of TLS, and a listener that offers HTTP/2."""

import pytest

from tests.net.certificates import Authority, authority

from .http2 import listener

__all__ = ["authority", "offered"]


@pytest.fixture
def offered(authority: Authority) -> str:
    return listener(authority.issue("localhost"))
