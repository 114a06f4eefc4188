"""What the commands for a running gateway have in common."""

import argparse
import errno
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import trio

from wsgateway.commands import FAULT, print_errors, print_warning
from wsgateway.commands.options import duration, named, parsed
from wsgateway.commands.signals import sigterm_as_ctrl_c
from wsgateway.errors import SettingsError
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, Item, default_address, request_gateway
from wsgateway.settings.addresses import control_address
from wsgateway.settings.basics import UNIX, Address, UnixAddress
from wsgateway.settings.load import Source, read_alone

# What an operator can do about an address where no gateway answers.
_NOT_RUNNING = "no gateway answers at this address: {why}. If one runs, {elsewhere}"
_NOT_ALLOWED = "{why}; root may connect, and the user who runs the gateway: try it with sudo, or as that user"
_ADVICE = {errno.ENOENT: _NOT_RUNNING, errno.ECONNREFUSED: _NOT_RUNNING, errno.EACCES: _NOT_ALLOWED}

HOW_FOUND = " FILE is read here only to find the control socket; without FILE and --control, it is the default one."
"""a sentence for the description of a command that `add_control` gives its options"""


def unanswered(address: Address | UnixAddress, error: OSError, elsewhere: str) -> int:
    """Print that no gateway answers at an address: what happened, and what to do if that is known.

    `elsewhere` says how to find a gateway that runs. Return the exit status.
    """
    advice = _ADVICE.get(error.errno or 0, "{why}")
    said = advice.format(why=error.strerror or error, elsewhere=elsewhere)
    return failed(f"{address}: {said}")


def failed(*lines: str) -> int:
    """Print the lines as errors, and return the exit status."""
    print_errors(*lines)
    return FAULT


def warn(answer: ControlAnswer) -> None:
    """Print what an answer that is good warns of."""
    for each in answer.findings:
        print_warning(each)


# -- the control socket ------------------------------------------------------------------------------------------------


def add_control(parser: argparse.ArgumentParser, file: bool = True, timeout: str | None = "30s") -> None:
    """Add the options for the control socket and for how long to wait; `timeout` None: as long as it lasts.

    Without `file` the caller defines FILE.
    """
    if file:
        parser.add_argument("file", nargs="?", type=named, metavar="FILE", help="the configuration file of the gateway")
    parser.add_argument(
        "--control", type=_control, metavar="unix:PATH", help="without a file: the control socket of the gateway"
    )
    parser.set_defaults(timeout=math.inf)
    if timeout is not None:
        parser.add_argument(
            "--timeout",
            metavar="DURATION",
            type=duration,
            default=duration(timeout),
            help=f"how long to wait; default: {timeout}",
        )


_FILTER = {
    "dialect": ("DIALECT", "of clients that speak this dialect, or one of a range such as hybi-01..08"),
    "client": ("NETWORK", "of clients with this address or of this network, or `unix` for those of Unix sockets"),
    "route": ("NAME", "of this route"),
    "target": ("URL", "with this target, as the file names it"),
    "agent": ("TEXT", "of clients whose User-Agent has this text in it"),
}


def add_filter(parser: argparse.ArgumentParser, *without: str) -> None:
    """Add the options that choose sessions, but for those that are named."""
    for name, (value, what) in _FILTER.items():
        if name not in without:
            parser.add_argument(f"--{name}", metavar=value, help=f"only sessions {what}")


def filter_of(options: argparse.Namespace) -> dict[str, Fact]:
    """Return what the options of `add_filter` choose, as the arguments of a request."""
    return {name: value for name in _FILTER if (value := getattr(options, name, None)) is not None}


def _control(text: str) -> UnixAddress:
    if not text.startswith(f"{UNIX}:"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a control socket; write unix:PATH")
    found = parsed(control_address, text)
    assert isinstance(found, UnixAddress), "it begins so"
    return found


class _NotTakenError(Exception):
    """The items of an answer could not be written, which is no fault of the connection."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


def _passing_on(take: Callable[[list[Item]], object]) -> Callable[[list[Item]], object]:
    """Return a function that takes items, and raises _NotTakenError from an OSError."""

    def taken(items: list[Item]) -> None:
        try:
            take(items)
        except OSError as error:
            raise _NotTakenError(error) from None

    return taken


def ask(
    options: argparse.Namespace,
    command: str,
    arguments: dict[str, Fact] | None = None,
    take: Callable[[list[Item]], object] = lambda items: None,
    also: str = "",
    until_ctrl_c: bool = False,
) -> ControlAnswer | None:
    """Send a request to the gateway that the options name, and return its answer; `take` gets the items before it.

    If there is none, print why, and return None. `also` is what else an operator can do then. Raise what `take` raises,
    and KeyboardInterrupt at Ctrl-C; with `until_ctrl_c`, which is for requests without an end, at SIGTERM, too.
    """
    if options.file is not None and options.control is not None:
        options.usage.error("give a FILE or --control, not both")
    address = options.control or _control_socket(options.file)
    if address is None:
        failed(f"{options.file}: control is none, so the gateway has no control socket{also and f'; {also}'}")
        return None
    try:
        request = ControlRequest(command, arguments or {})
        return trio.run(_request, address, request, _passing_on(take), options.timeout, until_ctrl_c)
    except _NotTakenError as error:
        raise error.error from None
    except OSError as error:
        own = f"name its own file (wsgateway {command} FILE) or its control socket (--control unix:PATH)"
        unanswered(address, error, f"{own}{also and f', or {also}'}")
        return None


async def _request(
    address: UnixAddress,
    request: ControlRequest,
    take: Callable[[list[Item]], object],
    seconds: float,
    until_ctrl_c: bool,
) -> ControlAnswer:
    with sigterm_as_ctrl_c() if until_ctrl_c else nullcontext(), trio.move_on_after(seconds):
        return await request_gateway(address, request, take)
    raise TimeoutError(f"no answer within {seconds:g} s; the gateway may still be at work")


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
