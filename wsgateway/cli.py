"""The command line.

Exit status: 0 success, 1 a fault, 2 wrong usage (the status of argparse), and 78 for a gateway whose file is broken, so
that a supervisor does not start it again and again (EX_CONFIG of sysexits.h).
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import get_args
from urllib.parse import urlsplit

import trio

from wsgateway import __version__
from wsgateway.demo.echo import Echo
from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS, Dialect, Headers, Request
from wsgateway.errors import BrokenFileError, HotRestartError, ProbeError, SettingsError, StartError
from wsgateway.observe.log import make_log
from wsgateway.observe.writer import Writer
from wsgateway.options import duration, header, parsed, port
from wsgateway.policy.checks import ClientFacts
from wsgateway.policy.explain import allowed, explain
from wsgateway.policy.routes import route_query
from wsgateway.probe.client import ProbeRequest, Report, probe
from wsgateway.probe.encryption import DEFAULT_PROFILE, trust
from wsgateway.probe.table import heading, row
from wsgateway.probe.transcript import Line, printable
from wsgateway.remote import Said, add_commands
from wsgateway.run.command import anchored, anchored_address, here, own_command
from wsgateway.run.supervisor import STOP_SIGNALS, Supervisor
from wsgateway.settings.advice import advice
from wsgateway.settings.certificates import known, warnings
from wsgateway.settings.dialects import dialects
from wsgateway.settings.example import complete_example, minimal_example
from wsgateway.settings.findings import guess
from wsgateway.settings.json_schema import json_schema
from wsgateway.settings.load import Source, load, read, single
from wsgateway.settings.patterns import pin
from wsgateway.settings.process import Logging
from wsgateway.settings.upstreams import TargetProfile
from wsgateway.units import write as write_units

GOOD, FAULT, BROKEN_FILE = 0, 1, 78
# What shells say of a program that Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT
DEFAULT_DIALECT = "rfc6455"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (that of the process, if none is given) and return its exit status."""
    options = _parser().parse_args(arguments)
    if not options.lasts:
        return _performed(options)
    with Writer.of_process() as options.writer:
        return _performed(options)


def _performed(options: argparse.Namespace) -> int:
    try:
        status: int = options.command(options)
    except (SettingsError, StartError, HotRestartError) as error:
        print(error, file=sys.stderr)
        return BROKEN_FILE if isinstance(error, BrokenFileError) else FAULT
    except BrokenPipeError:  # nobody reads on: `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wsgateway", description="Lets every WebSocket client ever made talk to a modern backend."
    )
    parser.add_argument("--version", action="version", version=f"wsgateway {__version__}")
    parser.set_defaults(lasts=False, command=_ask_gateway)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="serve, as a configuration file says or between two addresses")
    run.add_argument("file", nargs="?", metavar="FILE", help="the configuration, YAML")
    run.add_argument("--listen", metavar="HOST:PORT", help="without a file: where to listen, or unix:PATH")
    run.add_argument("--upstream", metavar="URL", help="without a file: the server behind, ws://HOST:PORT")
    run.set_defaults(command=_run, lasts=True, usage=run)

    check = commands.add_parser("check", help="read a configuration file and name all that is wrong with it")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(command=_check)

    why = commands.add_parser(
        "explain",
        help="say which route a request takes, and what its checks say",
        description="Says which route a request would take, which of its checks pass, and where it leads. Exit status"
        " 0: it would reach an upstream.",
    )
    why.add_argument("file", metavar="FILE", help="the configuration, YAML")
    why.add_argument("url", metavar="URL", help="what is asked for: ws://HOST[:PORT][/PATH], or http:// for plain HTTP")
    why.add_argument(
        "--dialect", choices=list(DIALECTS), default=DEFAULT_DIALECT, metavar="D", help="default: %(default)s"
    )
    why.add_argument("--origin", metavar="ORIGIN", help="the page to come from; default: none")
    why.add_argument("--listener", metavar="NAME", help="by which the client comes; default: the first")
    why.add_argument("--subprotocol", metavar="NAME", action="append", default=[], help="offer it; may be repeated")
    why.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        type=header,
        action="append",
        default=[],
        help="send it, too; may be repeated",
    )
    why.set_defaults(command=_explain, usage=why)

    schema = commands.add_parser(
        "schema",
        help="print a JSON Schema of the configuration, for editors",
        description="Print a JSON Schema of the configuration. Write it to wsgateway.schema.json beside the file: then"
        " an editor with yaml-language-server completes keys and marks mistakes.",
    )
    schema.set_defaults(command=_schema)

    example = commands.add_parser(
        "example", help="print a configuration file with every key, its default and its meaning"
    )
    example.add_argument("--minimal", action="store_true", help="print the smallest file instead")
    example.set_defaults(command=_example)

    ask = commands.add_parser(
        "probe",
        help="connect to a server as an old or a new client does",
        description="Connects to a server as a client of any dialect does, and reports how it went. Exit status 0:"
        " every dialect that was named was accepted, and nothing went wrong; with --all: one at least.",
    )
    ask.add_argument("url", metavar="URL", help="ws://HOST[:PORT][/PATH], or wss://")
    which = ask.add_mutually_exclusive_group()
    which.add_argument(
        "--dialect",
        type=_dialects,
        action="extend",
        metavar="D",
        help=f"what to speak, or a range of it, as hybi-01..08; may be repeated; default: {DEFAULT_DIALECT}."
        f" Known are {', '.join(DIALECTS)}",
    )
    which.add_argument("--all", action="store_true", help="try every dialect, oldest first")
    ask.add_argument("--trace", action="store_true", help="show every byte, with its meaning")
    ask.add_argument("--json", action="store_true", help="print an object of JSON, when all is done")
    ask.add_argument(
        "--send",
        metavar="TEXT",
        help="send this message and wait for one; without it a ping, where the dialect has one",
    )
    ask.add_argument(
        "--origin", metavar="ORIGIN", help="the page to come from; default: http:// or https:// and the host of the URL"
    )
    ask.add_argument("--subprotocol", metavar="NAME", action="append", default=[], help="offer it; may be repeated")
    ask.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        type=header,
        action="append",
        default=[],
        help="send it, too; may be repeated",
    )
    ask.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration,
        default=10.0,
        help="how long each dialect may take; default: 10s",
    )
    whom = ask.add_mutually_exclusive_group()
    whom.add_argument("--ca", metavar="FILE", help="for wss: trust the certificates in this file, PEM, and no others")
    whom.add_argument("--insecure", action="store_true", help="for wss: trust every certificate")
    whom.add_argument(
        "--pin",
        metavar="PIN",
        type=_pin,
        action="append",
        help="for wss: trust the certificate or the public key of this hash, sha256:HEX, and no other; may be repeated",
    )
    ask.add_argument(
        "--tls-profile",
        choices=get_args(TargetProfile),
        default=DEFAULT_PROFILE,
        help="for wss: what is offered, as in targets[].tls.profile; default: %(default)s, which offers all there is",
    )
    ask.set_defaults(command=_probe, usage=ask)

    add_commands(commands)

    show = commands.add_parser("demo", help="start a gateway, a server behind it and a page to look at")
    show.add_argument("--port", type=port, default=8080, help="the gateway's, default: %(default)s")
    show.add_argument("--page-port", type=port, default=8081, help="the page's, default: %(default)s", metavar="PORT")
    show.add_argument(
        "--echo",
        type=port,
        metavar="PORT",
        help="start nothing but a server of RFC 6455 there, which echoes everything",
    )
    show.set_defaults(command=_demo, lasts=True)

    units = commands.add_parser(
        "units",
        help="write the units for systemd, and a hook for certbot, into a directory",
        description="Writes wsgateway.service, wsgateway.socket and certbot-deploy into a directory, and says of each"
        " whether it was written, replaced or unchanged. The units expect wsgateway in /opt/wsgateway.",
    )
    units.add_argument("directory", metavar="DIR", help="as /etc/systemd/system")
    units.set_defaults(command=_units)
    return parser


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
    """Let a stop signal end the process properly also where nothing watches for it: before it serves, and after."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: os._exit(GOOD))
    yield
    for number in STOP_SIGNALS:
        signal.signal(
            number, signal.SIG_IGN
        )  # any other handler is undone while the interpreter ends, and then it kills


def _reader(options: argparse.Namespace) -> tuple[Callable[[], Source], dict[str, str]]:
    """Return a function that reads the configuration whenever it may have changed, and the arguments that name files.

    The files have their absolute names.
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


