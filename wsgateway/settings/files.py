"""The files that a configuration names, read once before anything relies on them: certificates, keys, authorities."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any

from wsgateway.settings.findings import Finding, Path


def check(data: dict[str, Any], directory: FilePath) -> Iterator[Finding]:
    """Takes the data of a file that is good by itself; yields what is wrong with the files that it names."""
    for number, listener in enumerate(data["listeners"]):
        tls = listener.get("tls") or {}
        path: Path = ("listeners", number, "tls")
        for at, each in enumerate(tls.get("certificates", [])):
            yield from _certificate(each, directory, (*path, "certificates", at), tls.get("profile") == "legacy")
        yield from _authority(tls, "client_ca", directory, path)
    for name, upstream in data["upstreams"].items():
        for at, target in enumerate(upstream["targets"]):
            tls = target.get("tls") or {}
            path = ("upstreams", name, "targets", at, "tls")
            yield from _authority(tls, "ca", directory, path)
            yield from _certificate(tls, directory, path, tls.get("profile") == "legacy")


def _certificate(section: dict[str, Any], directory: FilePath, path: Path, weak: bool) -> Iterator[Finding]:
    """`weak` lets keys be short, and signatures be of SHA-1."""
    certificate, key = section.get("certificate"), section.get("private_key")
    if certificate is not None:
        # Which of the two is missing is told by opening them; what does not fit together, by OpenSSL.
        for name, file in (("certificate", certificate), ("private_key", key)):
            if file is not None and (why := _unreadable(directory / file)):
                yield Finding((*path, name), f"{file!r} cannot be read: {why}")
                return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if weak:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        key_file = None if key is None else directory / key
        chain = directory / certificate
        # A key under a password would have OpenSSL ask for it at the terminal.
        yield from _tried(lambda: context.load_cert_chain(chain, key_file, password=b""), (*path, "certificate"))


def _authority(section: dict[str, Any], name: str, directory: FilePath, path: Path) -> Iterator[Finding]:
    file = section.get(name)
    if file is not None:
        if why := _unreadable(directory / file):
            yield Finding((*path, name), f"{file!r} cannot be read: {why}")
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        yield from _tried(lambda: context.load_verify_locations(directory / file), (*path, name))


def _unreadable(file: FilePath) -> str | None:
    try:
        file.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _tried(read: Callable[[], None], path: Path) -> Iterator[Finding]:
    try:
        read()
    except ssl.SSLError as error:
        reason = (error.reason or "it is no PEM").replace("_", " ").lower()
        yield Finding(path, f"this is not what is needed: {reason}")
