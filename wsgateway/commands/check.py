"""The command `check`."""

import argparse
import sys
import time

from wsgateway.commands import GOOD
from wsgateway.settings.advice import advice
from wsgateway.settings.certificates import known, warnings
from wsgateway.settings.load import load


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.add_argument("file", metavar="FILE", help="the configuration file, YAML")
    parser.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    settings = load(options.file)
    for sentence in (*advice(settings), *warnings(known(settings), time.time())):
        print(f"warning: {sentence}", file=sys.stderr)
    print(f"{options.file}: valid")
    return GOOD
