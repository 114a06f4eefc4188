"""The commands for a running gateway: `status` and `reload`."""

import argparse
import errno
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio

from wsgateway.errors import SettingsError
from wsgateway.observe.query import query_status
from wsgateway.observe.status import table
from wsgateway.options import duration, parsed
from wsgateway.run.requests import ControlAnswer, ControlRequest, default_address, request_gateway
from wsgateway.settings.addresses import admin_address, control_address
from wsgateway.settings.basics import Address, UnixAddress
from wsgateway.settings.document import read as read_yaml
from wsgateway.settings.load import load, read

GOOD, FAULT = 0, 1

# What an operator can do about an address where no gateway answers.
_NOT_RUNNING = "no gateway answers here: {why}; is it running? If it is, {elsewhere}"
_NOT_ALLOWED = "{why}; root may connect, and the user who runs the gateway: try it with sudo, or as that user"
_ADVICE = {errno.ENOENT: _NOT_RUNNING, errno.ECONNREFUSED: _NOT_RUNNING, errno.EACCES: _NOT_ALLOWED}
_CONTROL = "name its own file (wsgateway reload FILE) or its control socket (--control unix:PATH), or send it SIGHUP"
_ADMIN = "name its own file (wsgateway status FILE) or the address of its admin pages (--admin ADDRESS)"


@dataclass
class Result:
    """The result of a command: its exit status, and the lines for standard output and standard error."""

    status: int
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def add_remote(commands: Any) -> None:
    """Add the commands to those of the parser. The default `query` of each is a function that returns a `Result`."""
    status = commands.add_parser(
        "status",
        help="print the status of a running gateway",
        description="Print the status of a running gateway, of its workers, targets and certificates. Give its FILE, or"
        " the address of its admin pages.",
    )
    status.add_argument("file", nargs="?", metavar="FILE", help="the configuration file of the gateway")
    status.add_argument(
        "--admin", type=_admin, metavar="ADDRESS", help="without a file: the admin pages, HOST:PORT or unix:/PATH"
    )
    status.add_argument("--json", action="store_true", help="print the whole status as JSON")
    status.set_defaults(query=_status, usage=status)

    reload = commands.add_parser(
        "reload",
        help="make a running gateway read its file again, and print the result",
        description="Make a running gateway read its own file again, wait for that, and print the problems or"
        " warnings. Exit status 0: it serves the new configuration. FILE is only used to find the control socket.",
    )
    reload.add_argument("file", nargs="?", metavar="FILE", help="the configuration file of the gateway")
    reload.add_argument("--control", type=_control, metavar="unix:PATH", help="the control socket of the gateway")
    reload.add_argument(
        "--timeout", metavar="DURATION", type=duration, default=600.0, help="how long to wait; default: 10m"
    )
    reload.set_defaults(query=_reload)


def _status(options: argparse.Namespace) -> Result:
    if (options.file is None) is (options.admin is None):
        options.usage.error("give either a FILE or --admin")
    address: Address | UnixAddress | None = options.admin if options.file is None else load(options.file).admin.bind
    if address is None:
        return Result(FAULT, errors=[f"{options.file}: admin.bind is none, so this gateway has no admin pages"])
    try:
        status = trio.run(partial(query_status, address))
    except OSError as error:
        return _unanswered(address, error, _ADMIN)
    return Result(GOOD, [json.dumps(status, indent=2) if options.json else table(status)])


def _unanswered(address: Address | UnixAddress, error: OSError, elsewhere: str) -> Result:
    """Return the result for an address where no gateway answers: what happened, and what to do if that is known."""
    advice = _ADVICE.get(error.errno or 0, "{why}")
    said = advice.format(why=error.strerror or error, elsewhere=elsewhere)
    return Result(FAULT, errors=[f"{address}: {said}"])


def _admin(text: str) -> Address | UnixAddress:
    return parsed(admin_address, text)


def _control(text: str) -> UnixAddress:
    found = parsed(control_address, text)
    if not isinstance(found, UnixAddress):
        raise argparse.ArgumentTypeError(f"{text!r} is not a control socket; write unix:PATH")
    return found


def _reload(options: argparse.Namespace) -> Result:
    address = options.control or _control_socket(options.file)
    if address is None:
        why = f"{options.file}: control is none, so the gateway has no control socket; send it SIGHUP"
        return Result(FAULT, errors=[why])
    try:
        answer = trio.run(_request_reload, address, options.timeout)
    except OSError as error:
        return _unanswered(address, error, _CONTROL)
    if not answer.ok:
        return Result(FAULT, errors=answer.findings)
    facts = answer.facts
    told = f"reloaded: {facts['file']}, sha256 {facts['sha256']}, routes {facts['routes']}, workers {facts['workers']}"
    return Result(GOOD, [told], [f"warning: {each}" for each in answer.findings])


async def _request_reload(address: UnixAddress, seconds: float) -> ControlAnswer:
    with trio.move_on_after(seconds):
        return await request_gateway(address, ControlRequest(command="reload"))
    raise TimeoutError(f"no answer within {seconds:g} s; the gateway may still be reading the file")


def _control_socket(file: str | None) -> UnixAddress | None:
    """Return the control socket that a file names; None if it names none. The file may be broken."""
    written: object = "auto"
    if file is not None:
        try:
            data = read_yaml(read(file).text, file).data
            written = data.get("control", "auto") if isinstance(data, dict) else "auto"
            found = control_address(written)
        except (SettingsError, ValueError):
            found = "auto"
        if isinstance(found, UnixAddress):
            return UnixAddress(str(Path(file).absolute().parent / found.path))
        if found is None:
            return None
    return default_address()
