"""The old libraries: how each is run, and what it speaks in which role."""

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.dialects.families import HIXIE, MORE

from .programs import MODULES, PATIENCE_SECONDS, PEERS, which

Role = Literal["client", "server"]

# The drafts whose frames are those of RFC 6455, as far as these libraries know them.
_LATER = ("hybi-07", "hybi-08")


def _runs(*command: str) -> Callable[[], bool]:
    """Return whether a command is there and succeeds."""

    def run() -> bool:
        if which(command[0]) is None:
            return False
        return subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False).returncode == 0

    return run


def _there(program: str, paths: Iterable[Path]) -> Callable[[], bool]:
    """Return whether a program is installed, and these files are there."""
    return lambda: which(program) is not None and all(path.exists() for path in paths)


@dataclass(frozen=True)
class Kind:
    """A library."""

    command: tuple[str, ...]
    installed: Callable[[], bool]
    installation: str
    client: tuple[str, ...] = ()
    """the dialects that it speaks as a client"""
    server: tuple[str, ...] = ()
    """and those as a server"""
    sends_fragments: bool = False
    # The rest are mistakes, which test_mistakes shows. Each names the dialects in which it is made.
    loses_pieces: frozenset[str] = frozenset()
    """Messages get lost that do not come in one piece."""
    chooses_no_subprotocol: frozenset[str] = frozenset()
    """It says nothing about subprotocols that it is offered."""


_JARS = [
    Path(f"/usr/share/java/netty-{part}.jar")
    for part in ("buffer", "codec", "codec-http", "common", "handler", "resolver", "transport")
]
# It lives for a minute and does little.
_JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_RUBY = ("ruby", str(PEERS / "websocket_ruby.rb"))
_RUBY_INSTALLED = _runs("ruby", "-e", "require 'websocket'")

KINDS = {
    "protocol-websocket": Kind(
        ("perl", str(PEERS / "protocol_websocket.pl")),
        _runs("perl", "-MProtocol::WebSocket", "-e1"),
        "apt install libprotocol-websocket-perl",
        client=(*HIXIE, "hybi-08", "rfc6455"),
        server=(*HIXIE, *_LATER, "rfc6455"),
        sends_fragments=True,
    ),
    "websocket-ruby": Kind(
        _RUBY,
        _RUBY_INSTALLED,
        "apt install ruby ruby-websocket",
        client=(*HIXIE, *MORE, *_LATER, "rfc6455"),
        server=(*HIXIE, *MORE, *_LATER, "rfc6455"),
    ),
    # With more of its mistakes, and no tests but of these.
    "websocket-ruby-unaided": Kind((*_RUBY, "unaided"), _RUBY_INSTALLED, "apt install ruby ruby-websocket"),
    "em-websocket": Kind(
        ("ruby", str(PEERS / "em_websocket.rb")),
        _runs("ruby", "-e", "require 'em-websocket'"),
        "apt install ruby ruby-em-websocket",
        server=(*HIXIE, *MORE, "hybi-05", "hybi-06", *_LATER, "rfc6455"),
        loses_pieces=frozenset({"hybi-05", "hybi-06"}),
        chooses_no_subprotocol=frozenset({"hixie-75", "hybi-05", "hybi-06", *_LATER, "rfc6455"}),
    ),
    "websocket-driver": Kind(
        ("node", str(PEERS / "websocket_driver.js")),
        _there("node", [MODULES / "websocket-driver"]),
        "npm ci --prefix tests/e2e/peers",
        client=("rfc6455",),
        server=(*HIXIE, "rfc6455"),
        chooses_no_subprotocol=frozenset(HIXIE),
    ),
    "netty": Kind(
        (*_JAVA, "-cp", ":".join(map(str, _JARS)), str(PEERS / "NettyPeer.java")),
        _there("javac", _JARS),
        "apt install libnetty-java default-jdk-headless",
        client=("hixie-76", *_LATER, "rfc6455"),
        server=(*HIXIE, *_LATER, "rfc6455"),
        sends_fragments=True,
        loses_pieces=frozenset(HIXIE),
    ),
}


@dataclass(frozen=True)
class Speaker:
    """A library that speaks a dialect in a role."""

    library: str
    role: Role
    dialect: str

    @property
    def kind(self) -> Kind:
        return KINDS[self.library]

    @property
    def is_hixie(self) -> bool:
        return self.dialect in HIXIE

    @property
    def loses_pieces(self) -> bool:
        return self.dialect in self.kind.loses_pieces

    @property
    def chooses_nothing(self) -> bool:
        return self.dialect in self.kind.chooses_no_subprotocol

    def __str__(self) -> str:
        return f"{self.library}-{self.role}-{self.dialect}"


SPEAKERS = [
    Speaker(library, role, dialect)
    for library, kind in KINDS.items()
    for role, dialects in (("client", kind.client), ("server", kind.server))
    for dialect in dialects
]
