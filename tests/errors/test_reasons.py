"""The one list of reasons: its words, and that log, metrics, status and manual have no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wsgateway
from wsgateway.errors import Group, Reason
from wsgateway.observe.metric import OneOf
from wsgateway.observe.series import FAMILIES

PACKAGE = Path(wsgateway.__file__).parent
SOURCES = {file: ast.parse(file.read_text()) for file in sorted(PACKAGE.rglob("*.py"))}
# Every error that an operator is told, and where its constructor has the reason.
ERRORS = {
    "ProtocolError", "HttpRefusal", "UpstreamError", "ClientDisconnectedError", "ServerClose",
}  # fmt: skip
# The events of the log that tell that a client, a session, a target or a change has come to nothing.
EVENTS = {
    "refused", "disconnected", "upstream failed", "session", "http", "target down", "target ejected", "cannot accept",
    "cannot serve", "cannot connect", "name not resolved", "reload refused", "reload not undone", "hot restart failed",
    "signal ignored", "control refused", "bug",
}  # fmt: skip


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in the package, with its place."""
    for file, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield f"{file}:{node.lineno}", node


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_a_name_and_two_sentences(reason: Reason) -> None:
    assert reason.value == reason.name.lower().replace("_", "-")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reason.value)
    for sentence in (reason.cause, reason.cure):
        assert re.fullmatch(r"[A-Z].*[.?]", sentence), sentence
        assert "|" not in sentence, "it stands in a table"
    if reason.group is Group.ENDED:
        assert reason.code == 0 or 1000 <= reason.code < 1016
    else:
        assert reason.code == 0 or 400 <= reason.code < 600


def test_no_reason_is_there_for_nothing() -> None:
    used = {node.attr for tree in SOURCES.values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {reason.name for reason in Reason} <= used


def test_every_error_is_made_with_a_reason_of_the_list() -> None:
    wrong = []
    for place, call in calls():
        if name_of(call.func) not in ERRORS or place.startswith(f"{PACKAGE}/errors/"):
            continue
        first = ast.unparse(call.args[0]) if call.args else ""
        if not re.fullmatch(r"Reason\.[A-Z0-9_]+|(\w+\.)*reason|reason_of\(error\)", first):
            wrong.append(f"{place}: {ast.unparse(call)[:80]}")
    assert not wrong, "\n".join(wrong)


def test_every_line_of_the_log_that_tells_of_a_failure_has_its_reason() -> None:
    wrong, seen = [], set()
    for place, call in calls():
        if not (isinstance(call.func, ast.Attribute) and call.args and isinstance(call.args[0], ast.Constant)):
            continue
        event, of = call.args[0].value, ast.unparse(call.func.value)
        if event not in EVENTS or not of.endswith("log"):
            continue
        seen.add(event)
        told = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg in (None, "reason")]
        if not any("facts" in each or each.startswith("Reason.") or "reason" in each for each in told):
            wrong.append(f"{place}: {ast.unparse(call)[:100]}")
    assert not wrong, "\n".join(wrong)
    # The others are told through a table or a state.
    assert EVENTS - seen <= {
        "refused",
        "disconnected",
        "upstream failed",
        "session",
        "http",
        "target down",
        "target ejected",
    }


def test_no_line_of_the_log_has_a_reason_that_is_not_in_the_list() -> None:
    for place, call in calls():
        for keyword in call.keywords:
            if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant):
                assert keyword.value.value is None or isinstance(keyword.value.value, bytes), place


def test_every_label_of_a_metric_that_says_why_is_a_reason() -> None:
    every = [series for _, several in FAMILIES for series in several]
    named = {series.name: series for series in every if "reason" in series.labels}
    assert set(named) == {"refused", "disconnected", "sessions_ended_by", "target_failures", "last_reload_refused"}
    assert not any({"kind", "why", "cause"} & set(series.labels) for series in every)
    [states] = [step for step in named["last_reload_refused"].path if isinstance(step, OneOf)]
    assert set(states.values) <= {reason.value for reason in Reason}
