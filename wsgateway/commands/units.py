"""The command `units`."""

import argparse

from wsgateway.commands import GOOD
from wsgateway.commands.options import named
from wsgateway.units import MODES, write


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Write wsgateway.service, wsgateway.socket and certbot-deploy into a directory; with --for monitoring"
        " prometheus-rules.yml, alerts for Prometheus, and grafana.json, a board for Grafana. Print for each"
        " whether it was written, replaced or unchanged. The units expect wsgateway to be installed in /opt/wsgateway."
    )
    parser.add_argument(
        "directory", type=named, metavar="DIR", help="a directory that exists, for example /etc/systemd/system"
    )
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=list(MODES),
        default="systemd",
        help="what the files are for (default: systemd)",
    )
    parser.set_defaults(command=_units)


def _units(options: argparse.Namespace) -> int:
    print(*write(options.directory, options.purpose), sep="\n")
    return GOOD
