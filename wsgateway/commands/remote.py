"""What the commands for a running gateway have in common."""

import errno
import sys

from wsgateway.commands import FAULT
from wsgateway.settings.basics import Address, UnixAddress

# What an operator can do about an address where no gateway answers.
_NOT_RUNNING = "no gateway answers at this address: {why}. If one runs, {elsewhere}"
_NOT_ALLOWED = "{why}; root may connect, and the user who runs the gateway: try it with sudo, or as that user"
_ADVICE = {errno.ENOENT: _NOT_RUNNING, errno.ECONNREFUSED: _NOT_RUNNING, errno.EACCES: _NOT_ALLOWED}


def unanswered(address: Address | UnixAddress, error: OSError, elsewhere: str) -> int:
    """Print that no gateway answers at an address: what happened, and what to do if that is known.

    `elsewhere` says how to find a gateway that runs. Return the exit status.
    """
    advice = _ADVICE.get(error.errno or 0, "{why}")
    said = advice.format(why=error.strerror or error, elsewhere=elsewhere)
    return failed(f"{address}: {said}")


def failed(*lines: str) -> int:
    """Print the lines as errors, and return the exit status."""
    print(*lines, sep="\n", file=sys.stderr)
    return FAULT
