"""Tests of the module in C, and of how it is built and chosen."""
