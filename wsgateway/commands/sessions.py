"""The command `sessions`."""

import argparse
import json

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.options import number
from wsgateway.commands.remote import HOW_FOUND, add_control, add_filter, ask, failed, filter_of
from wsgateway.observe.tables import aligned, counted, spelled_bytes, spelled_time
from wsgateway.run.requests import Item

_COLUMNS = (
    "id", "client", "dialect", "route", "listener", "since (UTC)", "messages in", "out", "bytes in", "out", "target",
    "host", "path", "agent",
)  # fmt: skip
_NUMBERS = range(6, 10)


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print the sessions that a running gateway has open, the oldest first, with what has gone through them: in is"
        " what came from the client. Options choose sessions; all of them must hold. With --json and without --limit"
        f" they are printed as they come from the workers, in no order.{HOW_FOUND}"
    )
    add_control(parser)
    add_filter(parser)
    parser.add_argument("--limit", metavar="NUMBER", type=number, help="print so many at most; all are counted")
    parser.add_argument("--json", action="store_true", help="print each session as an object of JSON, on a line")
    parser.set_defaults(command=_sessions)


def _sessions(options: argparse.Namespace) -> int:
    found: list[Item] = []
    arguments = filter_of(options) | ({} if options.limit is None else {"limit": options.limit})
    as_they_come = options.json and options.limit is None
    answer = ask(options, "sessions", arguments, _print_json if as_they_come else found.extend)
    if answer is None:
        return FAULT
    # Each worker has sent its oldest ones, as many as are wanted in all.
    oldest = sorted(found, key=lambda item: item["since"])[: options.limit]
    if options.json:
        _print_json(oldest)
    else:
        for line in aligned([_COLUMNS, *map(_row, oldest)], _NUMBERS):
            print(line)
    if not answer.ok:
        return failed(*answer.findings)
    if not options.json:
        print(_sum(int(answer.facts["matching"]), int(answer.facts["open"])))
    return GOOD


def _print_json(items: list[Item]) -> None:
    for item in items:
        print(json.dumps(item))


def _sum(matching: int, every: int) -> str:
    return counted(every, "session") if matching == every else f"{matching} of {counted(every, 'session')}"


def _row(item: Item) -> list[str]:
    def said(name: str) -> str:
        return str(item.get(name, ""))

    def number(name: str) -> int:
        value = item.get(name)
        return value if isinstance(value, int) else 0

    return [
        said("id"),
        f"{said('forwarded_for')} by {said('client')}" if "forwarded_for" in item else said("client"),
        *map(said, ("dialect", "route", "listener")),
        spelled_time(float(item["since"])),
        str(number("messages_in")),
        str(number("messages_out")),
        spelled_bytes(number("bytes_in")),
        spelled_bytes(number("bytes_out")),
        *map(said, ("target", "host", "path", "agent")),
    ]
