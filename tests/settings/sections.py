"""All sections of the configuration, and all keys of them."""

from collections.abc import Iterator
from typing import Any, get_args

from wsgateway.settings.declare import Key, is_section, keys_of, marks
from wsgateway.settings.whole import Settings


def sections(kind: Any = Settings) -> Iterator[type]:
    """Yield a section and, once for each key that leads there, all sections below it."""
    yield kind
    for key in keys_of(kind):
        inner, _ = marks(key.type)
        for each in (inner, *get_args(inner)):
            if is_section(each) and key.name not in ("upstream", "http_upstream"):
                yield from sections(each)


def keys() -> dict[str, Key]:
    """Return every key by its section and name."""
    return {f"{kind.__name__}.{key.name}": key for kind in sections() for key in keys_of(kind)}
