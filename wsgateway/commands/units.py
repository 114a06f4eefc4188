"""The command `units`."""

import argparse

from wsgateway.commands import GOOD
from wsgateway.units import write


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Write wsgateway.service, wsgateway.socket and certbot-deploy into a directory. Print for each"
        " whether it was written, replaced or unchanged. The units expect wsgateway to be installed in /opt/wsgateway."
    )
    parser.add_argument("directory", metavar="DIR", help="a directory that exists, for example /etc/systemd/system")
    parser.set_defaults(command=_units)


def _units(options: argparse.Namespace) -> int:
    print(*write(options.directory), sep="\n")
    return GOOD
