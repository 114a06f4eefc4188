"""Fixtures that tests of traces share."""

from tests.net.certificates import authority

__all__ = ["authority"]
