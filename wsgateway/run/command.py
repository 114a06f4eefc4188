"""The commands that start processes of a gateway, also if its working directory has been removed.

Releases are removed, and temporary directories and homes, too. So names of files are made absolute at the start, and
the working directory is not used later.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

_UNIX = "unix:"


def here() -> str:
    """Return the working directory as the shell names it, with its symbolic links; empty if it no longer exists.

    Behind such a name there may be another release later.
    """
    named = os.environ.get("PWD", "")
    with suppress(OSError):
        if os.path.isabs(named) and os.path.samefile(named, "."):
            return named
    with suppress(OSError):
        return os.getcwd()
    return ""


def anchored(path: str) -> str:
    """Return the absolute name of a file that is named relative to the working directory."""
    return os.path.join(here(), path)


def anchored_address(address: str) -> str:
    """Return HOST:PORT as it is, and unix:PATH with the absolute name of the socket."""
    path = address.removeprefix(_UNIX)
    return address if path == address else _UNIX + anchored(path)


def own_command(files: Mapping[str, str]) -> list[str]:
    """Return the command that has started this process.

    `files` are the arguments that name files, with their replacements, also for arguments as `--option=FILE`.
    """
    given = len(sys.argv) - 1
    arguments = sys.orig_argv[1:]
    # The arguments of the interpreter are its options, and the script that it runs.
    interpreter, rest = arguments[: len(arguments) - given], arguments[len(arguments) - given :]
    return [
        sys.executable,
        *(anchored(each) if each == sys.argv[0] else each for each in interpreter),
        *(_replaced(each, files) for each in rest),
    ]


def _replaced(argument: str, files: Mapping[str, str]) -> str:
    option, equals, value = argument.rpartition("=") if argument.startswith("--") else ("", "", argument)
    return option + equals + files.get(value, value)


def python() -> list[str]:
    """Return the interpreter of this process, with the same warnings and the same path for modules."""
    return [sys.executable, *_FLAGS, *(f"-W{each}" for each in sys.warnoptions)]


def _flags() -> list[str]:
    """Return the option that keeps the working directory out of the path for modules, unless `python -m` uses it."""
    with suppress(OSError):
        if {"", os.getcwd()} & set(sys.path):
            return []
    return ["-P"]


# Made at the start, while the directory exists.
_FLAGS = _flags()
