"""The command line.

Exit status: 0 success, 1 a fault, 2 wrong usage (from argparse), and 78 for a gateway with a broken file, so that
systemd does not start it again and again (EX_CONFIG of sysexits.h).
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import trio

from wsgateway import __version__
from wsgateway.demo.echo import Echo
from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS, Headers, Request
from wsgateway.errors import BrokenFileError, HotRestartError, SettingsError, StartError
from wsgateway.observe.log import make_log
from wsgateway.observe.writer import Writer
from wsgateway.options import header, port
from wsgateway.policy.checks import ClientFacts
from wsgateway.policy.explain import allowed, explain
from wsgateway.policy.routes import route_query
from wsgateway.probing import DEFAULT_DIALECT, add_probe
from wsgateway.remote import Result, add_remote
from wsgateway.run.command import anchored, anchored_address, here, own_command
from wsgateway.run.supervisor import STOP_SIGNALS, Supervisor
from wsgateway.settings.advice import advice
from wsgateway.settings.certificates import known, warnings
from wsgateway.settings.example import complete_example, minimal_example
from wsgateway.settings.findings import guess
from wsgateway.settings.json_schema import json_schema
from wsgateway.settings.load import Source, load, read, single
from wsgateway.settings.process import Logging
from wsgateway.units import write as write_units

GOOD, FAULT, BROKEN_FILE = 0, 1, 78
# The exit status that shells give to a program that Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT
_FILE = "the configuration file, YAML"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process. Return its exit status."""
    options = _parser().parse_args(arguments)
    if not options.lasts:
        return _perform(options)
    with Writer.of_process() as options.writer:
        return _perform(options)


def _perform(options: argparse.Namespace) -> int:
    try:
        status: int = options.command(options)
    except (SettingsError, StartError, HotRestartError) as error:
        print(error, file=sys.stderr)
        return BROKEN_FILE if isinstance(error, BrokenFileError) else FAULT
    except BrokenPipeError:  # the reader has ended, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wsgateway",
        description="A gateway that lets every WebSocket client ever made talk to a modern backend.",
        epilog="'wsgateway COMMAND --help' has the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"wsgateway {__version__}")
    parser.set_defaults(lasts=False, command=_show_result)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_files(commands)
    _add_explain(commands)
    add_probe(commands)
    add_remote(commands)
    _add_demo(commands)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="run the gateway",
        description="Run the gateway, with a configuration file or between two addresses, until SIGTERM or SIGINT. A"
        " second signal ends it at once. SIGHUP reads the file again.",
    )
    run.add_argument("file", nargs="?", metavar="FILE", help=_FILE)
    run.add_argument("--listen", metavar="HOST:PORT", help="without a file: the address to listen on, or unix:PATH")
    run.add_argument("--upstream", metavar="URL", help="without a file: the address of the backend, ws://HOST:PORT")
    run.set_defaults(command=_run, lasts=True, usage=run)


def _add_files(commands: Any) -> None:
    check = commands.add_parser("check", help="check a configuration file, and print all problems")
    check.add_argument("file", metavar="FILE", help=_FILE)
    check.set_defaults(command=_check)

    schema = commands.add_parser(
        "schema",
        help="print a JSON Schema of the configuration, for editors",
        description="Print a JSON Schema of the configuration. Write it to wsgateway.schema.json beside the file: then"
        " an editor with yaml-language-server completes keys and marks mistakes.",
    )
    schema.set_defaults(command=_schema)

    example = commands.add_parser("example", help="print a configuration file with every key and its default")
    example.add_argument("--minimal", action="store_true", help="print the smallest file instead")
    example.set_defaults(command=_example)

    units = commands.add_parser(
        "units",
        help="write the units for systemd, and a hook for certbot, into a directory",
        description="Write wsgateway.service, wsgateway.socket and certbot-deploy into a directory. Print of each"
        " whether it was written, replaced or unchanged. The units expect wsgateway in /opt/wsgateway.",
    )
    units.add_argument("directory", metavar="DIR", help="for example /etc/systemd/system")
    units.set_defaults(command=_units)


