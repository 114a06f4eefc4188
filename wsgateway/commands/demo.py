"""The command `demo`."""

import argparse
from functools import partial

import trio

from wsgateway.commands import GOOD
from wsgateway.commands.endings import good_end
from wsgateway.commands.options import port
from wsgateway.demo.echo import Echo
from wsgateway.demo.program import Demo
from wsgateway.observe.log import make_log
from wsgateway.settings.process import Logging


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Start a gateway, a server behind it, and a page to try them with every dialect, on this machine alone. Print"
        " their addresses, and the warnings of the gateway. Ctrl-C ends it."
    )
    parser.add_argument(
        "--port", type=port, default=8080, help="the port of the gateway and of the page; default: %(default)s"
    )
    parser.add_argument(
        "--echo", type=port, metavar="PORT", help="start only a backend on this port, which sends every message back"
    )
    parser.set_defaults(command=_demo, lasts=True)


def _demo(options: argparse.Namespace) -> int:
    if options.echo is not None:
        return _echo(options)
    demo = Demo(options.port, make_log(Logging("warning"), options.writer))
    with good_end():
        trio.run(demo.run, partial(print, flush=True))
    return GOOD


def _echo(options: argparse.Namespace) -> int:
    echo = Echo(options.echo, make_log(Logging("warning"), options.writer))
    with good_end():
        print(echo, flush=True)
        trio.run(echo.run)
    return GOOD
