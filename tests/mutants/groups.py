"""What is changed, and which tests should notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Modules, by patterns below `wsgateway`, and tests, by patterns below `tests`."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    not_these: tuple[str, ...] = ()
    """modules of other groups"""


GROUPS: dict[str, Group] = {
    "upstream": Group(("upstream/*.py",), ("upstream/test_*.py", "serve/test_attempts.py", "serve/test_disconnect.py")),
    "run": Group(("run/*.py",), ("run/test_*.py", "test_cli*.py")),
    "relay": Group(("relay/*.py",), ("relay/test_*.py", "serve/test_closing*.py", "serve/test_sessions.py")),
    "others": Group(
        ("*/*.py", "*.py"),
        (
            *(f"{name}/test_*.py" for name in ("wire", "dialects", "settings", "policy", "net", "observe", "probe")),
            "fuzz/test_heads.py",
            "serve/test_*.py",
            "demo/test_*.py",
            "test_*.py",
        ),
        ("upstream/*.py", "run/*.py", "relay/*.py"),
    ),
}
