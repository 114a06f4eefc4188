"""The command `close`."""

import argparse
import re

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.options import named
from wsgateway.commands.remote import HOW_FOUND, add_control, add_filter, ask, failed, filter_of
from wsgateway.observe.tables import counted

_ID = re.compile(r"[0-9]+-[0-9]+")


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Close sessions of a running gateway: one by its ID, as `wsgateway sessions` prints it, or all that the options"
        " choose. Client and upstream get a Close with the code shutdown.close_code. Print how many were closed."
        f"{HOW_FOUND} A FILE whose name looks like an ID is written as ./NAME."
    )
    parser.add_argument(
        "what",
        nargs="*",
        type=named,
        metavar="[ID] [FILE]",
        help="the id of a session; the configuration file of the gateway",
    )
    add_control(parser, file=False)
    add_filter(parser)
    parser.add_argument("--all", action="store_true", help="close them even if these are all sessions")
    parser.set_defaults(command=_close)


def _close(options: argparse.Namespace) -> int:
    ids = [each for each in options.what if _ID.fullmatch(each)]
    files = [each for each in options.what if each not in ids]
    if len(ids) > 1 or len(files) > 1:
        seen = " ".join(map(repr, options.what))
        options.usage.error(f"give one ID, as 1-7, or options that choose sessions, and one FILE; {seen} are too many")
    options.file = files[0] if files else None
    arguments = filter_of(options) | ({"id": ids[0]} if ids else {}) | ({"all": True} if options.all else {})
    answer = ask(options, "close", arguments)
    if answer is None:
        return FAULT
    if not answer.ok:
        return failed(*answer.findings)
    print(f"closed {counted(int(answer.facts['closed']), 'session')}")
    return GOOD
