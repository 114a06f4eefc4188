"""The command `completion`."""

import argparse
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from wsgateway.commands import GOOD
from wsgateway.commands.remote import failed

FILES = {
    "bash": "share/bash-completion/completions/wsgateway",
    "zsh": "share/zsh/site-functions/_wsgateway",
    "fish": "share/fish/vendor_completions.d/wsgateway.fish",
}
"""where the completion of each shell is"""
MISSING = "this installation has no completions: its build has said why; it needs the library shtab"


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print the completion of commands and options for a shell. It was made when wsgateway was installed, and is"
        " below share/ of the environment, too, where bash and fish find it if that is the system's."
    )
    parser.add_argument("shell", choices=list(FILES), help="the shell")
    parser.set_defaults(command=_completion)


def _completion(options: argparse.Namespace) -> int:
    file = installed(FILES[options.shell])
    if file is None:
        return failed(MISSING)
    print(file.read_text(), end="")
    return GOOD


def installed(name: str) -> Path | None:
    """Return a file that was installed below share/; None: it was not."""
    try:
        for each in files("wsgateway") or ():
            if str(each).endswith(name):
                return Path(str(each.locate()))
    except PackageNotFoundError:
        pass
    return None
