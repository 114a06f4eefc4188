"""A file with every key that there is, and the settings that are made of it."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import yaml

from wsgateway.dialects import DIALECTS
from wsgateway.settings.basics import Address, Balance, Rate, UnixAddress, Url
from wsgateway.settings.declare import keys_of, section_in
from wsgateway.settings.defaults import Binary, Defaults, Keepalive, Origins, SessionLimits, Timeouts
from wsgateway.settings.health import ActiveCheck, HealthChecks, PassiveCheck
from wsgateway.settings.listeners import (
    Certificate,
    FlashGrant,
    FlashPolicy,
    Forwarded,
    Http2,
    Listener,
    ListenerTls,
    ProxyProtocol,
    RequestLimits,
)
from wsgateway.settings.load import parse
from wsgateway.settings.process import Admin, Census, Logging, Shutdown, TraceSecrets
from wsgateway.settings.regexes import compiled
from wsgateway.settings.routes import HeaderRules, Match, PathMatch, Rewrite, Route
from wsgateway.settings.upstreams import AnswerLimits, Queue, Resolve, Retry, Target, TargetTls, Upstream
from wsgateway.settings.whole import Settings
from wsgateway.wire.oddities import Oddity

from .files import named
from .sections import keys

PIN = f"sha256:{'0123456789abcdef' * 4}"

EVERY_KEY = """
version: 1
include: []
listeners:
  - name: public
    bind: ["127.0.0.1:8080", "[::1]:8081"]
    max_connections: 7
    max_connections_per_ip: 3
    ipv6_prefix: 56
    tolerance: [bare-lf]
    limits: {head_size: 2KiB, headers: 9}
    tls:
      profile: custom
      certificates:
        - {hosts: [Example.com, "*.example.com."], certificate: ws.pem, private_key: keys/ws.key}
        - {certificate: /etc/b.pem, private_key: ../b.key}
      client_certificates: required
      client_ca: clients.pem
      minimum: 1.1
      ciphers: ALL
      http2: {mode: none, streams: 10, idle: 11s, control_rate: 12/s}
    proxy_protocol: {accept: optional, trusted: [10.0.0.0/8, "fd00::/8"]}
    forwarded: {trusted: [192.0.2.7]}
    flash_policy:
      mode: inline
      allow: [{domain: "*.example.com", ports: [80, 8080]}, {domain: "*", ports: [443]}]
  - bind: [localhost:0]
defaults:
  dialects: [rfc6455, hybi-07..08]
  subprotocols: {base64: binary}
  fragments: join
  binary: {encode: base64, decode: hex, text_only: [hybi-07]}
  invalid_utf8: close
  location_scheme: wss
  extensions: none
  unprefixed_headers: true
  origins: {allow: ["https://a.example", "*"], missing: refuse, opaque: refuse}
  timeouts: {handshake: 1s, challenge: 2s, connect: 3s, idle: 4s, close: 5s, send: 6s, lifetime: 7s, response: 8s}
  keepalive: {interval: 8s, timeout: 9s}
  limits:
    {message_size: 5KiB, fragments: 6, join: 1KiB, message_rate: 7/s, message_rate_action: delay, handshake_rate: 8/m}
routes:
  - name: chat
    match:
      path: {exact: /chat}
      hosts: [WS.example.com, "*.b.example", "::0:1"]
      subprotocols: [chat, v2.chat]
      headers: {X-A: b, X-C: "*"}
      listeners: [public, listener-2]
      upgrade: true
    upstream: chat
    http_upstream: pages
    rewrite: {strip_prefix: /chat, add_prefix: /v1, path: normalised}
    headers: {set: {X-Client: "{client_ip}", x-b: c}, remove: [Cookie, X-D], keep: [Accept], underscores: [X_Device]}
    dialects: [hixie-75..76]
    subprotocols: {chat: v1}
    fragments: keep
    binary: {encode: latin-1, decode: latin-1, text_only: [hybi-08, rfc6455]}
    invalid_utf8: replace
    location_scheme: ws
    extensions: forward
    unprefixed_headers: false
    origins: {allow: [], missing: allow, opaque: allow}
    timeouts:
      {handshake: 10s, challenge: 20s, connect: 30s, idle: none, close: 50s, send: 60s, lifetime: none, response: 70s}
    keepalive: {interval: none, timeout: 90s}
    limits:
      {message_size: 50KiB, fragments: 60, join: 2KiB, message_rate: none, message_rate_action: close,
       handshake_rate: 80/h}
  - match: {path: {prefix: /x}}
    upstream: web
  - {match: {path: {regex: '/r/(.*)'}}, upstream: web}
