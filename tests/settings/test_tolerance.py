"""`tolerance` of listeners and upstreams: default, all, none, or names."""

from tests.cases import cases
from wsgateway.settings.load import parse
from wsgateway.wire.oddities import DEFAULT, EVERY, Oddity, Tolerance

from .files import report

FILE = """\
version: 1
listeners: [{{bind: ["a:80"]{listener}}}]
routes: [{{match: {{path: {{prefix: /}}}}, upstream: u}}]
upstreams: {{u: {{targets: [{{url: "ws://b"}}]{upstream}}}}}
"""
KEY_FORM, BARE_LF, UNASKED = Oddity.KEY_FORM, Oddity.BARE_LF, Oddity.UNASKED_SUBPROTOCOL


def read(listener: str = "", upstream: str = "") -> tuple[Tolerance, Tolerance]:
    settings = parse(FILE.format(listener=listener, upstream=upstream), "f")
    return settings.listeners[0].tolerance, settings.upstreams["u"].tolerance


def test_the_defaults_are_allowed_if_there_is_no_key() -> None:
    assert read() == (DEFAULT["client"], DEFAULT["upstream"])


@cases(
    ("written", "allowed"),
    [
        ("default", DEFAULT["client"]),
        ("all", EVERY["client"]),
        ("none", frozenset()),
        ("[bare-lf]", {BARE_LF}),
        ("[key-form, bare-lf, key-form]", {KEY_FORM, BARE_LF}),
        ("[default, bare-lf]", DEFAULT["client"] | {BARE_LF}),
        ("[http-1.0]", {Oddity.HTTP_1_0}),
    ],
)
def test_a_listener_allows_what_is_written(written: str, allowed: Tolerance) -> None:
    assert read(listener=f", tolerance: {written}") == (allowed, DEFAULT["upstream"])


@cases(
    ("written", "allowed"),
    [
        ("default", DEFAULT["upstream"]),
        ("all", EVERY["upstream"]),
        ("none", frozenset()),
        ("[unasked-subprotocol]", {UNASKED}),
    ],
)
def test_an_upstream_allows_what_is_written(written: str, allowed: Tolerance) -> None:
    assert read(upstream=f", tolerance: {written}") == (DEFAULT["client"], allowed)


def test_every_name_can_be_written() -> None:
    for each in EVERY["client"]:
        assert read(listener=f", tolerance: [{each}]") == ({each}, DEFAULT["upstream"])
    for each in EVERY["upstream"]:
        assert read(upstream=f", tolerance: [{each}]") == (DEFAULT["client"], {each})


@cases(
    ("written", "said"),
    [
        ("some", "'some' is not a tolerance; write default, all, none, or a list of names"),
        ("true", "true is not a tolerance; write default, all, none, or a list of names"),
        ("[]", "an empty list allows nothing; write none for that"),
        ("[bare-fl]", "'bare-fl' is not a deviation that can be allowed here; did you mean 'bare-lf'?"),
        ("[all]", "'all' is not a deviation that can be allowed here; known are absolute-target,"),
        ("[[bare-lf]]", "a list is not a deviation that can be allowed here; did you mean"),
        ("[1]", "1 is not a deviation that can be allowed here; known are absolute-target,"),
        ("[unasked-subprotocol]", "unasked-subprotocol is what an upstream does; it belongs to upstreams.X.tolerance"),
    ],
)
def test_a_wrong_tolerance_is_reported(written: str, said: str) -> None:
    [line] = report(FILE.format(listener=f", tolerance: {written}", upstream=""))
    assert f"listeners[0].tolerance: {said}" in line


def test_a_deviation_of_clients_is_refused_for_upstreams() -> None:
    [line] = report(FILE.format(listener="", upstream=", tolerance: [bare-lf]"))
    assert "upstreams.u.tolerance: bare-lf is what a client does; it belongs to listeners[].tolerance" in line
