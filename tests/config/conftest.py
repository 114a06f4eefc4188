"""The fixture with the authority that signs the certificates of tests."""

from tests.net.certificates import authority

__all__ = ["authority"]
