"""Build the module in C, and what shells get, while the package is installed: a hook of hatchling, the build backend.

It needs a C compiler and the headers of Python (Debian: gcc and libpython3-dev). Where one of them is missing, and for
builds of Python without a global lock, which have no stable ABI, the package is installed without the module. Without
shtab, as in a build that is not isolated, it is installed without completions and manual page.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
MODULE = "_step.abi3.so"
# What only the builds for tests do not have is -O3, with which the masks are made 16 bytes at a time.
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter")


class NotBuiltError(Exception):
    """There is no module in C; the text says why."""


def compile_module(target: Path, *flags: str) -> None:
    """Compile the module to a file; `flags` come after the usual ones. Raise NotBuiltError if that is not possible."""
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        raise NotBuiltError(f"it is for CPython on Linux, this is {sys.implementation.name} on {sys.platform}")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise NotBuiltError("this Python has no global lock, and so no stable ABI")
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise NotBuiltError(f"there is no {include / 'Python.h'} (Debian: apt install libpython3-dev)")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    sources = sorted(map(str, HERE.glob("*.c")))
    command = [*compiler, *FLAGS, *flags, f"-I{include}", "-o", str(target), *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotBuiltError(
            f"the compiler {compiler[0]} cannot be run: {error.strerror} (Debian: apt install gcc)"
        ) from None
    if done.returncode:
        raise NotBuiltError(f"{shlex.join(command)} failed:\n{done.stderr}")


class Hook(BuildHookInterface[Any]):
    """The hook: it puts the module into a wheel, and for an editable installation beside its sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        editable = version == "editable"
        self._folder = tempfile.TemporaryDirectory()
        self._add_shared(build_data)
        built = (HERE if editable else Path(self._folder.name)) / MODULE
        try:
            compile_module(Path(self._folder.name) / MODULE)
        except NotBuiltError as why:
            built.unlink(missing_ok=True)
            self.app.display_warning(f"wsgateway is installed without its module in C, and does all in Python: {why}")
            return
        if editable:
            # Renamed, because a process may have the old one loaded.
            new = built.with_suffix(".new")
            new.write_bytes((Path(self._folder.name) / MODULE).read_bytes())
            new.rename(built)
        else:
            build_data["force_include"][str(built)] = f"wsgateway/native/{MODULE}"
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"

    def _add_shared(self, build_data: dict[str, Any]) -> None:
        """Add completions and the manual page, which another process makes: this one cannot import the package."""
        search = os.pathsep.join(filter(None, [self.root, os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-m", "wsgateway.shells", self._folder.name]
        environment = {**os.environ, "PYTHONPATH": search}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            self.app.display_warning(f"wsgateway is installed without completions and manual page: {why}")
            return
        share = Path(self._folder.name, "share")
        build_data["shared_data"] |= {
            str(each): str(each.relative_to(share.parent)) for each in share.rglob("*") if each.is_file()
        }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            self._folder.cleanup()