def _ask_gateway(options: argparse.Namespace) -> int:
    said: Said = options.ask(options)
    for line in said.errors:
        print(line, file=sys.stderr)
    for line in said.lines:
        print(line)
    return said.status


def _probe(options: argparse.Namespace) -> int:
    chosen = list(DIALECTS.values()) if options.all else options.dialect or [DIALECTS[DEFAULT_DIALECT]]
    pins = tuple(options.pin or ())
    try:
        asked = ProbeRequest(
            options.url,
            chosen[0],
            options.send,
            options.origin,
            tuple(options.subprotocol),
            tuple(options.header),
            trust(options.tls_profile, options.ca, options.insecure or bool(pins)),
            options.timeout,
            options.tls_profile,
            pins,
        )
        answers = [_ask(replace(asked, dialect=dialect), options, at == 0) for at, dialect in enumerate(chosen)]
    except ProbeError as error:
        options.usage.error(str(error))
    if options.json:
        rows = [
            _plain(report) | ({"trace": list(map(asdict, lines))} if options.trace else {}) for report, lines in answers
        ]
        print(json.dumps({"url": options.url, "reports": rows}, indent=2))
    good = any if options.all else all
    return GOOD if good(report.accepted and report.error is None for report, _ in answers) else FAULT


def _ask(question: ProbeRequest, options: argparse.Namespace, first: bool) -> tuple[Report, list[Line]]:
    """Probe by one dialect: show its transcript, if that is wanted, and return the report."""
    lines: list[Line] = []
    live = options.trace and not options.json
    report = trio.run(probe, question, print if live else lines.append)
    if options.json:
        return report, lines
    if first and report.encryption is not None:
        print(*(f"= {line}" for line in map(printable, report.encryption.lines())), sep="\n", flush=True)
    if options.trace or not (options.all or len(options.dialect or ()) > 1):
        print(f"= {report}", flush=True)
    else:
        print(*([heading()] if first else []), row(report), sep="\n", flush=True)
    return report, lines


def _plain(report: Report) -> dict[str, object]:
    """Return a report for JSON; `encryption` is there if there is TLS."""
    plain = asdict(report)
    if report.encryption is None:
        del plain["encryption"]
    return plain


def _dialects(text: str) -> tuple[Dialect, ...]:
    return parsed(dialects, text)


def _pin(text: str) -> str:
    return parsed(pin, text)


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
