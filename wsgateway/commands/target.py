"""The command `target`."""

import argparse

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.remote import HOW_FOUND, add_control, ask, failed, warn
from wsgateway.observe.tables import counted


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Drain a target of a running gateway: it gets no new sessions, and those that it has stay. Or enable it again."
        " It stays drained through reloads that keep it in the file, hot restarts and ends of workers, and not after a"
        f" new start. `wsgateway status` shows it.{HOW_FOUND}"
    )
    parser.add_argument("action", choices=("drain", "enable"), help="no new sessions, or new ones again")
    parser.add_argument("upstream", metavar="UPSTREAM", help="the name of the upstream")
    parser.add_argument("target", metavar="TARGET", help="the url of the target, as the file has it")
    add_control(parser)
    parser.set_defaults(command=_target)


def _target(options: argparse.Namespace) -> int:
    names = ("action", "upstream", "target")
    answer = ask(options, "target", {name: getattr(options, name) for name in names})
    if answer is None:
        return FAULT
    if not answer.ok:
        return failed(*answer.findings)
    warn(answer)
    did = "drained" if options.action == "drain" else "enabled"
    already = "" if answer.facts["changed"] else ", as before"
    print(f"{did}{already}: {options.target} of {options.upstream} has {counted(int(answer.facts['open']), 'session')}")
    return GOOD
