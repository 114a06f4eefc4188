"""Find the declaration of the key at a path of the file."""

from typing import Any, Literal, get_args, get_origin

from wsgateway.settings.declare import is_section, keys_of, marks
from wsgateway.settings.findings import Path
from wsgateway.settings.whole import Settings


def known_keys(path: Path) -> list[str]:
    """Return the keys that the section at a path may have. Raise AssertionError if there is no section."""
    kind = _kind(path)
    if not is_section(kind):
        raise AssertionError(path)
    return [each.name for each in keys_of(kind)]


def choices(path: Path) -> tuple[str, ...]:
    """Return the words that the key at a path may have for a value. Raise AssertionError if it has others, too."""
    kind = _kind(path)
    if get_origin(kind) is not Literal:
        raise AssertionError(path)
    return get_args(kind)


def _kind(path: Path) -> Any:
    """Return the type of what stands at a path."""
    kind: Any = Settings
    for step in path:
        if is_section(kind):
            found = {name: each.type for each in keys_of(kind) for name in (each.name, *each.old_names)}
            kind, _ = marks(found[str(step)])
        else:  # a list, or a mapping with names of the operator's choice
            kind, _ = marks(get_args(kind)[0 if get_origin(kind) is tuple else -1])
    return kind
