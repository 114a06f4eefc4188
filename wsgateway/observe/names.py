"""The names in a configuration: a figure by listener, route or target is there from the start, and is 0 then."""

from wsgateway.observe.status import Names
from wsgateway.settings.whole import Settings


def names_of(settings: Settings) -> Names:
    """Return the names of all listeners, routes, upstreams and targets, in their order."""
    return {
        "listeners": [listener.name for listener in settings.listeners],
        "routes": [route.name for route in settings.routes],
        "upstreams": {
            name: [target.url.text for target in upstream.targets] for name, upstream in settings.upstreams.items()
        },
    }
