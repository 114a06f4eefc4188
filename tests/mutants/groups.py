"""What is changed, and which tests should notice: the quick ones first, as a run ends with the first that fails."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Modules, by patterns below `wsgateway`, and tests, by patterns below `tests`, in the order in which they run."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    not_these: tuple[str, ...] = ()
    """modules of other groups"""


GROUPS: dict[str, Group] = {
    "upstream": Group(
        ("upstream/*.py",),
        (
            *(f"upstream/test_{name}.py" for name in ("balance", "health", "pool", "pools", "search", "promptness")),
            *(f"upstream/test_{name}.py" for name in ("names", "resolve", "checks", "exhausted", "tls", "pins")),
            *(f"upstream/test_{name}.py" for name in ("ejections", "failures", "targets", "appliances")),
            "serve/test_attempts.py",
            "upstream/test_*.py",
            "serve/test_disconnect.py",
        ),
    ),
    "run": Group(
        ("run/*.py",),
        (
            *(
                f"run/test_{name}.py"
                for name in ("worker_pool_time", "settings_transfer", "control", "listening", "limits", "command")
            ),
            "run/test_*.py",
            "test_cli*.py",
        ),
    ),
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
