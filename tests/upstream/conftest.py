"""Fixtures that tests of TLS share."""

from tests.net.certificates import authority

__all__ = ["authority"]
