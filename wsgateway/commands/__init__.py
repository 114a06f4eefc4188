"""The commands of the command line: each has a module of its name, which `cli` imports when the command is given.

A module has one function, `define`, which gives the command's parser its description and options, and the default
`command`: a function that takes the parsed options, runs the command, prints its result and returns the exit status.

What they print for people has colours where a terminal shows it; `painted` alone decides that.
"""

import os
import sys
from typing import Literal, TextIO

GOOD, FAULT = 0, 1

_COLOURS = {"red": 31, "green": 32, "yellow": 33}
Colour = Literal["red", "green", "yellow"]


def shows_colours(stream: TextIO) -> bool:
    """Return whether colours may be printed to a stream: if that is a terminal.

    The environment may say otherwise: NO_COLOR (https://no-color.org) and a TERM of dumb switch colours off, and
    FORCE_COLOR on, in this order, as Python's own programs have it. An empty value says nothing.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (os.environ.get("TERM") != "dumb" and stream.isatty())


def painted(text: str, colour: Colour, stream: TextIO) -> str:
    """Return a text as it is to be printed to a stream: in a colour, each line for itself, if that shows colours."""
    if not shows_colours(stream):
        return text
    return "\n".join(f"\x1b[{_COLOURS[colour]}m{line}\x1b[0m" for line in text.split("\n"))


def print_warning(sentence: str) -> None:
    """Print a warning to standard error."""
    print(f"{painted('warning:', 'yellow', sys.stderr)} {sentence}", file=sys.stderr)


def print_errors(*lines: object) -> None:
    """Print errors to standard error, each in lines of its own."""
    for each in lines:
        print(painted(str(each), "red", sys.stderr), file=sys.stderr)
