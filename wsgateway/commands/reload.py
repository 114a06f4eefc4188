"""The command `reload`."""

import argparse
import sys
from pathlib import Path
from typing import Literal

import trio

from wsgateway.commands import GOOD
from wsgateway.commands.options import duration, parsed
from wsgateway.commands.remote import failed, unanswered
from wsgateway.errors import SettingsError
from wsgateway.run.requests import ControlAnswer, ControlRequest, default_address, request_gateway
from wsgateway.settings.addresses import control_address
from wsgateway.settings.basics import UNIX, UnixAddress
from wsgateway.settings.load import Source, read_alone

_ELSEWHERE = "name its own file (wsgateway reload FILE) or its control socket (--control unix:PATH), or send it SIGHUP"


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Make a running gateway read its own file again, wait until it has done so, and print the problems or warnings."
        " Exit status 0: it serves the new configuration. FILE is read here only to find the control socket; without"
        " FILE and --control, it is the default one."
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="the configuration file of the gateway")
    parser.add_argument(
        "--control", type=_control, metavar="unix:PATH", help="without a file: the control socket of the gateway"
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", type=duration, default=600.0, help="how long to wait; default: 10m"
    )
    parser.set_defaults(command=_reload, usage=parser)


def _control(text: str) -> UnixAddress:
    if not text.startswith(f"{UNIX}:"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a control socket; write unix:PATH")
    found = parsed(control_address, text)
    assert isinstance(found, UnixAddress), "it begins so"
    return found


def _reload(options: argparse.Namespace) -> int:
    if options.file is not None and options.control is not None:
        options.usage.error("give a FILE or --control, not both")
    address = options.control or _control_socket(options.file)
    if address is None:
        return failed(f"{options.file}: control is none, so the gateway has no control socket; send it SIGHUP")
    try:
        answer = trio.run(_request_reload, address, options.timeout)
    except OSError as error:
        return unanswered(address, error, _ELSEWHERE)
    if not answer.ok:
        return failed(*answer.findings)
    facts = answer.facts
    for each in answer.findings:
        print(f"warning: {each}", file=sys.stderr)
    print(f"reloaded: {facts['file']}, sha256 {facts['sha256']}, routes {facts['routes']}, workers {facts['workers']}")
    return GOOD


async def _request_reload(address: UnixAddress, seconds: float) -> ControlAnswer:
    with trio.move_on_after(seconds):
        return await request_gateway(address, ControlRequest(command="reload"))
    raise TimeoutError(f"no answer within {seconds:g} s; the gateway may still be reading the file")


def _control_socket(file: str | None) -> UnixAddress | None:
    """Return the control socket that a file names, or the default one; None if there is none.

    The file may have mistakes, which the gateway is to report. Raise SettingsError if it cannot be read: the default
    socket may be that of another gateway.
    """
    found = "auto" if file is None else _written_control(read_alone(file))
    if isinstance(found, UnixAddress):
        return UnixAddress(str(Path(file or "").absolute().parent / found.path))
    return None if found is None else default_address()


def _written_control(source: Source) -> UnixAddress | Literal["auto"] | None:
    """Return the key `control` of a file, and its default if there is none, or a mistake."""
    try:
        data = source.document().data
        return control_address(data.get("control", "auto") if isinstance(data, dict) else "auto")
    except (SettingsError, ValueError):
        return "auto"
