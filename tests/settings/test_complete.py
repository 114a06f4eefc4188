"""The settings of a small file: keys that are left out have their defaults."""

from tests.dialects.families import NAMES
from wsgateway.dialects import DIALECTS
from wsgateway.settings.basics import Address, Balance, Url
from wsgateway.settings.defaults import Binary, Defaults, Keepalive, Origins, SessionLimits, Timeouts
from wsgateway.settings.health import HealthChecks, PassiveCheck
from wsgateway.settings.listeners import (
    FlashPolicy,
    Forwarded,
    Listener,
    ProxyProtocol,
    RequestLimits,
)
from wsgateway.settings.load import parse
from wsgateway.settings.process import Logging, Shutdown
from wsgateway.settings.routes import HeaderRules, Match, PathMatch, Rewrite, Route
from wsgateway.settings.upstreams import Queue, Resolve, Retry, Target, TargetTls, Upstream
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


def test_a_route_holds_the_very_upstream_that_it_names() -> None:
    settings = parse(SMALL, "f.yaml")
    assert settings.routes[0].upstream is settings.upstreams["echo"]


def test_the_bounds_of_sizes_are_allowed() -> None:
    for head_size, message_size in (("1KiB", "1B"), ("1MiB", "4EiB")):
        listeners = LISTENERS.replace("]}]", f"], limits: {{head_size: {head_size}}}}}]")
        text = "version: 1\n" + listeners + ROUTES + UPSTREAMS
        parse(text + f"defaults: {{limits: {{message_size: {message_size}}}}}\n", "f.yaml")
