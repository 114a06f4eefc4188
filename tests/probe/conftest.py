"""What tests of probes share."""

from tests.net.certificates import authority

__all__ = ["authority"]
