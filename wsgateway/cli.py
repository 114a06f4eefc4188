"""The command line. Exit status: 0 good, 1 a fault, 2 wrong usage (which is argparse's own)."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio

from wsgateway import __version__
from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS
from wsgateway.errors import SettingsError
from wsgateway.observe.log import make_log
from wsgateway.probe.client import ProbeError, Question, probe
from wsgateway.run.worker import STOP_SIGNALS, bind, serve_until_signalled
from wsgateway.settings.load import load, single
from wsgateway.settings.model import Settings

GOOD, FAULT = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line (that of the process, if none is given) and returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return FAULT
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wsgateway", description="Lets every WebSocket client ever made talk to a modern backend."
    )
    parser.add_argument("--version", action="version", version=f"wsgateway {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="serve, as a configuration file says or between two addresses")
    run.add_argument("file", nargs="?", metavar="FILE", help="the configuration, YAML")
    run.add_argument("--listen", metavar="HOST:PORT", help="without a file: where to listen")
    run.add_argument("--upstream", metavar="URL", help="without a file: the server behind, ws://HOST:PORT")
    run.set_defaults(command=_run, usage=run)

    check = commands.add_parser("check", help="read a configuration file and name all that is wrong with it")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(command=_check)

    ask = commands.add_parser("probe", help="connect to a server as an old or a new client does, and show every byte")
    ask.add_argument("url", metavar="URL", help="ws://HOST[:PORT][/PATH]")
    ask.add_argument("--dialect", choices=list(DIALECTS), required=True, help="what to speak: %(choices)s", metavar="D")
    ask.add_argument("--send", metavar="TEXT", help="send a message, and wait for one")
    ask.add_argument("--origin", metavar="ORIGIN", help="default: http:// and the host of the URL")
    ask.add_argument("--subprotocol", metavar="NAME", action="append", default=[], help="may be repeated")
    ask.set_defaults(command=_probe, usage=ask)

    show = commands.add_parser("demo", help="start a gateway, a server behind it and a page to look at")
    show.add_argument("--port", type=_port, default=8080, help="the gateway's, default: %(default)s")
    show.add_argument("--page-port", type=_port, default=8081, help="the page's, default: %(default)s", metavar="PORT")
    show.set_defaults(command=_demo)
    return parser


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    log = make_log(settings.logging.level, settings.logging.format)
    bound = bind(settings)
    with _good_end():
        trio.run(serve_until_signalled, settings, log, bound)
    return GOOD


@contextmanager
def _good_end() -> Iterator[None]:
    """Has a stop signal end the process well also where nobody watches for it: before it serves, and after."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: os._exit(GOOD))
    yield
    for number in STOP_SIGNALS:
        signal.signal(
            number, signal.SIG_IGN
        )  # any other handler is undone while the interpreter ends, and then it kills


def _settings(options: argparse.Namespace) -> Settings:
    pair = options.listen, options.upstream
    if options.file is not None and pair == (None, None):
        return load(options.file)
    if options.file is not None or None in pair:
        options.usage.error("give either a FILE, or --listen and --upstream")
    return single(*pair)


def _check(options: argparse.Namespace) -> int:
    load(options.file)
    print(f"{options.file}: good")
    return GOOD


def _probe(options: argparse.Namespace) -> int:
    dialect = DIALECTS[options.dialect]
    question = Question(options.url, dialect, options.send, options.origin, tuple(options.subprotocol))
    try:
        report = trio.run(probe, question, print)
    except ProbeError as error:
        options.usage.error(str(error))
    print(f"= {report}")
    return GOOD if report.error is None else FAULT


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")


def _demo(options: argparse.Namespace) -> int:
    demo = Demo(options.port, options.page_port, make_log("warning", "text"))
    with _good_end():
        print(demo, flush=True)
        trio.run(demo.run)
    return GOOD
