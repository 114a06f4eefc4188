"""Fixtures that tests of connections share."""

from .certificates import authority

__all__ = ["authority"]
