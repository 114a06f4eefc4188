"""The command `status`."""

import argparse
import json
from functools import partial

import trio

from wsgateway.commands import GOOD
from wsgateway.commands.options import parsed
from wsgateway.commands.remote import failed, unanswered
from wsgateway.observe.query import query_status
from wsgateway.observe.status import table
from wsgateway.settings.addresses import admin_address
from wsgateway.settings.basics import Address, UnixAddress
from wsgateway.settings.load import load

_ELSEWHERE = "name its own file (wsgateway status FILE) or the address of its admin pages (--admin ADDRESS)"


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print the status of a running gateway, of its workers, targets and certificates. Give its FILE, or"
        " the address of its admin pages."
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="the configuration file of the gateway")
    parser.add_argument(
        "--admin",
        type=_admin,
        metavar="ADDRESS",
        help="without a file: the address of the admin pages, HOST:PORT or unix:/PATH",
    )
    parser.add_argument("--json", action="store_true", help="print the whole status as JSON")
    parser.set_defaults(command=_status, usage=parser)


def _status(options: argparse.Namespace) -> int:
    if (options.file is None) is (options.admin is None):
        options.usage.error("give either a FILE or --admin")
    address: Address | UnixAddress | None = options.admin if options.file is None else load(options.file).admin.bind
    if address is None:
        return failed(f"{options.file}: admin.bind is none, so this gateway has no admin pages")
    try:
        status = trio.run(partial(query_status, address))
    except OSError as error:
        return unanswered(address, error, _ELSEWHERE)
    print(json.dumps(status, indent=2) if options.json else table(status))
    return GOOD


def _admin(text: str) -> Address | UnixAddress:
    return parsed(admin_address, text)
