"""What is allowed in a configuration, and should be thought about."""

from collections.abc import Iterator

from wsgateway.settings.model import Settings
from wsgateway.settings.pooling import TargetTls


def advice(settings: Settings) -> Iterator[str]:
    """Sentences for people, in the order of the file."""
    yield from settings.outdated
    for number, listener in enumerate(settings.listeners):
        if listener.tls is not None and listener.tls.profile == "legacy":
            yield (
                f"listeners[{number}] {listener.name}: profile legacy lets TLS 1.0 and broken ciphers in;"
                " keep it to a listener of its own, for devices that know nothing newer"
            )
    for name, upstream in settings.upstreams.items():
        for number, target in enumerate(upstream.targets):
            yield from _of_target(f"upstreams.{name}.targets[{number}] {target.url}", target.tls)
    for number, route in enumerate(settings.routes):
        if route.upstream is not None and route.origins.opaque == "allow" and "*" not in route.origins.allow:
            yield (
                f"routes[{number}] {route.name}: origins.opaque lets every page in, whatever origins.allow names, since"
                " any page can make a sandboxed frame, whose Origin is null"
            )
        unmasked = [each.name for each in route.dialects if each.framing.delimits_text]
        if route.upstream is not None and unmasked and "*" in route.origins.allow:
            yield (
                f"routes[{number}] {route.name}: {' and '.join(unmasked)} from any origin; a page anywhere can use"
                " them, and their handshake proves little: name your pages in origins.allow"
            )


def _of_target(place: str, tls: TargetTls) -> Iterator[str]:
    if tls.profile == "legacy" and not tls.pins:
        yield (
            f"{place}: profile legacy takes TLS 1.0 and weak signatures, which can be forged; pin the key of the"
            " target, as 'wsgateway probe' prints it"
        )
    if tls.pins and tls.ca is not None:
        yield f"{place}: beside pin nobody asks who has signed the certificate; leave ca out"
