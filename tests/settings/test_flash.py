"""The Flash policy of a listener, and reports of mistakes in it."""

import pytest

from wsgateway.settings.listeners import FlashGrant, FlashPolicy
from wsgateway.settings.load import parse

from .files import ROUTES, UPSTREAMS, report

LISTENERS = 'listeners:\n  - bind: ["127.0.0.1:8080"]\n    flash_policy: '
NO_LIST = "is not a list; write '- ' before each member, or brackets around all"


def whole(flash_policy: str) -> str:
    """Return a file whose listener has this policy, in line 6."""
    return f"version: 1\n{ROUTES}{UPSTREAMS}{LISTENERS}{flash_policy}\n"


@pytest.mark.parametrize(
    ("flash_policy", "expected"),
    [
        ("{}", FlashPolicy("none", ())),
        ("{mode: none}", FlashPolicy("none", ())),
        ("{mode: inline}", FlashPolicy("inline", ())),
        ("{mode: only, allow: []}", FlashPolicy("only", ())),
        ("{allow: [{domain: '*', ports: [1]}]}", FlashPolicy("none", (FlashGrant("*", (1,)),))),
        (
            "{mode: inline, allow: [{domain: '*.example.com', ports: [8080, 65535]}, {domain: a, ports: [80]}]}",
            FlashPolicy("inline", (FlashGrant("*.example.com", (8080, 65535)), FlashGrant("a", (80,)))),
        ),
    ],
)
def test_a_policy_is_a_mode_and_pages_with_their_ports(flash_policy: str, expected: FlashPolicy) -> None:
    assert parse(whole(flash_policy), "f.yaml").listeners[0].flash_policy == expected


def test_each_listener_has_its_own_policy() -> None:
    text = whole("{mode: only}") + '  - bind: ["127.0.0.1:8081"]\n'
    assert [each.flash_policy.mode for each in parse(text, "f.yaml").listeners] == ["only", "none"]


AT = "listeners[0].flash_policy"
NO_DOMAIN = "is not a domain; write a name, *.NAME, an IP address, or * alone, without scheme, port or path"


@pytest.mark.parametrize(
    ("flash_policy", "said"),
    [
        ("inline", [f"19: {AT}: 'inline' is not a mapping; write 'key: value' in it"]),
        ("true", [f"19: {AT}: true is not a mapping; write 'key: value' in it"]),
        ("", [f"18: {AT}: an empty value is not a mapping; write 'key: value' in it"]),
        ("{mode: inlin}", [f"26: {AT}.mode: 'inlin' is unknown; did you mean 'inline'?"]),
        ("{mode: on}", [f"26: {AT}.mode: 'on' is unknown; did you mean 'only'?"]),
        ("{mode: true}", [f"26: {AT}.mode: true is unknown; known are none, inline, only"]),
        ("{mode: 843}", [f"26: {AT}.mode: 843 is unknown; known are none, inline, only"]),
        ("{port: 843}", [f"20: {AT}.port: this key is unknown; known are mode, allow"]),
        ("{allow: '*'}", [f"27: {AT}.allow: '*' {NO_LIST}"]),
        ("{allow: {domain: a, ports: [1]}}", [f"27: {AT}.allow: a mapping {NO_LIST}"]),
        ("{allow: ['*']}", [f"28: {AT}.allow[0]: '*' is not a mapping; write 'key: value' in it"]),
        ("{allow: [{}]}", [f"28: {AT}.allow[0]: 'domain' is missing", f"28: {AT}.allow[0]: 'ports' is missing"]),
        ("{allow: [{domain: a}]}", [f"28: {AT}.allow[0]: 'ports' is missing"]),
        ("{allow: [{domain: a, ports: [1], port: 1}]}", [
            f"52: {AT}.allow[0].port: this key is unknown; did you mean 'ports'?",
        ]),
        ("{allow: [{domain: a, ports: [1]}, {domain: 'a b', ports: [0]}]}", [
            f"62: {AT}.allow[1].domain: 'a b' {NO_DOMAIN}",
            f"77: {AT}.allow[1].ports[0]: 0 is not a port; write a number from 1 to 65535",
        ]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_policy_is_named_with_its_place(flash_policy: str, said: list[str]) -> None:
    assert report(whole(flash_policy)) == [f"f.yaml:6:{each}" for each in said]


NO_PORT = "is not a port; write a number from 1 to 65535"


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ("[]", ": it is empty, at least one member is needed"),
        ("80", f": 80 {NO_LIST}"),
        ("'*'", f": '*' {NO_LIST}"),
        ("~", f": an empty value {NO_LIST}"),
        ("[0]", f"[0]: 0 {NO_PORT}"),
        ("[-1]", f"[0]: -1 {NO_PORT}"),
        ("[65536]", f"[0]: 65536 {NO_PORT}"),
        ("['*']", f"[0]: '*' {NO_PORT}"),
        ("[true]", f"[0]: true {NO_PORT}"),
        ("['80']", f"[0]: '80' {NO_PORT}"),
        ("[8.5]", f"[0]: '8.5' {NO_PORT}"),
        ("[80-90]", f"[0]: '80-90' {NO_PORT}"),
        ("[~]", f"[0]: an empty value {NO_PORT}"),
        ("[[80]]", f"[0]: a list {NO_PORT}"),
    ],
)
def test_ports_are_a_list_of_numbers(ports: str, said: str) -> None:
    column = 48 if said.startswith("[0]") else 47
    assert report(whole(f"{{allow: [{{domain: a, ports: {ports}}}]}}")) == [
        f"f.yaml:6:{column}: {AT}.allow[0].ports{said}"
    ]
