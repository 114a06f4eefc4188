"""All sections of the configuration, and all keys of them."""

from collections.abc import Iterator
from typing import Any

from wsgateway.settings.declare import Key, keys_of, section_in
from wsgateway.settings.whole import Settings


def sections(kind: Any = Settings) -> Iterator[type]:
    """Yield a section and, once for each key that leads there, all sections below it."""
    yield kind
    for key in keys_of(kind):
        inner = section_in(key.type)
        if inner is not None:
            yield from sections(inner)


def keys() -> dict[str, Key]:
    """Return every key by its section and name."""
    return {f"{kind.__name__}.{key.name}": key for kind in sections() for key in keys_of(kind)}
