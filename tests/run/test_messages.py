"""The messages between the processes of a gateway, in JSON, and messages of other versions."""

import json
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from wsgateway.census.tally import Counts
from wsgateway.run.adjustments import Adjustments
from wsgateway.run.messages import (
    Adjust,
    Ask,
    CensusCounts,
    Configure,
    Counted,
    Drain,
    End,
    Forget,
    GatewayCounts,
    HandOver,
    More,
    Part,
    Refused,
    SendStatus,
    Serving,
    StatusReport,
    Stay,
    TakeOver,
    ToldToEnd,
    ToWorker,
    Up,
    from_worker,
    to_worker,
)
from wsgateway.settings.process import Level

TO_WORKER = [
    (
        Configure(
            do="serve",
            file="f",
            text="t",
            directory=None,
            version="v",
            workers=2,
            sockets=[("127.0.0.1:0", 1)],
            process=7,
            drained=[("chat", "ws://a")],
            levels=[("10.0.0.0/8", "debug")],
        ),
        {
            "do": "serve",
            "file": "f",
            "text": "t",
            "directory": None,
            "version": "v",
            "workers": 2,
            "sockets": [["127.0.0.1:0", 1]],
            "process": 7,
            "drained": [["chat", "ws://a"]],
            "levels": [["10.0.0.0/8", "debug"]],
        },
    ),
    (Drain(others_accept=True), {"do": "drain", "others_accept": True}),
    (Stay(), {"do": "stay"}),
    (End(), {"do": "end"}),
    (SendStatus(), {"do": "report"}),
    (
        Adjust(drained=[("chat", "ws://a")], levels=[("", "warning")]),
        {"do": "adjust", "drained": [["chat", "ws://a"]], "levels": [["", "warning"]]},
    ),
    (
        Ask(number=3, command="sessions", arguments={"limit": 5}),
        {"do": "ask", "number": 3, "command": "sessions", "arguments": {"limit": 5}},
    ),
    (More(number=3), {"do": "more", "number": 3}),
    (Forget(number=3), {"do": "forget", "number": 3}),
]
FROM_WORKER = [
    (Up(), {"is": "up"}),
    (Serving(), {"is": "serving"}),
    (Refused(why="no room"), {"is": "refused", "reason": "worker-failed", "why": "no room"}),
    (
        StatusReport(age=0.5, lag=0.25, status={"policies": 1}),
        {"is": "report", "age": 0.5, "lag": 0.25, "status": {"policies": 1}, "refusals": []},
    ),
    (
        StatusReport(age=0.5, status={}, refusals=[{"at": 1.5, "reason": "route-missing", "status": 404, "why": ""}]),
        {
            "is": "report",
            "age": 0.5,
            "lag": 0.0,
            "status": {},
            "refusals": [{"at": 1.5, "reason": "route-missing", "status": 404, "why": ""}],
        },
    ),
    (
        CensusCounts(counts=[{"profile": {"dialect": "hixie-76"}, "oddities": [], "open": 1}]),
        {"is": "census", "counts": [{"profile": {"dialect": "hixie-76"}, "oddities": [], "open": 1}]},
    ),
    (ToldToEnd(), {"is": "told to end"}),
    (
        Part(number=3, items=[{"id": "7-1", "since": 1.5}]),
        {"is": "part", "number": 3, "items": [{"id": "7-1", "since": 1.5}], "ok": None, "findings": [], "facts": {}},
    ),
    (
        Part(number=3, ok=False, findings=["no"], facts={"open": 2}),
        {"is": "part", "number": 3, "items": [], "ok": False, "findings": ["no"], "facts": {"open": 2}},
    ),
]


@pytest.mark.parametrize(("message", "said"), TO_WORKER)
def test_a_message_to_a_worker_is_one_object(message: ToWorker, said: dict[str, object]) -> None:
    assert json.loads(json.dumps(message.said())) == said
    assert to_worker(said) == message
    assert to_worker(said | {"newer": 7}) == message


@pytest.mark.parametrize(("message", "said"), FROM_WORKER)
def test_a_message_of_a_worker_is_one_object(message: Up, said: dict[str, object]) -> None:
    assert json.loads(json.dumps(message.said())) == said
    assert from_worker(said) == message
    assert from_worker(said | {"newer": 7}) == message


async def test_the_message_of_a_hot_restart_names_the_sockets_and_what_operators_have_changed(
    autojump_clock: MockClock,
) -> None:
    said: dict[str, object] = {
        "do": "take over",
        "sockets": [["unix:/run/a.sock", 1]],
        "processes": 9,
        "drained": [["a", "ws://b"]],
        "levels": [["", "error"], ["10.0.0.0/8", "debug"]],
        "level_seconds": [["10.0.0.0/8", 60.0]],
    }
    levels: dict[str, Level] = {"": "error", "10.0.0.0/8": "debug"}
    adjustments = Adjustments(frozenset({("a", "ws://b")}), levels, {"10.0.0.0/8": trio.current_time() + 60})
    sent = TakeOver.of([("unix:/run/a.sock", 1)], 9, adjustments)
    assert json.loads(json.dumps(sent.said())) == said
    assert TakeOver.read(said) == sent
    await trio.sleep(5)
    assert sent.adjustments == replace(adjustments, ends={"10.0.0.0/8": trio.current_time() + 60})
    old = {name: said[name] for name in ("do", "sockets", "processes")}
    assert TakeOver.read(old).adjustments == Adjustments(), "another version says less"


def test_the_messages_of_a_hot_restart_about_the_census_are_objects() -> None:
    counts: list[Counts] = [{"profile": {"dialect": "hixie-76"}, "oddities": [], "open": 1}]
    assert HandOver(restarts=2).said() == {"do": "hand over", "restarts": 2, "status": {}, "refusals": []}
    assert GatewayCounts(status={"policies": 1}).said() == {"do": "add", "restarts": 0, "status": {"policies": 1}}
    for message, said in [
        (Counted(source="worker 7", counts=counts), {"do": "count", "source": "worker 7", "counts": counts}),
        (Counted(source="worker 7", counts=None), {"do": "count", "source": "worker 7", "counts": None}),
    ]:
        assert json.loads(json.dumps(message.said())) == said
        assert Counted.read(said) == message


def test_unknown_messages_of_another_version_are_ignored() -> None:
    for said in ({"do": "dance"}, {"do": "drain"}, {"do": "drain", "others_accept": "perhaps"}, {}):
        assert to_worker(said) is None
    for said in ({"is": "dancing"}, {"is": "refused"}, {"is": "report", "age": 1.0, "status": {"opened": 7}}, {}):
        assert from_worker(said) is None


def test_figures_that_another_version_counts_are_kept() -> None:
    said = {"is": "report", "age": 1.0, "status": {"policies": 1, "newer": {"a": 1}, "pools": {}}}
    message = from_worker(said)
    assert isinstance(message, StatusReport)
    assert message.status == {"policies": 1, "newer": {"a": 1}, "pools": {}}
