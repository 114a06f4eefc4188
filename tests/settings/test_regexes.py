"""Regular expressions match a client's text in linear time, with RE2 and without, or are refused."""

import pickle
import re
from typing import Any

import pytest

from tests.cases import cases
from wsgateway.dialects import Headers, Request
from wsgateway.policy.affinity import affinity
from wsgateway.settings.load import parse
from wsgateway.settings.regexes import compiled
from wsgateway.settings.repeats import slow

from .files import LISTENERS, UPSTREAMS

# As long as a head may be without being told otherwise.
LONG = 16 * 1024
PYTHON = re


@pytest.fixture
def re2() -> Any:
    return pytest.importorskip("re2", reason="the extra re2 is not installed")


# Why Python's engine may take long for a pattern. RE2 reads those without a star behind them.
NESTED = "a repeat without bound is inside another one"
ADJACENT = "a repeat without bound stands next to another one"
OVERLAPPING = "two repeats without bound can take the same characters, and so can all in between"
UNCLEAR = "what it repeats can match one text in two ways"
MANY = "its bounded repeats and alternatives can match one text in more than 256 ways"
SLOW = {
    "/(a+)+b": NESTED,
    "(a*)*b": NESTED,
    "([a-z]+)*x": NESTED,
    "(a+?)+?b": NESTED,
    "((a+)b?)+c": NESTED,
    "(a|b*)*c": NESTED,
    "(x+x+)+y": NESTED,
    "^(([a-z])+.)+[A-Z]([a-z])+$": NESTED,
    "(/[a-z]+)*": NESTED,
    "a+a+b": ADJACENT,
    "a*b*": ADJACENT,
    ".*.*b": ADJACENT,
    r"\w+\d+x": ADJACENT,
    "[^/]+[a-z]+x": ADJACENT,
    "a*(b?)a*c": ADJACENT,
    "a*(?:)a*b": ADJACENT,
    "(a+){10}x": UNCLEAR,
    "/(a+|b)a+c": ADJACENT,
    ".*foo.*bar": OVERLAPPING,
    ".*a.*a.*b": OVERLAPPING,
    ".*a[ab]*c": OVERLAPPING,
    "(.*a){20}": UNCLEAR,
    "(.*?,){11}P": UNCLEAR,
    r".*a.*\b": OVERLAPPING,
    ".*a(?:.b)*": OVERLAPPING,
    "(a|aa)+b": UNCLEAR,
    "(?:a|ab|b)*c": UNCLEAR,
    "(ab?b?)+c": UNCLEAR,
    "(a|)+b": UNCLEAR,
    "(a?){30}a{30}": UNCLEAR,
    "([a-z]{1,3})+x": UNCLEAR,
    "(?:(?:[^b]b*?|a)){0,30}c": UNCLEAR,
    "(?:.(?:(?:c{1,9})?|b)c)+": UNCLEAR,
    r"(?:ab(?:\b)?)+c": UNCLEAR,
    "(?i)(?:ab|A)+c": UNCLEAR,
    "a{0,200}a{0,200}a{0,200}b": MANY,
    "a?a?a?a?a?a?a?a?a?aaaaaaaaa": MANY,
    ".*a{0,30}[ab]b": MANY.replace("256", "16"),
}
# Of Python alone.
SLOW_OF_PYTHON = {
    r"(.*)\1x": ADJACENT,
    "(?>(a+)+b)": NESTED,
    "(?=(a+)+b).*": NESTED,
    "a*(?>a*)b": ADJACENT,
    "a*a*+b": ADJACENT,
    "(?:ab(?=c)?)+d": UNCLEAR,
}
QUICK = [
    "", ".*", "/.*", "/room/[0-9]+", "/chat(/.*)?", r".*\.json", "/[a-z]+/[a-z]+", "/[^/]+/[^/]+/ws",
    "/|/chat|/news/.*",
    "/(chat|room)/[0-9]{1,9}", "/a(?:/b)?", ".*/room/[0-9]+", ".*foo.*", "(?i)/chat/.*", "/v[12]/(?:ws|socket)/?",
    "(?:ab)+c", "(?:ab|cd)*", "/[a-z]{1,20}-[a-z]{1,20}", "/[0-9a-f]{8}-[0-9a-f]{4}-.*", "/(foo|far)/x",
    "/[^/]+/([^/]+)/[^/]+/websocket", r"/app/\d+/\w+", "(?:/x){2,5}", "/(.*)/websocket", r"/socket\.io/?.*", "^/chat$",
    "(?P<room>/[a-z]+)/x", r"[^\d]+1", "(a|b)+c", "/(?:[a-z]{3})+",
]  # fmt: skip
QUICK_OF_PYTHON = ["/(?:[a-z]++/)+x", "/(?!admin).*", "/(?>a|aa)+b", r"/(a|b)/\1", "(?:(?-i:a)|B)+c", "(?i:a)+b"]
UNITS = ["a", "ab", "/", "/a", "b", "1", "foo", "a/", "/1-", "x", "/x"]


@cases(("pattern", "why"), [*SLOW.items(), *SLOW_OF_PYTHON.items()], [*SLOW, *SLOW_OF_PYTHON])
def test_without_re2_a_pattern_that_may_take_long_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match="is a regular expression that may take for ever on some paths") as refusal:
        compiled(pattern, PYTHON)
    assert str(refusal.value).endswith(
        f"{pattern!r} is a regular expression that may take for ever on some paths: {why}; with RE2 any pattern is good"
        " (pip install 'wsgateway[re2]')"
    )


