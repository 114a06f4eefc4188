"""Complete the settings of a checked file: by the values of `defaults`, by names, and by upstreams for their names."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from wsgateway.settings.declare import is_section, keys_of
from wsgateway.settings.defaults import Defaults
from wsgateway.settings.routes import Route
from wsgateway.settings.values import default_name
from wsgateway.settings.whole import Settings


def complete(settings: Settings, written: Any) -> Settings:
    """Return the settings of a file, complete; `written` is the data of the file."""
    known: dict[tuple[str, Any], Any] = {}
    defaults = {each.field: getattr(settings.defaults, each.field) for each in keys_of(Defaults)}

    def route(number: int, own: Route, entry: Mapping[str, Any]) -> Route:
        parts = _overridden(settings.defaults, own, entry)
        parts |= {"rewrite": own.rewrite, "headers": own.headers}
        # A thousand routes with the same timeouts have them once. That takes a third of the memory, and of the time to
        # hand them to another process.
        parts = {name: known.setdefault((name, part), part) for name, part in parts.items()}
        return replace(
            own,
            name=own.name or default_name("route", number),
            upstream=own.upstream and settings.upstreams[own.upstream.name],
            http_upstream=own.http_upstream and settings.upstreams[own.http_upstream.name],
            **defaults | parts,
        )

    return replace(
        settings,
        listeners=tuple(
            replace(each, name=each.name or default_name("listener", number))
            for number, each in enumerate(settings.listeners, 1)
        ),
        routes=tuple(map(route, range(1, len(settings.routes) + 1), settings.routes, written["routes"])),
    )


def _overridden(defaults: Any, own: Any, written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a section of `defaults` that the section of a route has in the file instead."""
    values: dict[str, Any] = {}
    kind: Any = type(defaults)
    fields = _fields(kind)
    for name, given in written.items():
        if given is None or name not in fields:
            continue
        field = fields[name]
        default = getattr(defaults, field)
        if is_section(type(default)):
            values[field] = replace(default, **_overridden(default, getattr(own, field), given))
        else:
            values[field] = getattr(own, field)
    return values


@cache
def _fields(kind: Any) -> dict[str, str]:
    """Return the fields of a section by the names of their keys, old ones too."""
    return {name: each.field for each in keys_of(kind) for name in (each.name, *each.old_names)}
