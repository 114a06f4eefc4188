"""The command `example`."""

import argparse

from wsgateway.commands import GOOD
from wsgateway.settings.example import complete_example, minimal_example


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print a configuration file with every key, its default and its meaning. Write it to a file, and change it."
    )
    parser.add_argument("--minimal", action="store_true", help="print the smallest file instead")
    parser.set_defaults(command=_example)


def _example(options: argparse.Namespace) -> int:
    print(minimal_example() if options.minimal else complete_example(), end="")
    return GOOD
