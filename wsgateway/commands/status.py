"""The command `status`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import NoReturn

import trio

from wsgateway.commands import GOOD, shows_colours
from wsgateway.commands.options import duration, named, parsed
from wsgateway.commands.remote import failed, unanswered
from wsgateway.commands.signals import sigterm_as_ctrl_c
from wsgateway.observe.query import query_status
from wsgateway.observe.status_text import text_of
from wsgateway.settings.addresses import admin_address
from wsgateway.settings.basics import Address, UnixAddress
from wsgateway.settings.load import load

_ELSEWHERE = "name its own file (wsgateway status FILE) or the address of its admin pages (--admin ADDRESS)"
_WATCH_SECONDS = 2.0
# Move to the first place, and clear the screen (ECMA-48, 8.3.21 and 8.3.39).
_CLEAR = "\x1b[H\x1b[2J"


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print the status of a running gateway: its listeners, who speaks which dialect now and when last, targets,"
        " refusals by reason, certificates and workers. Give its FILE, or the address of its admin pages. On a terminal"
        " states have colours, unless NO_COLOR is set."
    )
    parser.add_argument("file", nargs="?", type=named, metavar="FILE", help="the configuration file of the gateway")
    parser.add_argument(
        "--admin",
        type=_admin,
        metavar="ADDRESS",
        help="without a file: the address of the admin pages, HOST:PORT or unix:/PATH",
    )
    parser.add_argument("--json", action="store_true", help="print the whole status as JSON")
    parser.add_argument("--watch", action="store_true", help="print it again and again, until Ctrl-C")
    parser.add_argument(
        "--interval",
        metavar="DURATION",
        type=duration,
        default=_WATCH_SECONDS,
        help=f"how long --watch waits in between; default: {_WATCH_SECONDS:g}s",
    )
    parser.set_defaults(command=_status)


def _status(options: argparse.Namespace) -> int:
    if (options.file is None) is (options.admin is None):
        options.usage.error("give either a FILE or --admin")
    if options.json and options.watch:
        options.usage.error("give --json or --watch, not both")
    address: Address | UnixAddress | None = options.admin if options.file is None else load(options.file).admin.bind
    if address is None:
        return failed(f"{options.file}: admin.bind is none, so this gateway has no admin pages")
    if options.watch:
        with suppress(KeyboardInterrupt):
            trio.run(_watch, address, options.interval)
        return GOOD
    try:
        status = trio.run(partial(query_status, address))
    except OSError as error:
        return unanswered(address, error, _ELSEWHERE)
    print(json.dumps(status, indent=2) if options.json else text_of(status, coloured=shows_colours(sys.stdout)))
    return GOOD


async def _watch(address: Address | UnixAddress, seconds: float) -> NoReturn:
    """Show the status until KeyboardInterrupt, at Ctrl-C or SIGTERM. A gateway that does not answer may come back."""
    with sigterm_as_ctrl_c(), _screen() as show:
        while True:
            try:
                text = text_of(await query_status(address), coloured=shows_colours(sys.stdout))
            except OSError as error:
                text = f"{address}: {error.strerror or error}"
            show(f"{text}\n\nevery {seconds:g} s; Ctrl-C ends it")
            await trio.sleep(seconds)


@contextmanager
def _screen() -> Iterator[Callable[[str], object]]:
    """Return what shows a text in place of the one before: on a screen of its own, if `rich` is installed."""
    if not sys.stdout.isatty():
        yield lambda text: print(text, end="\n\n", flush=True)
        return
    try:
        from rich.live import Live
        from rich.text import Text
    except ImportError:
        yield lambda text: print(_CLEAR + text, flush=True)
        return
    with Live(screen=True, auto_refresh=False) as live:
        yield lambda text: live.update(Text.from_ansi(text, no_wrap=True, overflow="ellipsis"), refresh=True)


def _admin(text: str) -> Address | UnixAddress:
    return parsed(admin_address, text)
