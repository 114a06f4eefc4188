"""A small run of the comparison with h11, and what it would do with a difference that nobody has explained."""

import subprocess
import sys

import pytest

from tests.cases import cases
from wsgateway.wire import upgrades
from wsgateway.wire.oddities import EVERY

from .differences import LEFT_REQUESTS, LEFT_RESPONSES, REQUESTS, RESPONSES, Case, Difference, Left, explained
from .heads import ASKED, Tally, run
from .readings import our_request, our_responses, their_request, their_responses

HEADS = 3000


@pytest.fixture(scope="module")
def tally() -> Tally:
    return run(1, HEADS)


def test_the_gateway_reads_and_writes_as_h11_does_but_for_the_differences_in_the_table(tally: Tally) -> None:
    assert tally.faults == []


def test_most_upgrades_are_read_and_written_without_h11(tally: Tally) -> None:
    """Without this, the test above could pass because all is left to h11, or refused."""
    outcomes = tally.outcomes
    assert outcomes["an upgrade, read by us alone"] > 5 * outcomes["an upgrade, read by h11"] > 0
    assert outcomes["an upgrade, read by us alone"] > HEADS / 5
    assert outcomes["refused"] > HEADS / 5
    assert outcomes["no upgrade, read by us alone"] == 0 < outcomes["no upgrade, read by h11"]
    for what in ("101", "request"):
        assert outcomes[f"{what} written by us alone"] > HEADS / 15
        assert outcomes[f"{what} not written"] > HEADS / 15


def test_the_same_seed_makes_the_same_heads(tally: Tally) -> None:
    assert run(1, 300).outcomes == run(1, 300).outcomes != run(2, 300).outcomes


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
MANY = b"X: 1\r\n" * 100


def of_client(data: bytes) -> Case:
    return Case(data, our_request([data], EVERY["client"]), their_request(data))


def of_strict_client(data: bytes) -> Case:
    return Case(data, our_request([data], frozenset()), their_request(data))


def of_server(data: bytes) -> Case:
    return Case(data, our_responses(ASKED, [data]), their_responses(ASKED, data, ended=False))


# Bytes for each row, which no other row explains.
DIFFERENT = {
    "a line ends in LF alone": of_strict_client(HEAD.replace(b"\r\nUp", b"\nUp")),
    "control characters": of_client(HEAD.replace(b"Up", b"Cookie: a\x01b\r\nUp")),
    "a folded line": of_client(HEAD.replace(b"Up", b" x\r\nUp")),
    "another version of HTTP/1": of_client(HEAD.replace(b"1.1", b"1.2")),
    "more than 100 headers": of_client(HEAD.replace(b"Up", MANY + b"Up")),
    "a head of 16 KiB or more": of_client(HEAD.replace(b" a\r\n", b" a\r\nX: " + b"x" * 16 * 1024 + b"\r\n")),
    "empty lines first": of_client(b"\r\n" + HEAD),
    "bytes above 7F in the target": of_client(HEAD.replace(b"GET /", b"GET /\xe9")),
    "an upgrade without Host": of_client(HEAD.replace(b"Host: a\r\n", b"")),
    "a whole address as target, with the name of another host or none": of_client(HEAD.replace(b"/ H", b"ws://b/ H")),
    "a whole address as target": of_client(HEAD.replace(b"/ H", b"ws://a:81 H")),
    "an IPv6 address as Host, without brackets": of_client(HEAD.replace(b": a", b": ::1")),
    "a Host with a form that is refused": of_strict_client(HEAD.replace(b": a", b": a:")),
    "no token first": of_client(b"<policy"),
    "a PROXY header": of_client(HEAD.replace(b"GET", b"PROXY")),
    "several lengths that are equal": of_client(HEAD.replace(b"Up", b"Content-Length: 5\r\nContent-Length: 5\r\nUp")),
    "the case of a transfer coding": of_client(HEAD.replace(b"Up", b"Transfer-Encoding: Chunked\r\nUp")),
}
DIFFERENT_OF_SERVERS = {
    "other bytes than HTTP/ first": of_server(b"X"),
    "more than 100 headers": of_server(SWITCH.replace(b"Up", MANY + b"Up")),
    "a head of more than 16 KiB": of_server(SWITCH.replace(b"Up", b"X: " + b"x" * 17 * 1024 + b"\r\nUp")),
}
LEFT = {
    "another method": of_client(HEAD.replace(b"GET", b"PUT")),
    "a transfer coding": of_client(HEAD.replace(b"Up", b"Transfer-Encoding: chunked\r\nUp")),
    "lengths": of_client(HEAD.replace(b"Up", b"Content-Length: 5, 5\r\nUp")),
}
LEFT_OF_SERVERS = {
    "an interim response first": of_server(b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH),
    "no reason, or another version of HTTP": of_server(SWITCH.replace(b"/1.1", b"/2.1")),
    "control characters": of_server(SWITCH.replace(b"Up", b"X: a\x01b\r\nUp")),
    "a folded line, or LF alone": of_server(SWITCH.replace(b"Up", b"X: a\r\n b\r\nUp")),
    "a length or a transfer coding": of_server(SWITCH.replace(b"Up", b"Content-Length: 0\r\nUp")),
}


@cases(("table", "different"), [(REQUESTS, DIFFERENT), (RESPONSES, DIFFERENT_OF_SERVERS)], ["clients", "servers"])
def test_every_row_explains_something_that_no_other_row_does(
    table: tuple[Difference, ...], different: dict[str, Case]
) -> None:
    assert [row.what for row in table] == list(different)
    for row in table:
        case = different[row.what]
        used, enough = explained(case, table)
        assert ([each.what for each in used], enough) == ([row.what], True)
        assert not explained(case, tuple(each for each in table if each is not row))[1]


@cases(("table", "left"), [(LEFT_REQUESTS, LEFT), (LEFT_RESPONSES, LEFT_OF_SERVERS)], ["clients", "servers"])
def test_every_row_says_what_is_left_to_h11(table: tuple[Left, ...], left: dict[str, Case]) -> None:
    assert {row.what: [each.what for each in table if each.seen(left[row.what])] for row in table} == {
        name: [name] for name in left
    }


def judged(data: bytes, ours: bytes) -> bool:
    """Return whether the table explains that we read other bytes than h11."""
    return explained(Case(data, our_request([ours], frozenset()), their_request(data)), REQUESTS)[1]


@cases(
    "ours",
    [
        HEAD.replace(b"Host: a", b"Host: b"),
        HEAD.replace(b"GET /", b"GET /x"),
        HEAD.replace(b"\r\n\r\n", b"\r\nX: 1\r\n\r\n"),
        HEAD + b"x",
        HEAD[:-1],
        HEAD.replace(b"GET", b"PUT"),
        HEAD.replace(b"Host", b"Host "),
    ],
)
def test_another_reading_than_that_of_h11_is_not_explained(ours: bytes) -> None:
    assert judged(HEAD, HEAD)
    assert not judged(HEAD, ours)
    assert not judged(ours, HEAD)


def test_a_fault_of_ours_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrades, "version_of", lambda head: "1.1")
    assert run(1, 600).faults


def test_the_command_says_what_it_has_seen() -> None:
    command = [sys.executable, "-m", "tests.fuzz.heads", "--heads", "300", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "an upgrade, read by us alone" in done.stdout
    assert done.stdout.endswith("no other difference\n")
