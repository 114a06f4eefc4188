"""Warn of what a configuration may say, and what may be dangerous or useless all the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from wsgateway.settings.basics import Address, Url
from wsgateway.settings.coverage import covered
from wsgateway.settings.findings import Path, spell
from wsgateway.settings.upstreams import TargetTls
from wsgateway.settings.whole import Settings

# Places that are named for one warning; with thousands of routes a longer list is of no use.
PLACES_SHOWN = 3

_LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class Advice:
    """Describe one warning, and its place in the file."""

    path: Path
    name: str
    """of what is there, if the path does not say it"""
    sentence: str

    @property
    def place(self) -> str:
        """The place, for people."""
        return f"{spell(self.path)} {self.name}".rstrip()


def advice(settings: Settings) -> Iterator[str]:
    """Yield warnings in the order of the file: each once, with its first places and how many there are."""
    places: dict[str, list[str]] = {}
    for old in settings.outdated:
        place, _, sentence = str(old).rpartition(": ")
        places.setdefault(sentence, []).append(place)
    for each in every_advice(settings):
        places.setdefault(each.sentence, []).append(each.place)
    for sentence, several in places.items():
        yield f"{_places(several)}: {sentence}"


def _places(several: list[str]) -> str:
    more = len(several) - PLACES_SHOWN
    told = ", ".join(several[:PLACES_SHOWN])
    return f"{told} and {more} more ({len(several)} in all)" if more > 0 else told


def every_advice(settings: Settings) -> Iterator[Advice]:
    """Yield each warning with each of its places, but for keys with an old name."""
    for number, listener in enumerate(settings.listeners):
        if listener.tls is not None and listener.tls.profile == "legacy":
            yield Advice(
                ("listeners", number),
                listener.name,
                "profile legacy allows TLS 1.0 and broken ciphers; use it only on a listener of its own, for devices"
                " that have nothing newer",
            )
    yield from _of_upstreams(settings)
    yield from _of_routes(settings)


def _of_routes(settings: Settings) -> Iterator[Advice]:
    never = dict(covered(settings.routes, settings.listeners))
    for number, route in enumerate(settings.routes):
        path, name = ("routes", number), route.name
        if number in never:
            other = never[number]
            yield Advice(
                path,
                name,
                f"no request takes this route, because routes[{other}] {settings.routes[other].name} before it takes"
                " all that it matches; put it before that one, or remove it",
            )
        if route.upstream is not None and route.origins.opaque_allowed and "*" not in route.origins.allow:
            yield Advice(
                path,
                name,
                "origins.opaque allows every page, whatever origins.allow names: any page can open a sandboxed frame,"
                " whose Origin is null",
            )
        unmasked = [each.name for each in route.dialects if each.framing.delimits_text]
        if route.upstream is not None and unmasked and "*" in route.origins.allow:
            yield Advice(
                path,
                name,
                f"{' and '.join(unmasked)} are allowed from any origin; any page can use them, and their handshake"
                f" proves little: name your pages in origins.allow",
            )


def _of_upstreams(settings: Settings) -> Iterator[Advice]:
    used = {each.name for route in settings.routes for each in (route.upstream, route.http_upstream) if each}
    own = [(each.name, bind) for each in settings.listeners for bind in each.bind if isinstance(bind, Address)]
    for name, upstream in settings.upstreams.items():
        if name not in used:
            yield Advice(("upstreams", name), "", "no route uses this upstream; name it in one, or remove it")
        for number, target in enumerate(upstream.targets):
            path: Path = ("upstreams", name, "targets", number)
            for listener, bind in own:
                if not target.srv and _leads_to(target.url, bind):
                    yield Advice(
                        path,
                        target.url.text,
                        f"this is our own listener {listener}, so each session would come back to the gateway; name"
                        " the server that is meant",
                    )
            for sentence in _of_target(target.tls):
                yield Advice(path, target.url.text, sentence)


def _leads_to(url: Url, bind: Address) -> bool:
    """Return whether a connection to a target on this machine reaches a listener. No name but localhost is known."""
    if url.port != bind.port:
        return False
    target, own = url.host.lower(), bind.host.lower()
    if target == own:
        return True
    if _is_any(own):
        return target == _LOCAL or (_is_loopback(target) and (":" in target) is (":" in own))
    return _LOCAL in (target, own) and _is_loopback(target) and _is_loopback(own)


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == _LOCAL


def _of_target(tls: TargetTls) -> Iterator[str]:
    if tls.profile == "legacy" and not tls.pin:
        yield (
            "profile legacy accepts TLS 1.0 and weak signatures, which can be forged; set pin to the hash of the"
            " target's key, as 'wsgateway probe' prints it"
        )
    if tls.pin and tls.ca is not None:
        yield "with pin the authority of a certificate does not count; leave ca out"
