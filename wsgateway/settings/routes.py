"""The section `routes`: which requests go to which upstream, and what is changed of them on their way."""

from collections.abc import Set
from typing import Annotated, Literal

from wsgateway.settings.declare import List, Written, key, section
from wsgateway.settings.defaults import Defaults
from wsgateway.settings.findings import seen
from wsgateway.settings.upstreams import Upstream
from wsgateway.settings.values import (
    Flag,
    HeaderPatterns,
    HeaderValues,
    Host,
    MatchedHeaders,
    Name,
    NormalisedPath,
    Pattern,
    UnderscoreNames,
    UrlPath,
)

PathForm = Literal["as_sent", "normalised"]


def _named(value: object) -> Upstream:
    """Read the name of an upstream. Return an upstream with only its name, which `load` replaces by the whole one."""
    if not isinstance(value, str):
        raise ValueError(f"{seen(value)} is not text" + ("; write it in quotes" if isinstance(value, int) else ""))
    return Upstream((), name=value)


UpstreamName = Annotated[Upstream, Written(_named, "name of an upstream", {"type": "string", "minLength": 1})]


@section(kw_only=True)
class PathMatch:
    """Compare the path of a request, without its query, with exactly one of these keys. Before that, percent-encoded
    letters, digits and -._~ are decoded once, and several slashes in a row become one. A path that some server could
    read as a way out of the route is answered 400: a segment . or .., encoded or not, an overlong dot or slash, NUL."""

    prefix: NormalisedPath | None = key(
        "Whole segments: /chat takes /chat, /chat/ and /chat/room, but not /chatter; / takes all.",
        default=None,
        example="/chat",
        shown=True,
    )
    exact: NormalisedPath | None = key("This path and no other.", default=None, example="/chat")
    regex: Pattern | None = key(
        "Regular expression that matches the whole path, of RE2 where its binding is installed (pip install"
        " 'wsgateway[re2]'), else of Python. Without RE2 an expression that may take for ever, such as (a+)+b, is an"
        " error.",
        default=None,
        example="/room/[0-9]+",
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError unless exactly one of the keys is there."""
        if len(given) != 1:
            names = [each for each in ("prefix", "exact", "regex") if each in given]
            seen = f"{' and '.join(names)} are given" if names else "none of prefix, exact and regex is given"
            raise ValueError(f"{seen}, exactly one of them is needed")

    def matches(self, path: str) -> bool:
        """Return whether it takes a path without its query, normalised as in `wsgateway.wire.paths`."""
        if self.regex is not None:
            return self.regex.fullmatch(path) is not None
        if self.prefix is None:
            return path == self.exact
        stem = self.stem
        return path == stem or path.startswith(stem + "/")

    @property
    def stem(self) -> str:
        """The prefix without a slash at its end; only if there is a prefix."""
        assert self.prefix is not None, "the caller has checked it"
        return self.prefix.rstrip("/")


@section(kw_only=True)
class Match:
    """Choose the requests that the route takes: those for which all keys are true."""

    path: PathMatch = key()
    hosts: List[Host] = key(
        "Hosts, without port, one of which the request is for: names or *.NAME. []: any.",
        default=[],
        example=["ws.example.com", "*.ws.example.com"],
    )
    subprotocols: List[str] = key(
        "Subprotocols, one of which the client offers. []: any or none.", default=[], example=["mqtt"]
    )
    headers: MatchedHeaders = key(
        "Headers that the request has, with this value, or with any value (*). {}: any or none.",
        default={},
        example={"X-Tenant": "blue"},
    )
    listeners: List[str] = key("Listeners, by one of which the request came. []: any.", default=[], example=["public"])
    upgrade: Flag | None = key(
        "true: only WebSocket. false: only plain HTTP. Both if it is left out.", default=None, example=True
    )


@section
class Rewrite:
    """Change the path on its way to the upstream."""

    strip_prefix: NormalisedPath | None = key(
        "Whole segments that are removed from the beginning of the path, if they are there.",
        default=None,
        example="/chat",
    )
    add_prefix: UrlPath | None = key("Path that is put in front then.", default=None, example="/v1")
    path: PathForm = key(
        "Form of the rest.",
        default="as_sent",
        values={"as_sent": "as the client sent it", "normalised": "as it was compared with the routes"},
    )


@section
class HeaderRules:
    """Change the headers on their way to the upstream, which always gets X-Forwarded-For, -Proto and -Host and
    X-WebSocket-Dialect. X-Forwarded-* that the gateway does not write itself go on only from a trusted proxy."""

    set: HeaderValues = key(
        "Headers that are set. {dialect}, {client_ip}, {listener} and {route} in a value are filled in.",
        default={},
        example={"X-Client": "{client_ip} speaks {dialect}"},
    )
    remove: HeaderPatterns = key(
        "Headers that are removed: names, or NAME* for all that begin so.",
        default=[],
        example=["Cookie", "Sec-Fetch-*"],
    )
    keep: HeaderPatterns | None = key(
        "The only headers that go on, written as in `remove`, beside the handshake and what is set; no compression is"
        " offered. []: the handshake alone, for appliances with small buffers. If it is left out, all headers go on.",
        default=None,
        example=["Cookie"],
    )
    underscores: UnderscoreNames = key(
        "Headers with an underscore in their name, and Proxy, that go on. All others are removed, since many servers"
        " take X_User for X-User.",
        default=[],
        example=["X_Device"],
    )


@section(kw_only=True)
class Route(Defaults):
    """Send requests to an upstream."""

    name: Name = key(
        "Name for the log. route-1, route-2 ... in the order of the list if it is left out.",
        default=None,
        example="chat",
        shown=True,
    )
    match: Match = key()
    rewrite: Rewrite = key(default={})
    headers: HeaderRules = key(default={})
    upstream: UpstreamName | None = key(
        "Upstream for WebSocket, whose targets are ws:// or wss://. At least one of `upstream` and `http_upstream` is"
        " needed.",
        default=None,
        example="chat",
        shown=True,
    )
    http_upstream: UpstreamName | None = key(
        "Upstream for plain HTTP, whose targets are http:// or https://. Plain HTTP is answered 426 if it is left out.",
        default=None,
        example="pages",
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError if there is no upstream."""
        if self.upstream is None and self.http_upstream is None:
            raise ValueError("the route has no upstream; give it an upstream, an http_upstream, or both")
