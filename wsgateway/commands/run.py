"""The command `run`."""

import argparse
from collections.abc import Callable
from functools import partial

import trio

from wsgateway.commands import GOOD
from wsgateway.commands.endings import good_end
from wsgateway.commands.options import named
from wsgateway.observe.log import make_log
from wsgateway.observe.writer import Writer
from wsgateway.run.command import anchored, anchored_address, here, own_command
from wsgateway.run.supervisor import Supervisor
from wsgateway.settings.load import Source, read, single


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Run the gateway, with a configuration file or between two addresses, until SIGTERM or SIGINT,"
        " which end its sessions one after the other. A second one ends it at once. At SIGHUP it reads the file again."
    )
    parser.add_argument("file", nargs="?", type=named, metavar="FILE", help="the configuration file, YAML")
    parser.add_argument("--listen", metavar="HOST:PORT", help="without a file: the address to listen on, or unix:PATH")
    parser.add_argument("--upstream", metavar="URL", help="without a file: the upstream, ws://HOST:PORT or wss://")
    parser.set_defaults(command=_run, lasts=True)


def _run(options: argparse.Namespace) -> int:
    writer: Writer = options.writer
    read, files = _reader(options)
    make = partial(make_log, writer=writer)
    supervisor = Supervisor(read, make, own_command(files), dropped=lambda: writer.dropped)
    with good_end():
        trio.run(supervisor.run)
    return GOOD


def _reader(options: argparse.Namespace) -> tuple[Callable[[], Source], dict[str, str]]:
    """Return a function that reads the configuration as it is then, and the arguments that name files.

    The values of the second are the absolute names of the files.
    """
    pair = options.listen, options.upstream
    if options.file is not None and pair == (None, None):
        file = anchored(options.file)
        return partial(read, file), {options.file: file}
    if options.file is not None or None in pair:
        options.usage.error("give either a FILE, or --listen and --upstream")
    listen = anchored_address(options.listen)
    return partial(single, listen, options.upstream, here() or "/"), {options.listen: listen}
