"""The authority of the tests of TLS, here too."""

from tests.net.certificates import authority

__all__ = ["authority"]
