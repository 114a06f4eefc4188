"""The command line.

Exit status: 0 success, 1 a fault, 2 wrong usage (from argparse), and 78 for a gateway with a broken file, so that
systemd does not start it again and again (EX_CONFIG of sysexits.h).
"""

import argparse
import os
import signal
import sys
from collections.abc import Container, Sequence
from importlib import import_module

from wsgateway import __version__
from wsgateway.commands import FAULT, print_errors
from wsgateway.errors import BrokenFileError, HotRestartError, SettingsError, StartError
from wsgateway.native import ENGINE
from wsgateway.observe.writer import Writer

BROKEN_FILE = 78
# The exit status that shells give to a program that Ctrl-C has ended.
INTERRUPTED = 128 + signal.SIGINT

COMMANDS = {
    "run": "run the gateway",
    "check": "check a configuration file, and print all problems",
    "schema": "print a JSON Schema of the configuration, for editors",
    "example": "print a configuration file with every key and its default",
    "units": "write files for systemd and certbot, or for Prometheus and Grafana, into a directory",
    "explain": "print which route a request takes, and the results of its admission checks",
    "probe": "connect to a server as an old or a new client, and report the result",
    "status": "print the status of a running gateway",
    "sessions": "print the sessions that a running gateway has open",
    "close": "close sessions of a running gateway",
    "target": "give a target of a running gateway no new sessions, or new ones again",
    "log-level": "set the level of the log of a running gateway",
    "census": "print who speaks which dialect, and when last: whether an old one can be switched off",
    "reload": "make a running gateway read its file again, and print the result",
    "trace": "print what goes over the wire in sessions of a running gateway, and record it",
    "replay": "send again what a recorded client has sent, and print what differs",
    "completion": "print the completion of commands and options for a shell",
    "demo": "start a gateway, a backend with an echo and a chat room, and a page to try them, on this machine",
}
"""what each command does, by its name, which is that of its module in `commands`"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process. Return its exit status."""
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # perhaps while modules are imported, which is most of what a short command does
        return INTERRUPTED


def _run(given: Sequence[str]) -> int:
    # No option before the command has a value, so the first other argument is the command.
    command = next((each for each in given if not each.startswith("-")), None)
    _open_streams()
    options, unknown = parser_of({command}).parse_known_args(given)
    if unknown:
        options.usage.error(f"unrecognized arguments: {' '.join(unknown)}")
    if not options.lasts:
        return _perform(options)
    with Writer.of_process() as options.writer:
        return _perform(options)


def _open_streams() -> None:
    """Give streams that are closed, as by `>&-`, the null device: no connection may get their descriptors."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode, flags = ("r", os.O_RDONLY) if name == "stdin" else ("w", os.O_WRONLY)
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode, closefd=False))


def _perform(options: argparse.Namespace) -> int:
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except (SettingsError, StartError, HotRestartError) as error:
        print_errors(error)
        return BROKEN_FILE if isinstance(error, BrokenFileError) else FAULT
    except BrokenPipeError:  # the reader has ended, as in `| head`
        _write_no_more()
        return FAULT
    except OSError as error:
        if options.lasts or error.filename is not None:  # a bug: a command says itself what is wrong with a file
            raise
        _write_no_more()
        print_errors(f"standard output: cannot be written: {error.strerror or error}")
        return FAULT
    return status


def _write_no_more() -> None:
    """Have what still waits for standard output go nowhere, as it cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser_of(defined: Container[str | None]) -> argparse.ArgumentParser:
    """Return a parser that knows all commands, and the options of some.

    Only the modules of these are imported: all of them together take many times as long as most commands.
    """
    parser = argparse.ArgumentParser(
        prog="wsgateway",
        description="A gateway that lets every WebSocket client ever made talk to a modern backend.",
        epilog="'wsgateway COMMAND --help' has the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"wsgateway {__version__}, relay in {ENGINE}")
    parser.set_defaults(lasts=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name in defined:
            import_module(f"wsgateway.commands.{name.replace('-', '_')}").define(command)
            command.set_defaults(usage=command)
    return parser