@cases("pattern", [*QUICK, *QUICK_OF_PYTHON])
def test_without_re2_a_pattern_that_passes_needs_no_time(pattern: str) -> None:
    """A text that was tried in many ways would take for ever."""
    regex = compiled(pattern, PYTHON)
    for unit in UNITS:
        for end in ("", "!", "c", "x"):
            regex.fullmatch(unit * (LONG // len(unit)) + end)


@cases("pattern", [*SLOW, *QUICK])
def test_with_re2_any_pattern_needs_no_time(pattern: str, re2: Any) -> None:
    regex = compiled(pattern, re2)
    for unit in UNITS:
        for end in ("", "!", "c", "x"):
            regex.fullmatch(unit * (LONG // len(unit)) + end)


MATCHES = [
    ("/room/([0-9]+)", "/room/42", "42"),
    ("/room/([0-9]+)", "/room/42/x", None),
    ("/room/([0-9]+)", "x/room/42", None),
    ("/a(b)?|/c(d)", "/ab", "b"),
    ("(?i)/(chat)", "/CHAT", "CHAT"),
]


def test_both_engines_have_the_same_results(re2: Any) -> None:
    for engine in (PYTHON, re2):
        for pattern, text, group in MATCHES:
            regex = compiled(pattern, engine)
            assert regex.pattern == pattern
            found = regex.fullmatch(text)
            assert (found and found.group(1)) == group


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "'(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("a{99999999999999999999}", "'a{99999999999999999999}' is not a regular expression: the repetition number is"),
        ("(" * 5000, "is not a regular expression"),
    ],
)
def test_a_pattern_that_python_cannot_read_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match="regular expression") as refusal:
        compiled(pattern, PYTHON)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "'(' is not a regular expression of RE2: missing ): ("),
        ("/(?!admin).*", "invalid perl operator: (?!; RE2 has no lookarounds, back references and possessive repeats"),
        (r"(a)\1", "invalid escape sequence: \\1; RE2 has no lookarounds, back references and possessive repeats"),
        ("a++", "bad repetition operator: ++; RE2 has no lookarounds, back references and possessive repeats"),
    ],
)
def test_a_pattern_that_re2_cannot_read_is_refused_with_a_hint(
    pattern: str, said: str, re2: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="regular expression of RE2") as refusal:
        compiled(pattern, re2)
    assert str(refusal.value).endswith(said)
    assert capfd.readouterr().err == ""  # RE2 has a log of its own


@pytest.mark.parametrize("engine", ["python", "re2"])
def test_a_pattern_can_be_handed_to_another_process(engine: str, request: pytest.FixtureRequest) -> None:
    regex = compiled("/(chat)", request.getfixturevalue("re2") if engine == "re2" else PYTHON)
    again = pickle.loads(pickle.dumps(regex))
    assert again.pattern == "/(chat)"
    assert again.fullmatch("/chat").group(1) == "chat"


SEARCHED = "it is looked for at every place, and a repeat in it may go on to the end each time; begin it with ^"


@cases(("pattern", "why"), [
    ("(a+)b", SEARCHED),
    ("([^/]+)/x", SEARCHED),
    (".*(a)b", SEARCHED),
    ("(a+)+b", NESTED),
    ("/[^/]+/[^/]+/([^/]+)/", None),
    ("/x/(.*)", None),
    ("^/.*/(a)b", None),
    ("/room/([0-9]+)", None),
    ("^([^/]+)/x", None),
])  # fmt: skip
def test_what_is_looked_for_anywhere_in_a_path_takes_no_longer(pattern: str, why: str | None, re2: Any) -> None:
    assert slow(pattern, anywhere=True) == why
    engines = [re2] if why else [re2, PYTHON]
    for engine in engines:
        regex = compiled(pattern, engine, anywhere=True)
        for unit in UNITS:
            regex.search(unit * (LONG // len(unit)) + "!")


def test_a_hash_of_the_path_has_such_a_pattern() -> None:
    found = parse(
        f"version: 1\n{LISTENERS}routes: [{{match: {{path: {{prefix: /}}}}, upstream: echo}}]\n"
        "upstreams: {echo: {targets: [{url: 'ws://a'}], balance: {hash: {path: '/x/([a-z]+)'}}}}\n",
        "f.yaml",
    ).upstreams["echo"]
    request = Request("/x/abc/d?/x/e", Headers([]))
    assert affinity(found.balance, request, "192.0.2.1") == "abc"


def test_what_is_no_text_is_no_pattern() -> None:
    with pytest.raises(ValueError, match="7 is not a regular expression; write it in quotes"):
        compiled(7)


def test_a_route_has_such_a_pattern() -> None:
    route = "routes: [{match: {path: {regex: '/room/[0-9]+'}}, upstream: echo}]\n"
    path = parse(f"version: 1\n{LISTENERS}{UPSTREAMS}{route}", "f.yaml").routes[0].match.path
    assert path.matches("/room/42")
    assert not path.matches("/room/42/x")


def test_slowness_is_told_of_python_alone() -> None:
    assert slow("(a+)+") == NESTED
    assert slow("a+") is None
