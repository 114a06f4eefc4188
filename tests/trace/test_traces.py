"""Which connections a trace gets, and what it loses if it is read too slowly."""

import socket
from contextlib import ExitStack

import pytest
import trio

from tests.openings import BY_DIALECT
from wsgateway.errors import TooManyTracesError
from wsgateway.trace.traces import (
    ITEMS_AT_ONCE,
    MOST_TRACES,
    MOST_UNDECIDED_BYTES,
    MOST_WAITING,
    MOST_WAITING_CHARACTERS,
    FollowedSession,
    Trace,
    Traces,
)

HEAD = BY_DIALECT["rfc6455"].request


def all_of_them(facts: object) -> bool:
    return True


@pytest.fixture
def traces() -> Traces:
    return Traces(clock=lambda: 5.0)


def heard(followed: FollowedSession, data: bytes) -> None:
    followed._see("client", ">", data)


async def texts(trace: Trace) -> list[str]:
    return [str(item.get("text", item["kind"])) for item in await trace.items()]


async def test_a_session_is_shown_from_its_head_on(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, False) as trace:
        followed = traces.follow()
        heard(followed, HEAD)
        assert followed.decide(object(), {"client": "192.0.2.1:5"})
        found = await trace.items()
        assert found[0] | {"began": 0} == {
            "kind": "session", "session": "0.1", "at": 0.0, "began": 0, "client": "192.0.2.1:5",
        }  # fmt: skip
        assert found[1] == {
            "kind": "line", "session": "0.1", "at": 0.0, "peer": "client", "way": ">", "text": "GET /chat HTTP/1.1",
            "meaning": "",
        }  # fmt: skip


async def test_only_traces_that_want_a_session_get_it(traces: Traces) -> None:
    with (
        traces.begin(lambda facts: facts == "one", 0, False) as one,
        traces.begin(lambda facts: facts == "other", 0, False) as other,
    ):
        followed = traces.follow()
        assert followed.decide("one", {"client": "a"})
        assert not traces.follow().decide("nobody's", {"client": "b"})
        assert await texts(one) == ["session"]
        traces.follow().decide("other", {"client": "c"})
        assert (await other.items())[0]["client"] == "c"


async def test_it_is_decided_once(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, False) as trace:
        followed = traces.follow()
        followed.decide(object(), {})
        assert followed.decide(object(), {})
        assert await texts(trace) == ["session"]


async def test_a_request_that_opened_no_session_is_forgotten(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, False) as trace:
        followed = traces.follow()
        heard(followed, b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n")
        followed.begin_again(HEAD[:10])
        heard(followed, HEAD[10:])
        followed.decide(object(), {})
        shown = await texts(trace)
        assert shown[1] == "GET /chat HTTP/1.1"
        assert "GET /page HTTP/1.1" not in shown


async def test_what_is_kept_before_the_decision_is_bounded(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, True) as trace:
        followed = traces.follow()
        for _ in range(100):
            heard(followed, b"a" * 10_000)
        followed.decide(object(), {})
        followed.end({})
        [line] = [item for item in await trace.items() if item["kind"] == "line"]
        assert line["meaning"] == f"{MOST_UNDECIDED_BYTES} bytes, a head that is not whole"


def test_so_many_traces_may_run_at_once(traces: Traces) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_TRACES):
            stack.enter_context(traces.begin(all_of_them, 0, False))
        with pytest.raises(TooManyTracesError, match="4 traces are running"), traces.begin(all_of_them, 0, False):
            pass
    assert traces.running == []
    with traces.begin(all_of_them, 0, False):
        assert len(traces.running) == 1


async def test_a_trace_that_is_not_read_loses_items_and_is_told_how_many(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, False) as trace:
        followed = traces.follow()
        followed.decide(object(), {})
        for number in range(MOST_WAITING + 4):
            followed.remark(str(number))
        found = []
        while len(found) <= MOST_WAITING:
            items = await trace.items()
            assert len(items) <= ITEMS_AT_ONCE + 1
            found += items
        assert found[-1] == {"kind": "lost", "items": 5}
        assert [item["text"] for item in found[1:-1]] == [str(number) for number in range(MOST_WAITING - 1)]
        followed.remark("after that")
        assert await texts(trace) == ["after that"]


async def test_bytes_for_recordings_that_wait_are_bounded_too(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, True) as trace:
        followed = traces.follow()
        followed.decide(object(), {})
        for _ in range(10):
            followed.remark("a" * (MOST_WAITING_CHARACTERS // 4))
        kinds = [item["kind"] for item in await trace.items()]
        assert kinds == ["session", "remark", "remark", "remark", "lost"]


async def test_a_reader_waits_for_items(traces: Traces) -> None:
    found: list[str] = []
    with traces.begin(all_of_them, 0, False) as trace:

        async def read() -> None:
            found.extend(await texts(trace))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            assert found == []
            traces.follow().decide(object(), {})
    assert found == ["session"]


async def test_an_end_is_shown_with_its_reason_and_nothing_after_it(traces: Traces) -> None:
    with traces.begin(all_of_them, 0, False) as trace:
        followed = traces.follow()
        followed.decide(object(), {})
        followed.end({"by": "client", "reason": "closed", "why": "close 1000"})
        followed.end({"by": "gateway"})
        followed.remark("later")
        heard(followed, b"later")
        assert [item["kind"] for item in await trace.items()] == ["session", "end"]


async def test_when_nobody_traces_any_more_nothing_is_kept_and_the_socket_is_as_before(traces: Traces) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ExitStack() as stack:
        one = stack.enter_context(traces.begin(all_of_them, 0, False))
        with traces.begin(all_of_them, 0, False) as other:
            followed = traces.follow()
            followed.watch(ours, "client")
            assert followed.decide(object(), {})
            theirs.send(HEAD)
            ours.recv(len(HEAD))
        assert (list(other._waiting), other._characters) == ([], 0)
        theirs.send(b"more")
        ours.recv(4)  # one trace is still there
        assert type(ours) is not socket.socket
        stack.close()
        theirs.send(b"more")
        ours.recv(4)
        assert type(ours) is socket.socket
        assert list(one._waiting) == []


def test_a_session_that_no_trace_wants_has_its_socket_as_before(traces: Traces) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, traces.begin(lambda facts: False, 0, False):
        followed = traces.follow()
        followed.watch(ours, "client")
        assert not followed.decide(object(), {})
        assert type(ours) is socket.socket
