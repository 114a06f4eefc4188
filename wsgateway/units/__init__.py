"""Files for systemd and certbot: two units, and a hook that gives renewed certificates to the gateway.

They are beside this module, so that an installed wsgateway has them. The files of the same names in `config` of the
repository are what `wsgateway units config` writes.
"""

from importlib.resources import files
from pathlib import Path

from wsgateway.errors import Problem, SettingsError

MODES = {"wsgateway.service": 0o644, "wsgateway.socket": 0o644, "certbot-deploy": 0o755}
"""the files, and who may do what with each"""


def write(directory: str) -> list[str]:
    """Write all files into a directory that exists, and return a line for each: written, replaced or unchanged.

    Raise SettingsError with the path of a file that cannot be written.
    """
    return [_write(Path(directory, name), mode) for name, mode in MODES.items()]


def _write(file: Path, mode: int) -> str:
    content = files(__name__).joinpath(file.name).read_bytes()
    try:
        before = file.read_bytes() if file.exists() else None
        if before != content:
            file.write_bytes(content)
        file.chmod(mode)
    except OSError as error:
        raise SettingsError([Problem(str(file), 0, 0, f"cannot be written: {error.strerror}")]) from None
    return f"{file}: {'written' if before is None else 'unchanged' if before == content else 'replaced'}"
