"""Check the files that a configuration names before they are used: certificates, keys, authorities."""

import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from wsgateway.settings.certificates import blocks, read_pem
from wsgateway.settings.findings import Finding, Path

# The reasons of OpenSSL for a key and a certificate that do not belong together.
_NO_PAIR = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
# The first byte of every certificate and key in DER.
_DER = b"\x30"


@dataclass(frozen=True, slots=True)
class _Pair:
    """Describe a certificate and its key, as files that the configuration names."""

    path: Path
    """the place of the certificate in the configuration"""
    certificate: str
    key: str | None
    """None: it is in the file of the certificate"""
    weak: bool
    """whether short keys and signatures of SHA-1 are allowed"""

    @property
    def key_file(self) -> str:
        """The file that must hold the key."""
        return self.key or self.certificate


def check(data: dict[str, Any], directory: FilePath) -> Iterator[Finding]:
    """Yield the faults of the files that valid data of a configuration names."""
    pairs = list(_pairs(data))
    for pair in pairs:
        yield from _certificate(pair, pairs, directory)
    for number, listener in enumerate(data["listeners"]):
        yield from _authority(listener.get("tls") or {}, "client_ca", directory, ("listeners", number, "tls"))
    for name, upstream in data["upstreams"].items():
        for at, target in enumerate(upstream["targets"]):
            path = ("upstreams", name, "targets", at, "tls")
            yield from _authority(target.get("tls") or {}, "ca", directory, path)


def _pairs(data: dict[str, Any]) -> Iterator[_Pair]:
    sections: list[tuple[Path, dict[str, Any], bool]] = []
    for number, listener in enumerate(data["listeners"]):
        tls = listener.get("tls") or {}
        for at, each in enumerate(tls.get("certificates", [])):
            path: Path = ("listeners", number, "tls", "certificates", at)
            sections.append((path, each, tls.get("profile") == "legacy"))
    for name, upstream in data["upstreams"].items():
        for at, target in enumerate(upstream["targets"]):
            tls = target.get("tls") or {}
            sections.append((("upstreams", name, "targets", at, "tls"), tls, tls.get("profile") == "legacy"))
    for path, section, weak in sections:
        if section.get("certificate") is not None:
            yield _Pair(path, section["certificate"], section.get("private_key"), weak)


def _certificate(pair: _Pair, others: list[_Pair], directory: FilePath) -> Iterator[Finding]:
    # Opening the files shows which of the two is missing; OpenSSL says whether they belong together.
    for name, file in (("certificate", pair.certificate), ("private_key", pair.key)):
        if file is not None and (why := _unreadable(directory / file)):
            yield Finding((*pair.path, name), f"{file!r} cannot be read: {why}")
            return
    if misplaced := list(_misplaced(pair, directory)):
        yield from misplaced
        return
    key = directory / pair.key_file
    try:
        _load(pair, directory / pair.certificate, key)
    except ssl.SSLError as error:
        if error.reason in _NO_PAIR:
            yield Finding((*pair.path, "certificate"), _no_pair(pair, others, directory))
        else:
            yield Finding((*pair.path, "certificate"), _words(error))


def _misplaced(pair: _Pair, directory: FilePath) -> Iterator[Finding]:
    """Yield wrong contents of the two files, as far as they can be seen without OpenSSL."""
    certificate, key = ((directory / file).read_bytes() for file in (pair.certificate, pair.key_file))
    swapped = pair.key is not None and blocks(key) and not _has_key(key) and _has_key(certificate)
    if swapped and not blocks(certificate):
        yield Finding(
            (*pair.path, "certificate"), "this is the private key, and private_key is the certificate: swap them"
        )
        return
    if not blocks(certificate) and (held := _held(certificate)):
        yield Finding((*pair.path, "certificate"), f"{pair.certificate!r} holds {held}, and no certificate in PEM")
    if not _has_key(key) and (held := _held(key)):
        name = "certificate" if pair.key is None else "private_key"
        beside = "; name the file of the key in private_key" if pair.key is None else ""
        yield Finding((*pair.path, name), f"{pair.key_file!r} holds {held}, and no private key in PEM{beside}")
    elif b"ENCRYPTED" in key:
        yield Finding(
            (*pair.path, "certificate" if pair.key is None else "private_key"),
            f"the private key in {pair.key_file!r} needs a password, which the gateway does not have; write the key"
            f" without one: openssl pkey -in KEY -out NEW",
        )


def _has_key(data: bytes) -> bool:
    return any(label.endswith(b"PRIVATE KEY") for label in _LABEL.findall(data))


def _held(data: bytes) -> str:
    """Return a text for what a file contains; empty if it is not known."""
    labels = dict.fromkeys(label.decode() for label in _LABEL.findall(data))
    if not labels:
        return "DER" if data.startswith(_DER) else ""
    return " and ".join(labels)


def _no_pair(pair: _Pair, others: list[_Pair], directory: FilePath) -> str:
    """Return a text for a key that belongs to another certificate, with that certificate if it is known here."""
    key = directory / pair.key_file
    seen = f"the private key {pair.key_file!r} belongs to another certificate"
    for other in others:
        if other != pair and _fits(other, directory / other.certificate, key):
            place = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in other.path)
            return f"{seen}: of {place.removeprefix('.')}, {other.certificate!r}"
    for number, block in enumerate(blocks((directory / pair.certificate).read_bytes())[1:], 2):
        # OpenSSL takes a certificate by the name of a file, and there may be no directory to write one to.
        with os.fdopen(os.memfd_create("certificate"), "wb") as alone:
            alone.write(block + b"\n")
            alone.flush()
            if _fits(pair, FilePath(f"/proc/self/fd/{alone.fileno()}"), key):
                return (
                    f"{seen}: of {read_pem(block).subject}, which is number {number} in {pair.certificate!r}; the"
                    " certificate of the key must be the first, and those that lead to its root behind it"
                )
    return f"{seen}; perhaps only one of the two was renewed"


def _fits(pair: _Pair, certificate: FilePath, key: FilePath) -> bool:
    try:
        _load(pair, certificate, key)
    except OSError:  # ssl.SSLError, too
        return False
    return True


def _load(pair: _Pair, certificate: FilePath, key: FilePath) -> None:
    """Load both. Raise ssl.SSLError if they do not belong together, or are too weak for the profile."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if pair.weak:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    # Without this OpenSSL would wait at the terminal for the password of an encrypted key.
    context.load_cert_chain(certificate, key, password=b"")


def _authority(section: dict[str, Any], name: str, directory: FilePath, path: Path) -> Iterator[Finding]:
    file = section.get(name)
    if file is not None:
        if why := _unreadable(directory / file):
            yield Finding((*path, name), f"{file!r} cannot be read: {why}")
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(directory / file)
        except ssl.SSLError as error:
            yield Finding((*path, name), _words(error))


def _unreadable(file: FilePath) -> str | None:
    try:
        file.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _words(error: ssl.SSLError) -> str:
    reason = (error.reason or "it is no PEM").replace("_", " ").lower()
    return f"OpenSSL cannot use this file: {reason}"
