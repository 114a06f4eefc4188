"""Read the dates and hosts of the certificates that a configuration names, and warn of those that will not do.

Nothing here is an error: some devices check neither dates nor names, and a gateway that refused to start would serve no
client at all.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wsgateway.settings.findings import Path as Place
from wsgateway.settings.findings import shown, spell
from wsgateway.settings.whole import Settings
from wsgateway.wire.x509 import X509Certificate, read

_DAY_SECONDS = 24 * 3600.0
# Let's Encrypt's certificates are renewed 30 days before their end: this warning means that nine tries have failed.
WARNING_SECONDS = 21 * _DAY_SECONDS
# A certificate may have a hundred names, and a line of the log should be readable.
_NAMES_TOLD = 5
_PEM = re.compile(rb"-----BEGIN ((?:X509 )?CERTIFICATE)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Use:
    """Describe a file of certificates, and what it is used for."""

    path: Place
    """of the key that names it"""
    used_by: str
    """as listener public, or upstream chat"""
    file: str
    """an absolute path"""
    hosts: tuple[str, ...] = ()
    """the hosts for which it is shown: names, or *.name"""
    authorities: bool = False
    """whether its certificates are not shown, but are the authorities for those of others"""

    @property
    def place(self) -> str:
        """The key that names it, as listeners[0].tls.certificates[0].certificate."""
        return spell(self.path)


@dataclass(frozen=True, slots=True)
class Known:
    """Hold what was in a file of certificates when it was read. Times are seconds since 1970."""

    use: Use
    begins: float
    ends: float
    """when the first of its certificates expires; of authorities, when the last does"""
    subject: str
    """the certificate that the dates are of, if it is not the one that is shown"""
    names: tuple[str, ...]
    """the hosts that the certificate is for"""

    @property
    def unnamed(self) -> tuple[str, ...]:
        """The hosts for which it is shown although it is not for them."""
        return tuple(host for host in self.use.hosts if not any(_is_for(name, host) for name in self.names))


def known(settings: Settings) -> tuple[Known, ...]:
    """Read all certificates that the settings name. Leave out what cannot be read; its user reports it."""
    return tuple(each for use in _uses(settings) if (each := _known(use)) is not None)


def warnings(certificates: Iterable[Known], now: float) -> Iterator[str]:
    """Yield warnings of certificates that have expired, are not valid yet, expire soon, or are for other hosts.

    `now` is in seconds since 1970.
    """
    for use, sentence in every_warning(certificates, now):
        yield f"{use.place} {shown(use.file)}: {sentence}"


def every_warning(certificates: Iterable[Known], now: float) -> Iterator[tuple[Use, str]]:
    """Yield the same warnings, each with the certificate that it is about."""
    for each in certificates:
        which = f"{each.subject or 'a certificate without a subject'} in it" if each.subject else "it"
        if each.use.authorities:
            which = "the last authority in it"
        if each.ends <= now:
            yield each.use, f"{which} expired on {_date(each.ends)}, {_span(now - each.ends)} ago; renew it and reload"
        elif each.begins > now:
            yield (
                each.use,
                f"{which} is not valid before {_date(each.begins)}, in {_span(each.begins - now)};"
                " clients refuse it until then. Check the clock, too",
            )
        elif each.ends <= now + WARNING_SECONDS:
            yield each.use, f"{which} expires in {_span(each.ends - now)}, on {_date(each.ends)}; renew it and reload"
        if each.unnamed:
            named = f"is for {_several(each.names)}" if each.names else "names no host"
            yield each.use, f"hosts names {_several(each.unnamed)}, but the certificate {named}"


def blocks(data: bytes) -> list[bytes]:
    """Return the certificates in a text of PEM, each as PEM."""
    return [block[0] for block in _PEM.finditer(data)]


def read_pem(block: bytes) -> X509Certificate:
    """Read one certificate in PEM. Raise ValueError if it is none."""
    return read(a2b_base64(b"".join(block.splitlines()[1:-1])))


def _several(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return ", ".join(names[:_NAMES_TOLD]) + more


def _uses(settings: Settings) -> Iterator[Use]:
    for number, listener in enumerate(settings.listeners):
        if listener.tls is not None:
            path: Place = ("listeners", number, "tls")
            used_by = f"listener {listener.name}"
            for at, each in enumerate(listener.tls.certificates):
                yield Use((*path, "certificates", at, "certificate"), used_by, each.certificate, each.hosts)
            if listener.tls.client_ca is not None:
                yield Use((*path, "client_ca"), used_by, listener.tls.client_ca, authorities=True)
    for name, upstream in settings.upstreams.items():
        for number, target in enumerate(upstream.targets):
            path, used_by = ("upstreams", name, "targets", number, "tls"), f"upstream {name}"
            if target.tls.certificate is not None:
                yield Use((*path, "certificate"), used_by, target.tls.certificate)
            if target.tls.ca is not None:
                yield Use((*path, "ca"), used_by, target.tls.ca, authorities=True)


def _known(use: Use) -> Known | None:
    try:
        found = list(map(read_pem, blocks(Path(use.file).read_bytes())))
        dated = [(_seconds(each.ends), at, _seconds(each.begins)) for at, each in enumerate(found)]
    except (OSError, ValueError):
        return None
    if not dated:
        return None
    ends, at, begins = max(dated) if use.authorities else min(dated)
    subject = found[at].subject if at else ""
    return Known(use, begins, ends, subject, () if use.authorities else found[0].names)


def _is_for(name: str, host: str) -> bool:
    """Return whether a name of a certificate is for a host; * stands for one label only (RFC 6125, 6.4.3)."""
    name = name.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(seconds: float) -> str:
    for unit, length in (("day", _DAY_SECONDS), ("hour", 3600.0)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}s"
    return f"{seconds // 60:.0f} minutes"
