"""Warn of what a configuration may say, and what may be dangerous or useless all the same."""

from collections.abc import Iterator

from wsgateway.settings.upstreams import TargetTls
from wsgateway.settings.whole import Settings

# Places that are named for one warning; with thousands of routes a longer list is of no use.
PLACES_SHOWN = 3

Advice = tuple[str, str]
"""a place in the file, and the warning"""


def advice(settings: Settings) -> Iterator[str]:
    """Yield warnings in the order of the file: each once, with its first places and how many there are."""
    places: dict[str, list[str]] = {}
    for place, sentence in _every(settings):
        places.setdefault(sentence, []).append(place)
    for sentence, several in places.items():
        yield f"{_places(several)}: {sentence}"


def _places(several: list[str]) -> str:
    more = len(several) - PLACES_SHOWN
    told = ", ".join(several[:PLACES_SHOWN])
    return f"{told} and {more} more ({len(several)} in all)" if more > 0 else told


def _every(settings: Settings) -> Iterator[Advice]:
    for each in settings.outdated:
        place, _, sentence = each.rpartition(": ")
        yield place, sentence
    for number, listener in enumerate(settings.listeners):
        if listener.tls is not None and listener.tls.profile == "legacy":
            yield (
                f"listeners[{number}] {listener.name}",
                "profile legacy allows TLS 1.0 and broken ciphers; use it only on a listener of its own, for devices"
                " that have nothing newer",
            )
    for name, upstream in settings.upstreams.items():
        for number, target in enumerate(upstream.targets):
            yield from _of_target(f"upstreams.{name}.targets[{number}] {target.url}", target.tls)
    for number, route in enumerate(settings.routes):
        place = f"routes[{number}] {route.name}"
        if route.upstream is not None and route.origins.opaque_allowed and "*" not in route.origins.allow:
            yield (
                place,
                "origins.opaque allows every page, whatever origins.allow names: any page can open a sandboxed frame,"
                " whose Origin is null",
            )
        unmasked = [each.name for each in route.dialects if each.framing.delimits_text]
        if route.upstream is not None and unmasked and "*" in route.origins.allow:
            yield (
                place,
                f"{' and '.join(unmasked)} are allowed from any origin; any page can use them, and their handshake"
                f" proves little: name your pages in origins.allow",
            )


def _of_target(place: str, tls: TargetTls) -> Iterator[Advice]:
    if tls.profile == "legacy" and not tls.pin:
        yield (
            place,
            "profile legacy accepts TLS 1.0 and weak signatures, which can be forged; set pin to the hash of the"
            " target's key, as 'wsgateway probe' prints it",
        )
    if tls.pin and tls.ca is not None:
        yield place, "with pin the authority of a certificate does not count; leave ca out"
