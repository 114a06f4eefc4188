"""Files for other programs: units for systemd, a hook for certificates, alerts for Prometheus, a board for Grafana.

They are beside this module, so that an installed wsgateway has them. The files of the same names in `config` of the
repository are what `wsgateway units` writes.
"""

from importlib.resources import files
from pathlib import Path

from wsgateway.errors import Problem, SettingsError

MODES = {
    "systemd": {"wsgateway.service": 0o644, "wsgateway.socket": 0o644, "certbot-deploy": 0o755},
    "monitoring": {"prometheus-rules.yml": 0o644, "grafana.json": 0o644},
}
"""the files by what they are for, and who may do what with each"""


def write(directory: str, purpose: str) -> list[str]:
    """Write all files for a purpose into a directory that exists. Return for each: written, replaced or unchanged.

    Raise SettingsError with the path of a file that cannot be written.
    """
    return [_write(Path(directory, name), mode) for name, mode in MODES[purpose].items()]


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
