"""The command `log-level`."""

import argparse

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.options import duration
from wsgateway.commands.remote import HOW_FOUND, add_control, ask, failed
from wsgateway.run.requests import Fact


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Set the level of the log of a running gateway, in all of its processes: for all lines, or for those about the"
        " clients of a network. It stays through reloads and ends of workers, and not after a new start or a hot"
        f" restart.{HOW_FOUND}"
    )
    levels = ("debug", "info", "warning", "error", "default")
    parser.add_argument("level", choices=levels, help="the least important lines; default: as the file says")
    add_control(parser)
    parser.add_argument("--client", metavar="NETWORK", help="only lines about clients of this network, or `unix`")
    parser.add_argument("--for", dest="seconds", metavar="DURATION", type=duration, help="for so long; then `default`")
    parser.set_defaults(command=_log_level)


def _log_level(options: argparse.Namespace) -> int:
    arguments: dict[str, Fact] = {"level": options.level}
    arguments |= {name: value for name in ("client", "seconds") if (value := getattr(options, name)) is not None}
    answer = ask(options, "log-level", arguments)
    if answer is None:
        return FAULT
    if not answer.ok:
        return failed(*answer.findings)
    about = "" if options.client is None else f" for clients of {options.client}"
    length = "" if options.seconds is None else f", for {options.seconds:g} s"
    print(f"level {answer.facts['level']}{about}{length}")
    return GOOD
