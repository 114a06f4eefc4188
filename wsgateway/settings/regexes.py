"""Read regular expressions of the configuration, with which texts of clients are matched in linear time.

RE2 needs linear time for any pattern, and is used where its binding is installed (the extra `re2`). Python's own engine
may try one text in so many ways that it never ends, while all sessions of a worker wait. Without RE2, patterns for
which that is possible are refused.
"""

import copyreg
import re
from functools import cache
from typing import Any, Protocol

from wsgateway.settings.findings import seen

_CURE = "with RE2 any pattern is good (pip install 'wsgateway[re2]')"


class Found(Protocol):
    """Describe a text that matches."""

    def group(self, number: int, /) -> Any:
        """Return what a group took; None if it took nothing."""


class Regex(Protocol):
    """Describe a compiled pattern of either engine."""

    @property
    def pattern(self) -> str:
        """The text of the pattern."""

    @property
    def groups(self) -> int:
        """The number of its groups."""

    def fullmatch(self, text: str, /) -> Found | None:
        """Match all of a text."""

    def search(self, text: str, /) -> Found | None:
        """Look for the first part of a text that matches."""


@cache
def installed() -> Any:
    """Return the engine for patterns: the binding of RE2, or Python's `re` where that is not installed.

    It is loaded for the first pattern: most configurations have none.
    """
    try:
        import re2  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return re
    if not hasattr(re2, "compile"):  # any folder of this name in Python's path can be imported
        return re
    copyreg.pickle(type(re2.compile("a")), lambda regex: (compiled, (regex.pattern,)))  # for settings that are sent
    return re2


def compiled(value: object, engine: Any = None, anywhere: bool = False) -> Regex:
    """Read a regular expression for an engine: the binding of RE2, or Python's `re`. By default it is `installed`.

    `anywhere`: it will be looked for with `search`, else all of a text is matched.

    Raises ValueError for what is none, and for what could take long.
    """
    if not isinstance(value, str):
        raise ValueError(f"{seen(value)} is not a regular expression; write it in quotes")
    engine = engine or installed()
    return _of_python(value, anywhere) if engine is re else _of_re2(value, engine)


def _of_re2(value: str, engine: Any) -> Regex:
    options = engine.Options()
    options.log_errors = False
    try:
        regex: Regex = engine.compile(value, options)
    except engine.error as error:
        why = error.args[0]
        why = why.decode(errors="replace") if isinstance(why, bytes) else why
        hint = "; RE2 has no lookarounds, back references and possessive repeats" if _is_python(value) else ""
        raise ValueError(f"{seen(value)} is not a regular expression of RE2: {why}{hint}") from None
    return regex


def _is_python(value: str) -> bool:
    """Return whether Python's engine reads a pattern."""
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _of_python(value: str, anywhere: bool) -> Regex:
    from wsgateway.settings.repeats import slow  # large, and not needed where settings come from another process

    try:
        regex = re.compile(value)
        why = slow(value, anywhere)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{seen(value)} is not a regular expression: {error}") from None
    if why is not None:
        raise ValueError(f"{seen(value)} is a regular expression that may take for ever on some paths: {why}; {_CURE}")
    return regex
