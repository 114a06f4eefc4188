"""Options that several commands have, and readers of their values.

A wrong option ends the command, with its usage and what is allowed.
"""

import argparse
from collections.abc import Callable
from typing import TypeVar

from wsgateway.dialects import DIALECTS
from wsgateway.settings.units import seconds

Value = TypeVar("Value")

DEFAULT_DIALECT = "rfc6455"
"""the dialect of a client where none is named"""
DIALECT_NAMES = f"default: {DEFAULT_DIALECT}. The dialects are {', '.join(DIALECTS)}"
"""the end of the help of --dialect"""


def add_offer(parser: argparse.ArgumentParser, origin: str) -> None:
    """Add the options --origin, --subprotocol and --header, which say what a client offers.

    `origin` is for the help: the value of Origin if that option is not given.
    """
    parser.add_argument("--origin", metavar="ORIGIN", help=f"the value of Origin; default: {origin}")
    parser.add_argument(
        "--subprotocol", metavar="NAME", action="append", default=[], help="offer this subprotocol; may be repeated"
    )
    parser.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        type=header,
        action="append",
        default=[],
        help="send this header, too; may be repeated",
    )


def parsed(reader: Callable[[object], Value], text: str) -> Value:
    """Return the value of an option, read by a reader of the configuration."""
    try:
        return reader(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def duration(text: str) -> float:
    """Return the seconds of a duration such as 10s."""
    return parsed(seconds, text)


def header(text: str) -> tuple[str, str]:
    """Return the name and the value of a header, NAME: VALUE."""
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not a header; write 'NAME: VALUE'")
    return name.strip(), value.strip()


def named(text: str) -> str:
    """Return the name of a file or a directory, which is not empty: that would mean the working directory."""
    if text:
        return text
    raise argparse.ArgumentTypeError("'' is no name of a file")


def number(text: str) -> int:
    """Return a number of things."""
    if text.isascii() and text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number; write one from 0 on")


def port(text: str) -> int:
    """Return a port number."""
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port; write a number from 0 to 65535")
