"""The settings of a file: every key is obeyed, and keys that are left out have their defaults."""

from ipaddress import ip_network

from tests.dialects.families import NAMES
from wsgateway.dialects import DIALECTS
from wsgateway.settings.basics import Address, Balance, Rate, Url
from wsgateway.settings.defaults import Binary, Defaults, Keepalive, Origins, SessionLimits, Timeouts
from wsgateway.settings.health import ActiveCheck, HealthChecks, PassiveCheck
from wsgateway.settings.listeners import (
    Certificate,
    FlashGrant,
    FlashPolicy,
    Forwarded,
    Listener,
    ListenerTls,
    ProxyProtocol,
    RequestLimits,
)
from wsgateway.settings.load import parse
from wsgateway.settings.process import Logging, Shutdown
from wsgateway.settings.routes import HeaderRules, Match, PathMatch, Rewrite, Route
from wsgateway.settings.upstreams import AnswerLimits, Queue, Resolve, Retry, Target, TargetTls, Upstream
from wsgateway.settings.whole import Settings

from .files import LISTENERS, ROUTES, SMALL, UPSTREAMS, named

ECHO = Upstream(
    (Target(Url("127.0.0.1", 9000, "ws://127.0.0.1:9000", "ws"), TargetTls(None, "intermediate", ())),),
    DIALECTS["rfc6455"],
    name="echo",
    host="preserve",
    send_proxy_protocol="none",
    max_connections=None,
    balance=Balance("round_robin"),
    queue=Queue(0, 1.0),
    retry=Retry(2),
    health=HealthChecks(None, PassiveCheck(5, 30.0, 30.0, 300.0)),
    resolve=Resolve(30.0),
)


def test_a_small_file_is_filled_up_with_the_defaults() -> None:
    timeouts = Timeouts(
        handshake_seconds=10.0,
        challenge_seconds=5.0,
        connect_seconds=5.0,
        idle_seconds=None,
        close_seconds=5.0,
        send_seconds=30.0,
        lifetime_seconds=None,
        response_seconds=120.0,
    )
    limits = SessionLimits(
        16_777_216, 65536, 65536, message_rate=None, message_rate_action="close", handshake_rate=None
    )
    assert parse(SMALL, "f.yaml") == Settings(
        version=1,
        listeners=(
            Listener(
                name="listener-1",
                bind=(Address("127.0.0.1", 8080),),
                max_connections=20000,
                max_connections_per_ip=None,
                limits=RequestLimits(16384, 100),
                tls=None,
                proxy_protocol=ProxyProtocol("none", ()),
                forwarded=Forwarded(()),
                flash_policy=FlashPolicy("none", ()),
            ),
        ),
        routes=(
            Route(
                name="route-1",
                match=Match(
                    path=PathMatch(prefix="/"), hosts=(), subprotocols=(), headers=(), listeners=(), upgrade=None
                ),
                upstream=ECHO,
                http_upstream=None,
                rewrite=Rewrite(None, None, "as_sent"),
                headers=HeaderRules((), ()),
                dialects=named(*NAMES),
                binary=Binary("reject", "none", ()),
                invalid_utf8="replace",
                location_scheme="auto",
                origins=Origins(("*",), missing="allow", opaque=None),
                extensions="forward",
                unprefixed_headers=False,
                timeouts=timeouts,
                keepalive=Keepalive(30.0, 20.0),
                limits=limits,
            ),
        ),
        upstreams={"echo": ECHO},
        defaults=Defaults(timeouts=timeouts, limits=limits),
        shutdown=Shutdown(30.0, 10.0, 1012),
        logging=Logging("info", "text", 200, 1_048_576),
    )