def _add_explain(commands: Any) -> None:
    why = commands.add_parser(
        "explain",
        help="print which route a request takes, and the results of its checks",
        description="Print which route a request would take, the results of the route's checks, and the upstream. Exit"
        " status 0: the request would reach the upstream.",
    )
    why.add_argument("file", metavar="FILE", help=_FILE)
    why.add_argument("url", metavar="URL", help="the URL of the request: ws://HOST[:PORT][/PATH], or http://")
    why.add_argument(
        "--dialect",
        choices=list(DIALECTS),
        default=DEFAULT_DIALECT,
        metavar="D",
        help=f"the dialect of the client; default: %(default)s. The dialects are {', '.join(DIALECTS)}",
    )
    why.add_argument("--origin", metavar="ORIGIN", help="the value of Origin; default: no Origin")
    why.add_argument("--listener", metavar="NAME", help="the listener; default: the first in the file")
    why.add_argument(
        "--subprotocol", metavar="NAME", action="append", default=[], help="offer this subprotocol; may be repeated"
    )
    why.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        type=header,
        action="append",
        default=[],
        help="send this header, too; may be repeated",
    )
    why.set_defaults(command=_explain, usage=why)


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo", help="start a gateway, a backend with an echo and a chat room, and a page to try them, on this machine"
    )
    demo.add_argument("--port", type=port, default=8080, help="the port of the gateway; default: %(default)s")
    demo.add_argument(
        "--page-port", type=port, default=8081, help="the port of the page; default: %(default)s", metavar="PORT"
    )
    demo.add_argument(
        "--echo", type=port, metavar="PORT", help="start only a backend on this port, which sends every message back"
    )
    demo.set_defaults(command=_demo, lasts=True)


def _run(options: argparse.Namespace) -> int:
    writer: Writer = options.writer
    read, files = _reader(options)
    make = partial(make_log, writer=writer)
    supervisor = Supervisor(read, make, own_command(files), dropped=lambda: writer.dropped)
    with _good_end():
        trio.run(supervisor.run)
    return GOOD


@contextmanager
def _good_end() -> Iterator[None]:
    """End the process with success at a stop signal, also before the program watches signals, and after."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: os._exit(GOOD))
    yield
    for number in STOP_SIGNALS:
        # The interpreter restores the default handlers when it ends, and these would kill the process.
        signal.signal(number, signal.SIG_IGN)


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


def _check(options: argparse.Namespace) -> int:
    settings = load(options.file)
    for sentence in (*advice(settings), *warnings(known(settings), time.time())):
        print(f"warning: {sentence}", file=sys.stderr)
    print(f"{options.file}: good")
    return GOOD


def _explain(options: argparse.Namespace) -> int:
    settings = load(options.file)
    url = urlsplit(options.url)
    if url.scheme not in ("ws", "wss", "http", "https") or not url.hostname:
        options.usage.error(f"{options.url!r} is not an address of the form ws://HOST[:PORT][/PATH], or http://")
    names = [listener.name for listener in settings.listeners]
    listener = options.listener or names[0]
    if listener not in names:
        options.usage.error(f"{listener!r} is not a listener; {guess(listener, names)}")
    protocols = [("Sec-WebSocket-Protocol", ", ".join(options.subprotocol))] if options.subprotocol else []
    upgrade = [("Upgrade", "websocket")] if url.scheme in ("ws", "wss") else []
    headers = Headers([*options.header, *protocols, *upgrade])
    query = route_query(Request(url.path or "/", headers), listener, url.netloc.rpartition("@")[2])
    facts = ClientFacts(DIALECTS[options.dialect], options.origin)
    print(*explain(settings, query, facts), sep="\n")
    return GOOD if allowed(settings, query, facts) else FAULT


def _schema(options: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return GOOD


def _example(options: argparse.Namespace) -> int:
    print(minimal_example() if options.minimal else complete_example(), end="")
    return GOOD


def _show_result(options: argparse.Namespace) -> int:
    result: Result = options.query(options)
    for line in result.errors:
        print(line, file=sys.stderr)
    for line in result.lines:
        print(line)
    return result.status


def _units(options: argparse.Namespace) -> int:
    print(*write_units(options.directory), sep="\n")
    return GOOD


def _demo(options: argparse.Namespace) -> int:
    if options.echo is not None:
        return _echo(options)
    demo = Demo(options.port, options.page_port, make_log(Logging("warning"), options.writer))
    with _good_end():
        trio.run(demo.run, partial(print, flush=True))
    return GOOD


def _echo(options: argparse.Namespace) -> int:
    echo = Echo(options.echo, make_log(Logging("warning"), options.writer))
    with _good_end():
        print(echo, flush=True)
        trio.run(echo.run)
    return GOOD
