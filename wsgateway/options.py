"""What reads the options of the command line. A wrong one ends the command with its usage, and what would be right."""

import argparse
from collections.abc import Callable
from typing import TypeVar

from wsgateway.settings.units import seconds

Value = TypeVar("Value")


def parsed(reader: Callable[[object], Value], text: str) -> Value:
    """Return what a reader of the configuration makes of an option."""
    try:
        return reader(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def duration(text: str) -> float:
    """Return the seconds of a duration, as 10s."""
    return parsed(seconds, text)


def header(text: str) -> tuple[str, str]:
    """Return the name and the value of a header, as NAME: VALUE."""
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not a header; write 'NAME: VALUE'")
    return name.strip(), value.strip()


def port(text: str) -> int:
    """Return the number of a port."""
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