upstreams:
  chat:
    targets:
      - url: wss://10.0.1.11
        tls:
          {ca: ca.pem, server_name: chat, certificate: a.pem, private_key: a.key, profile: legacy,
           pin: ['sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef']}
    dialect: hixie-76
    fragments: join
    tolerance: [frames-behind-proof]
    host: target
    send_proxy_protocol: v2
    max_connections: 5
    balance: {hash: {cookie: sid}}
    retry: {attempts: 3}
    queue: {size: 4, timeout: 6s}
    health:
      active:
        {type: websocket, path: /health, interval: 7s, timeout: 8s, rise: 9, fall: 10, subprotocols: [mqtt, x],
         headers: {Host: a, Authorization: "{b}"}}
      passive:
        {failures: 11, window: 12s, eject: 13s, eject_most: 14m, share: 66%, clients: 7, statuses: [503, 500]}
    resolve: {interval: 15s}
    limits: {head_size: 30KiB, headers: 31}
  pages:
    targets: [{url: "https://[::1]"}, {url: "http://b", backup: true, weight: 2, max_connections: 3}]
    health: {active: {}, passive: {failures: none}}
  web: {targets: [{url: "ws://web/"}]}
  spare: {targets: [{url: "ws://spare", srv: true}]}
shutdown: {drain: 2m, spread: none, close_code: 4000, delay: 3s}
workers: 3
join_memory: 32MiB
admin: {bind: "127.0.0.1:9901", allow: [10.0.0.0/8], names: [a.example], actions: local}
control: unix:c.sock
census: {file: census.sqlite, keep: 90d}
logging: {level: debug, format: json, value_length: 50, queue: 64KiB}
trace: {redact_query: [sid]}
"""

# Two of its routes have all this from its `defaults`.
INHERITED: dict[str, Any] = {
    "dialects": named("hybi-07", "hybi-08", "rfc6455"),
    "subprotocols": (("base64", "binary"),),
    "fragments": "join",
    "binary": Binary("base64", "hex", named("hybi-07")),
    "invalid_utf8": "close",
    "location_scheme": "wss",
    "extensions": "none",
    "unprefixed_headers": True,
    "origins": Origins(("https://a.example", "*"), missing="refuse", opaque="refuse"),
    "timeouts": Timeouts(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
    "keepalive": Keepalive(8.0, 9.0),
    "limits": SessionLimits(5120, 6, 1024, Rate(7, 1.0), "delay", Rate(8, 60.0)),
}


def written(kind: Any, data: Any) -> Iterator[str]:
    """Yield each key in a section of a file, or in each section of a list or a mapping, as `keys` names it."""
    if isinstance(data, list):
        for each in data:
            yield from written(kind, each)
        return
    known = {key.name: key for key in keys_of(kind)}
    for name, value in data.items():
        if name in known:
            yield f"{kind.__name__}.{name}"
            inner = section_in(known[name].type)
            if inner is not None:
                yield from written(inner, value)
        else:  # a name of the operator's choice
            yield from written(kind, value)


def test_the_file_has_every_key() -> None:
    found = set(written(Settings, yaml.load(EVERY_KEY, yaml.BaseLoader)))
    assert keys().keys() - found == set()


def test_every_key_becomes_a_setting() -> None:
    rfc6455 = DIALECTS["rfc6455"]
    tls = TargetTls(
        ca="/etc/wsgateway/ca.pem",
        server_name="chat",
        certificate="/etc/wsgateway/a.pem",
        private_key="/etc/wsgateway/a.key",
        profile="legacy",
        pin=(PIN,),
    )
    chat = Upstream(
        (Target(Url("10.0.1.11", 443, "wss://10.0.1.11", "wss"), tls),),
        DIALECTS["hixie-76"],
        name="chat",
        host="target",
        send_proxy_protocol="v2",
        max_connections=5,
        balance=Balance("hash", "cookie", "sid"),
        queue=Queue(4, 6.0),
        retry=Retry(3),
        health=HealthChecks(
            ActiveCheck(
                "websocket", "/health", 7.0, 8.0, 9, 10, ("mqtt", "x"), (("Host", "a"), ("Authorization", "{b}"))
            ),
            PassiveCheck(11, 12.0, 13.0, 840.0, 66, 7, (503, 500)),
        ),
        resolve=Resolve(15.0),
        limits=AnswerLimits(30_720, 31),
        fragments="join",
        tolerance=frozenset({Oddity.FRAMES_BEHIND_PROOF}),
    )
    pages = Upstream(
        (
            Target(Url("::1", 443, "https://[::1]", "https")),
            Target(Url("b", 80, "http://b", "http"), weight=2, backup=True, max_connections=3),
        ),
        rfc6455,
        name="pages",
        health=HealthChecks(ActiveCheck("tcp", "/", 10.0, 2.0, 2, 3), PassiveCheck(None, 30.0, 30.0, 300.0)),
    )
    web = Upstream((Target(Url("web", 80, "ws://web/")),), rfc6455, name="web")
    grants = (FlashGrant("*.example.com", (80, 8080)), FlashGrant("*", (443,)))
    assert parse(EVERY_KEY, "/etc/wsgateway/f.yaml") == Settings(
        version=1,
        listeners=(
            Listener(
                name="public",
                bind=(Address("127.0.0.1", 8080), Address("::1", 8081)),
                max_connections=7,
                max_connections_per_ip=3,
                ipv6_prefix=56,
                tolerance=frozenset({Oddity.BARE_LF}),
                limits=RequestLimits(2048, 9),
                tls=ListenerTls(
                    certificates=(
                        Certificate(
                            "/etc/wsgateway/ws.pem", "/etc/wsgateway/keys/ws.key", ("example.com", "*.example.com")
                        ),
                        Certificate("/etc/b.pem", "/etc/wsgateway/../b.key", ()),
                    ),
                    profile="custom",
                    client_certificates="required",
                    client_ca="/etc/wsgateway/clients.pem",
                    minimum="1.1",
                    ciphers="ALL",
                    http2=Http2("none", 10, 11.0, Rate(12, 1.0)),
                ),
                proxy_protocol=ProxyProtocol("optional", (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))),
                forwarded=Forwarded((ip_network("192.0.2.7/32"),)),
                flash_policy=FlashPolicy("inline", grants),
            ),
            Listener(name="listener-2", bind=(Address("localhost", 0),), max_connections=20000),
        ),
        routes=(
            Route(
                name="chat",
                match=Match(
                    path=PathMatch(exact="/chat"),
                    hosts=("ws.example.com", "*.b.example", "::1"),
                    subprotocols=("chat", "v2.chat"),
                    headers=(("X-A", "b"), ("X-C", "*")),
                    listeners=("public", "listener-2"),
                    upgrade=True,
                ),
                upstream=chat,
                http_upstream=pages,
                rewrite=Rewrite("/chat", "/v1", "normalised"),
                headers=HeaderRules(
                    (("X-Client", "{client_ip}"), ("x-b", "c")), ("cookie", "x-d"), ("accept",), ("x_device",)
                ),
                dialects=named("hixie-75", "hixie-76"),
                subprotocols=(("chat", "v1"),),
                fragments="keep",
                binary=Binary("latin-1", "latin-1", named("hybi-08", "rfc6455")),
                invalid_utf8="replace",
                location_scheme="ws",
                extensions="forward",
                unprefixed_headers=False,
                origins=Origins((), missing="allow", opaque="allow"),
                timeouts=Timeouts(10.0, 20.0, 30.0, None, 50.0, 60.0, None, 70.0),
                keepalive=Keepalive(None, 90.0),
                limits=SessionLimits(51_200, 60, 2048, None, "close", Rate(80, 3600.0)),
            ),
            Route(
                name="route-2",
                match=Match(path=PathMatch(prefix="/x")),
                upstream=web,
                **INHERITED,
            ),
            Route(name="route-3", match=Match(path=PathMatch(regex=compiled("/r/(.*)"))), upstream=web, **INHERITED),
        ),
        upstreams={
            "chat": chat,
            "pages": pages,
            "web": web,
            "spare": Upstream((Target(Url("spare", 80, "ws://spare"), srv=True),), rfc6455, name="spare"),
        },
        defaults=Defaults(**INHERITED),
        shutdown=Shutdown(120.0, None, 4000, 3.0),
        workers=3,
        join_memory_bytes=33_554_432,
        admin=Admin(Address("127.0.0.1", 9901), (ip_network("10.0.0.0/8"),), ("a.example",), "local"),
        control=UnixAddress("/etc/wsgateway/c.sock"),
        census=Census("/etc/wsgateway/census.sqlite", 7_776_000.0),
        logging=Logging("debug", "json", 50, 65_536),
        trace=TraceSecrets(("sid",)),
    )
