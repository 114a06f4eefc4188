"""The version of the program, for every part that has to say it."""

__version__ = "0.1.0"
