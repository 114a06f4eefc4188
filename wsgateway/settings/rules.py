"""Check what one key of the file says about another: names that must differ, names that must exist.

The rules look at the raw data, so that they also find mistakes in a file that has others. They pass over what has the
wrong shape: that is reported where the value is read.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from wsgateway.settings.addresses import admin_address, bind_address, target_url
from wsgateway.settings.basics import Address, Bind
from wsgateway.settings.declare import keys_of
from wsgateway.settings.defaults import Origins
from wsgateway.settings.findings import Finding, Path, guess, seen, spell
from wsgateway.settings.values import default_name, plain_name


def check(data: object) -> Iterator[Finding]:
    """Yield what breaks a rule in the data of a file, of any shape."""
    file = _mapping(data)
    for rule in _RULES:
        yield from rule(file)


def outdated(data: object) -> Iterator[Finding]:
    """Yield the keys of a good file that have a new name."""
    file = _mapping(data)
    sections: list[tuple[Path, Any]] = [(("defaults",), file.get("defaults"))]
    sections += [(("routes", index), entry) for index, entry in enumerate(_list(file.get("routes")))]
    for path, section in sections:
        origins = _mapping(_mapping(section).get("origins"))
        for key in keys_of(Origins):
            for old in filter(origins.__contains__, key.old_names):
                yield Finding((*path, "origins", old), f"this key is called {key.name!r} now", at_key=True)


def _names_differ(file: dict[str, Any]) -> Iterator[Finding]:
    for section, noun in (("listeners", "listener"), ("routes", "route")):
        owners: dict[str, int] = {}
        for index, entry in enumerate(_list(file.get(section))):
            given = _mapping(entry).get("name")
            own = given if isinstance(given, str) else default_name(noun, index + 1)
            owner = owners.setdefault(own, index)
            if owner != index:
                path: Path = (section, index, "name") if given == own else (section, index)
                message = f"the name {own!r} belongs to {section}[{owner}] already"
                yield Finding(path, message, other=(section, owner))


def _addresses_differ(file: dict[str, Any]) -> Iterator[Finding]:
    first: dict[Bind, str] = {}
    for path, text, reader in _binds(file):
        try:
            bound = reader(text)
        except ValueError:
            continue
        if isinstance(bound, Address):
            if not bound.port:  # the system chooses another port each time
                continue
            bound = Address(bound.host.lower(), bound.port)
        owner = first.setdefault(bound, spell(path))
        if owner != spell(path):
            yield Finding(path, f"{seen(text)} is bound by {owner} already")


def _binds(file: dict[str, Any]) -> Iterator[tuple[Path, object, Callable[[object], Any]]]:
    """Yield every address to listen on: where it stands, its text, and what reads it."""
    for listener, entry in enumerate(_list(file.get("listeners"))):
        for index, text in enumerate(_list(_mapping(entry).get("bind"))):
            yield ("listeners", listener, "bind", index), text, bind_address
    yield ("admin", "bind"), _mapping(file.get("admin")).get("bind"), admin_address


_SCHEMES = {"upstream": ("ws", "wss"), "http_upstream": ("http", "https")}


def _upstreams_exist(file: dict[str, Any]) -> Iterator[Finding]:
    upstreams = _mapping(file.get("upstreams"))
    for index, entry in enumerate(_list(file.get("routes"))):
        for key, schemes in _SCHEMES.items():
            wanted = _mapping(entry).get(key)
            if not upstreams or not isinstance(wanted, str):
                continue
            if wanted not in upstreams:
                yield Finding(("routes", index, key), f"{seen(wanted)} is not an upstream; {guess(wanted, upstreams)}")
            for place in _list(_mapping(upstreams.get(wanted)).get("targets")):
                # Only the scheme: the rest may have a password.
                scheme = str(_mapping(place).get("url")).partition("://")[0].lower()
                if scheme in chain(*_SCHEMES.values()) and scheme not in schemes:
                    needed = " or ".join(f"{each}://" for each in schemes)
                    said = f"the targets of {seen(wanted)} begin with {scheme}://, {key} needs {needed}"
                    yield Finding(("routes", index, key), said)
                    break


def _listeners_of_routes_exist(file: dict[str, Any]) -> Iterator[Finding]:
    entries = _list(file.get("listeners"))
    names = [
        str(_mapping(entry).get("name") or default_name("listener", number)) for number, entry in enumerate(entries, 1)
    ]
    for index, entry in enumerate(_list(file.get("routes"))):
        for at, wanted in enumerate(_list(_mapping(_mapping(entry).get("match")).get("listeners"))):
            if names and isinstance(wanted, str) and wanted not in names:
                path: Path = ("routes", index, "match", "listeners", at)
                yield Finding(path, f"{seen(wanted)} is not a listener; {guess(wanted, names)}")


def _upstreams_have_names(file: dict[str, Any]) -> Iterator[Finding]:
    for key in _mapping(file.get("upstreams")):
        try:
            plain_name(key)
        except ValueError as error:
            yield Finding(("upstreams", key), str(error), at_key=True)


def _targets_differ(file: dict[str, Any]) -> Iterator[Finding]:
    for name, upstream in _mapping(file.get("upstreams")).items():
        first: dict[str, int] = {}
        for index, entry in enumerate(_list(_mapping(upstream).get("targets"))):
            try:
                url = target_url(_mapping(entry).get("url"))
            except ValueError:
                continue
            owner = first.setdefault(f"{url.scheme}://{url.authority.lower()}", index)
            if owner != index:
                path: Path = ("upstreams", name, "targets", index, "url")
                yield Finding(path, f"{seen(url.text)} is targets[{owner}] already; give that one a weight")


def _encrypted_targets_have_tls(file: dict[str, Any]) -> Iterator[Finding]:
    for name, upstream in _mapping(file.get("upstreams")).items():
        for index, entry in enumerate(_list(_mapping(upstream).get("targets"))):
            try:
                url = target_url(_mapping(entry).get("url"))
            except ValueError:
                continue
            if _mapping(_mapping(entry).get("tls")) and not url.secure:
                path: Path = ("upstreams", name, "targets", index)
                yield Finding(path, f"tls is for wss:// and https://, not for {url.scheme}://")


_RULES: tuple[Callable[[dict[str, Any]], Iterator[Finding]], ...] = (
    _names_differ,
    _addresses_differ,
    _upstreams_exist,
    _listeners_of_routes_exist,
    _upstreams_have_names,
    _targets_differ,
    _encrypted_targets_have_tls,
)


def _mapping(value: object) -> dict[str, Any]:
    """Return the value, or an empty mapping if it is none."""
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    """Return the value, or an empty list if it is none."""
    return value if isinstance(value, list) else []
