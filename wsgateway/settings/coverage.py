"""Find routes that no request can take, because an earlier route takes all requests that they match.

Only single routes are compared: two routes that take all requests of a third one together are not found, and a regular
expression covers nothing but the same expression. Routes are looked up by host, path and header, so that thousands of
them are compared in a moment.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, product

from wsgateway.settings.listeners import Listener
from wsgateway.settings.routes import Match, PathMatch, Route

# Routes with the same host, path and header are tried one after the other.
_MOST_TRIED = 20

_Header = tuple[str, str] | None
_Way = tuple[str | None, str, str, _Header]
"""one host of a route, the kind and the text of its path, and the first header that it needs; None: any, or none"""


def covered(routes: Sequence[Route], listeners: Sequence[Listener]) -> Iterator[tuple[int, int]]:
    """Yield the number of each route that no request can take, and that of the earlier one that takes them all."""
    every = frozenset(each.name for each in listeners)
    earlier: dict[_Way, list[int]] = {}
    for number, route in enumerate(routes):
        found = chain.from_iterable(earlier.get(way, ()) for way in _ways_to(route.match))
        for other in islice(found, _MOST_TRIED):
            if _covers(routes[other].match, route.match, every):
                yield number, other
                break
        else:
            header = next(((name.lower(), value) for name, value in route.match.headers), None)
            for host in route.match.hosts or (None,):
                earlier.setdefault((host, *_path(route.match.path), header), []).append(number)


def _path(path: PathMatch) -> tuple[str, str]:
    if path.regex is not None:
        return "regex", path.regex.pattern
    return ("prefix", path.stem) if path.prefix is not None else ("exact", path.exact or "")


def _ways_to(match: Match) -> Iterator[_Way]:
    """Yield every way by which a route that covers this one can be found."""
    kind, text = _path(match.path)
    paths = [(kind, text)]
    # Every path begins with the prefix / (which is the stem ""), also one that a regular expression takes.
    paths += [("prefix", "")] if kind == "regex" else [("prefix", text[:at]) for at in _slashes(text)]
    paths += [("prefix", text)] if kind == "exact" else []
    hosts = (None, *(_host_and_above(match.hosts[0]) if match.hosts else ()))
    headers: list[_Header] = [None]
    headers += [(name.lower(), demanded) for name, value in match.headers for demanded in (value, "*")]
    for host, path, header in product(hosts, paths, headers):
        yield (host, *path, header)


def _slashes(text: str) -> Iterator[int]:
    return (at for at, character in enumerate(text) if character == "/")


def _host_and_above(host: str) -> Iterator[str]:
    """Yield a pattern of hosts, and all of the form *.NAME that take its hosts, too."""
    yield host
    name = host.removeprefix("*.")
    while "." in name:
        name = name.partition(".")[2]
        yield f"*.{name}"


def _covers(wide: Match, narrow: Match, listeners: frozenset[str]) -> bool:
    """Return whether all requests that one match takes are taken by the other. `listeners` are all there are."""
    return (
        _covers_path(wide.path, narrow.path)
        and wide.upgrade in (None, narrow.upgrade)
        and (not wide.hosts or (bool(narrow.hosts) and all(_covers_host(wide.hosts, each) for each in narrow.hosts)))
        and (not wide.listeners or (frozenset(narrow.listeners) or listeners) <= frozenset(wide.listeners))
        and (not wide.subprotocols or _is_some_of(narrow.subprotocols, wide.subprotocols))
        and all(_demands(narrow, name.lower(), value) for name, value in wide.headers)
    )


def _covers_path(wide: PathMatch, narrow: PathMatch) -> bool:
    if narrow.regex is not None:
        return wide.prefix == "/" or (wide.regex is not None and wide.regex.pattern == narrow.regex.pattern)
    if narrow.exact is not None:
        return wide.regex is None and wide.matches(narrow.exact)
    return wide.prefix is not None and f"{narrow.stem}/".startswith(f"{wide.stem}/")


def _covers_host(patterns: Sequence[str], host: str) -> bool:
    return any(each in patterns for each in _host_and_above(host))


def _is_some_of(names: Sequence[str], others: Sequence[str]) -> bool:
    return bool(names) and set(names) <= set(others)


def _demands(match: Match, header: str, value: str) -> bool:
    """Return whether a match needs a header with this value; `*`: with any."""
    return any(name.lower() == header and value in ("*", own) for name, own in match.headers)
