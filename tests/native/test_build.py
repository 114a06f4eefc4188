"""How the module in C is built, and how the engine is chosen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PATIENCE_SECONDS
from wsgateway import native
from wsgateway.native import build
from wsgateway.native.build import MODULE, NotBuiltError, compile_module

# As a module that was built before has it: none, or another number.
STALE = "import sys, types; sys.modules['wsgateway.native._step'] = types.ModuleType('stale'); "
ASK = "from wsgateway import native; print(native.ENGINE, native.Lane.__module__)"


def asked(engine: str, before: str = "") -> tuple[str, str]:
    """Return the engine of a new process, and the last line of its errors."""
    done = subprocess.run(
        [sys.executable, "-c", before + ASK],
        env=os.environ | {"WSGATEWAY_ENGINE": engine},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.stdout.strip(), (done.stderr.splitlines() or [""])[-1]


def test_the_engine_in_python_can_be_chosen() -> None:
    assert asked("python") == ("Python wsgateway.native", "")


def test_the_engine_in_c_is_used_where_it_is() -> None:
    said, error = asked("c")
    if said:
        assert (said, error) == asked("") == ("C wsgateway.native._step", "")
    else:
        assert "ImportError: WSGATEWAY_ENGINE is c, but the module in C cannot be loaded" in error
        assert asked("") == ("Python wsgateway.native", "")


def test_a_module_that_was_built_from_other_sources_is_not_used() -> None:
    assert asked("", STALE) == ("Python wsgateway.native", "")
    _, error = asked("c", STALE)
    assert error.endswith("it was built for interface 1, and 3 is needed: install wsgateway again")


def test_an_engine_that_there_is_not_is_an_error() -> None:
    assert asked("rust") == ("", "ImportError: WSGATEWAY_ENGINE is 'rust'; allowed are c and python")


@pytest.mark.skipif(native.step is None, reason="needs a compiler: apt install gcc libpython3-dev")
def test_the_module_is_compiled_without_a_warning(tmp_path: Path) -> None:
    compile_module(tmp_path / MODULE, "-Werror")
    assert (tmp_path / MODULE).stat().st_size


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(NotBuiltError, match=r"there is no .*Python\.h \(Debian: apt install libpython3-dev\)"):
        compile_module(tmp_path / MODULE)
    (tmp_path / "Python.h").touch()
    monkeypatch.setenv("CC", str(tmp_path / "missing"))
    with pytest.raises(NotBuiltError, match=r"missing cannot be run: No such file .* \(Debian: apt install gcc\)"):
        compile_module(tmp_path / MODULE)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    (tmp_path / "Python.h").touch()
    monkeypatch.setenv("CC", "sh -c 'echo it is broken >&2; exit 1'")
    with pytest.raises(NotBuiltError, match="failed:\nit is broken"):
        compile_module(tmp_path / MODULE)


def test_a_python_without_a_global_lock_goes_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None)
    with pytest.raises(NotBuiltError, match="no global lock"):
        compile_module(tmp_path / MODULE)


def test_the_sources_in_c_are_short() -> None:
    sources = [*build.HERE.glob("*.c"), *build.HERE.glob("*.h")]
    lengths = {file.name: len(file.read_text("utf-8").splitlines()) for file in sources}
    assert max(lengths.values()) <= 300, lengths
    assert sum(lengths.values()) <= 600, lengths
