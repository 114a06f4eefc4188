"""A route, its upstream and a client, for tests of requests and answers."""

from wsgateway.dialects import Offer
from wsgateway.policy.forwarded import Identity
from wsgateway.policy.passing import HeaderContext
from wsgateway.settings.basics import Url
from wsgateway.settings.routes import Match, PathMatch, Route
from wsgateway.settings.upstreams import Target, Upstream

UPSTREAM = Upstream((Target(Url("10.0.1.11", 9000, "ws://10.0.1.11:9000")),), name="behind")
ROUTE = Route(name="chat", match=Match(path=PathMatch(prefix="/")), upstream=UPSTREAM)
IDENTITY = Identity("192.0.2.1", True, "ws.example.com")
CONTEXT = HeaderContext(IDENTITY, "hixie-76", "public")
TOLD = [
    ("X-Forwarded-For", "192.0.2.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "ws.example.com"),
    ("X-WebSocket-Dialect", "hixie-76"),
]
"""the headers about the client"""
OFFER = Offer(
    "/chat/room?x", "ws.example.com", "http://page", ("a", "b"), ("permessage-deflate",), (("Cookie", "c"),), True
)
