"""Where the file of a census is, if the configuration does not say it."""

import os

from wsgateway.settings.values import CensusFile

NAME = "census.sqlite"
SYSTEM_DIRECTORY = "/var/lib/wsgateway"
"""the StateDirectory= of the unit, where commands look for the file of a gateway under systemd"""


def place(file: CensusFile) -> str | None:
    """Return the name of the file for this process; None: the census is kept in memory."""
    if file != "auto":
        return file
    directory = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd may name several
    return os.path.join(directory, NAME) if directory else None


def doubt(file: CensusFile) -> str | None:
    """Return why no census can be kept in the file that a configuration names, if that can be seen; else None."""
    if file is None or file == "auto":
        return None
    if os.path.isdir(file):
        why = "is a directory; name a file in it"
    elif not os.path.isdir(os.path.dirname(file)):
        why = "is in no directory that there is"
    else:
        return None
    return f"{file!r} {why}. Until then the census is kept in memory, and lost when the gateway stops"


def place_of_another(file: CensusFile) -> str | None:
    """Return the name of the file of a gateway that may run under systemd."""
    return os.path.join(SYSTEM_DIRECTORY, NAME) if file == "auto" and place(file) is None else place(file)
