"""The command `reload`."""

import argparse

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.remote import HOW_FOUND, add_control, ask, failed, warn


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Make a running gateway read its own file again, wait until it has done so, and print the problems or warnings."
        f" Exit status 0: it serves the new configuration.{HOW_FOUND}"
    )
    add_control(parser, timeout="10m")
    parser.set_defaults(command=_reload)


def _reload(options: argparse.Namespace) -> int:
    answer = ask(options, "reload", also="send it SIGHUP")
    if answer is None:
        return FAULT
    if not answer.ok:
        return failed(*answer.findings)
    warn(answer)
    facts = answer.facts
    print(f"reloaded: {facts['file']}, sha256 {facts['sha256']}, routes {facts['routes']}, workers {facts['workers']}")
    return GOOD