def test_every_key_is_obeyed() -> None:
    text = """
version: 1
listeners:
  - name: public
    bind: ["127.0.0.1:8080", "[::1]:8081"]
    max_connections: 7
    max_connections_per_ip: 3
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
    proxy_protocol: {accept: optional, trusted: [10.0.0.0/8, "fd00::/8"]}
    forwarded: {trusted: [192.0.2.7]}
    flash_policy:
      mode: inline
      allow: [{domain: "*.example.com", ports: [80, 8080]}, {domain: "*", ports: [443]}]
  - bind: [localhost:0]
defaults:
  dialects: [rfc6455, hybi-07..08]
  binary: {encode: base64, decode: hex, text_only: [hybi-07]}
  invalid_utf8: close
  location_scheme: wss
  extensions: none
  unprefixed_headers: true
  origins: {allow: ["https://a.example", "*"], missing: refuse, opaque: refuse}
  timeouts: {handshake: 1s, challenge: 2s, connect: 3s, idle: 4s, close: 5s, send: 6s, lifetime: 7s, response: 8s}
  keepalive: {interval: 8s, timeout: 9s}
  limits:
    {message_size: 5KiB, fragments: 6, message_rate: 7/s, message_rate_action: delay, handshake_rate: 8/m}
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
    rewrite: {strip_prefix: /chat, add_prefix: /v1}
    headers: {set: {X-Client: "{client_ip}", x-b: c}, remove: [Cookie, X-D]}
    dialects: [hixie-75..76]
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
      {message_size: 50KiB, fragments: 60, message_rate: none, message_rate_action: close, handshake_rate: 80/h}
  - match: {path: {prefix: /x}}
    upstream: web
upstreams:
  chat:
    targets: [{url: "wss://10.0.1.11", tls: {ca: ca.pem, server_name: chat, certificate: a.pem, private_key: a.key}}]
    dialect: hixie-76
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
  spare: {targets: [{url: "ws://spare"}]}
shutdown: {drain: 2m, spread: none, close_code: 4000}
logging: {level: debug, format: json, value_length: 50, queue: 64KiB}
"""
    rfc6455 = DIALECTS["rfc6455"]
    tls = TargetTls(
        ca="/etc/wsgateway/ca.pem",
        server_name="chat",
        certificate="/etc/wsgateway/a.pem",
        private_key="/etc/wsgateway/a.key",
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
    assert parse(text, "/etc/wsgateway/f.yaml") == Settings(
        version=1,
        listeners=(
            Listener(
                name="public",
                bind=(Address("127.0.0.1", 8080), Address("::1", 8081)),
                max_connections=7,
                max_connections_per_ip=3,
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
                rewrite=Rewrite("/chat", "/v1"),
                headers=HeaderRules((("X-Client", "{client_ip}"), ("x-b", "c")), ("cookie", "x-d")),
                dialects=named("hixie-75", "hixie-76"),
                binary=Binary("latin-1", "latin-1", named("hybi-08", "rfc6455")),
                invalid_utf8="replace",
                location_scheme="ws",
                extensions="forward",
                unprefixed_headers=False,
                origins=Origins((), missing="allow", opaque="allow"),
                timeouts=Timeouts(10.0, 20.0, 30.0, None, 50.0, 60.0, None, 70.0),
                keepalive=Keepalive(None, 90.0),
                limits=SessionLimits(51_200, 60, 65_536, None, "close", Rate(80, 3600.0)),
            ),
            Route(
                name="route-2",
                match=Match(path=PathMatch(prefix="/x")),
                upstream=web,
                dialects=named("hybi-07", "hybi-08", "rfc6455"),
                binary=Binary("base64", "hex", named("hybi-07")),
                invalid_utf8="close",
                location_scheme="wss",
                extensions="none",
                unprefixed_headers=True,
                origins=Origins(("https://a.example", "*"), missing="refuse", opaque="refuse"),
                timeouts=Timeouts(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
                keepalive=Keepalive(8.0, 9.0),
                limits=SessionLimits(5120, 6, 65_536, Rate(7, 1.0), "delay", Rate(8, 60.0)),
            ),
        ),
        upstreams={
            "chat": chat,
            "pages": pages,
            "web": web,
            "spare": Upstream((Target(Url("spare", 80, "ws://spare")),), rfc6455, name="spare"),
        },
        defaults=Defaults(
            dialects=named("hybi-07", "hybi-08", "rfc6455"),
            binary=Binary("base64", "hex", named("hybi-07")),
            invalid_utf8="close",
            location_scheme="wss",
            extensions="none",
            unprefixed_headers=True,
            origins=Origins(("https://a.example", "*"), missing="refuse", opaque="refuse"),
            timeouts=Timeouts(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
            keepalive=Keepalive(8.0, 9.0),
            limits=SessionLimits(5120, 6, 65_536, Rate(7, 1.0), "delay", Rate(8, 60.0)),
        ),
        shutdown=Shutdown(120.0, None, 4000),
        logging=Logging("debug", "json", 50, 65_536),
    )


def test_a_route_holds_the_very_upstream_that_it_names() -> None:
    settings = parse(SMALL, "f.yaml")
    assert settings.routes[0].upstream is settings.upstreams["echo"]


def test_the_bounds_of_sizes_are_allowed() -> None:
    for head_size, message_size in (("1KiB", "1B"), ("1MiB", "4EiB")):
        listeners = LISTENERS.replace("]}]", f"], limits: {{head_size: {head_size}}}}}]")
        text = "version: 1\n" + listeners + ROUTES + UPSTREAMS
        parse(text + f"defaults: {{limits: {{message_size: {message_size}}}}}\n", "f.yaml")
