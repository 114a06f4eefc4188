"""Old libraries on one side of the gateway, as clients and as servers, and `websockets` on the other."""

import base64
from collections.abc import Callable, Mapping

import pytest

from tests.dialects.families import RFC, WITH_CODES

from .ends import End, Event, OldEnd
from .libraries import SPEAKERS, Speaker
from .meetings import BASE64, Meetings
from .scenario import BINARIES, BURST, TEXTS

# The most that Protocol::WebSocket takes.
MOST_BYTES = 65536
# The gateway reads no less at a time, if that much is there, so a frame of this size arrives in one piece.
ONE_PIECE_BYTES = 500


def every(which: Callable[[Speaker], bool] = lambda speaker: True) -> pytest.MarkDecorator:
    """Return a mark for all libraries and dialects that can do this."""
    return pytest.mark.parametrize("speaker", [each for each in SPEAKERS if which(each)], ids=str)


def up_to(most_bytes: int, messages: Mapping[str, str] | Mapping[str, bytes]) -> dict[str, str | bytes]:
    sizes = {name: len(each.encode() if isinstance(each, str) else each) for name, each in messages.items()}
    return {name: each for name, each in messages.items() if sizes[name] <= most_bytes}


def passed_on(sender: End, receiver: End, messages: Mapping[str, str | bytes]) -> dict[str, object]:
    """Return what the receiver gets of each message: "same", or its beginning if it differs."""
    seen: dict[str, object] = {}
    for name, message in messages.items():
        if isinstance(message, str):
            sender.text(message)
        else:
            sender.binary(message)
        heard = receiver.next()
        kind = "text" if isinstance(message, str) else "binary"
        seen[name] = "same" if heard == (kind, message) else repr(heard)[:200]
    return seen


def until_the_end(old: OldEnd) -> list[Event]:
    """Return all events up to the end of a closing."""
    events = [old.next()]
    while events[-1] != ("end",):
        events.append(old.next())
    return events


def closing(speaker: Speaker, code: int, reason: str) -> list[Event]:
    """Return what a library reports of such a closing."""
    if speaker.dialect == "hixie-75":
        return [("end",)]  # there is no closing frame
    if (speaker.library, speaker.dialect) == ("em-websocket", "hixie-76"):
        return [("end",)]  # it does not tell of the closing frame
    return [("close", None, "") if speaker.dialect not in WITH_CODES else ("close", code, reason), ("end",)]


@every()
def test_text_of_every_size_arrives_both_ways(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        texts = up_to(MOST_BYTES, TEXTS)
        assert passed_on(old, modern, texts) == dict.fromkeys(texts, "same")
        if speaker.loses_pieces:
            texts = up_to(ONE_PIECE_BYTES, TEXTS)
        assert passed_on(modern, old, texts) == dict.fromkeys(texts, "same")


@every()
def test_messages_without_a_pause_between_them_arrive_in_order_both_ways(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        ways: list[tuple[End, End]] = [(old, modern)] if speaker.loses_pieces else [(old, modern), (modern, old)]
        for sender, receiver in ways:
            for text in BURST:
                sender.text(text)
            assert [receiver.next() for _ in BURST] == [("text", text) for text in BURST]


@every(lambda speaker: not speaker.is_hixie)
def test_binary_messages_arrive_both_ways(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        binaries = up_to(MOST_BYTES, BINARIES)
        assert passed_on(old, modern, binaries) == dict.fromkeys(binaries, "same")
        if speaker.loses_pieces:
            binaries = up_to(ONE_PIECE_BYTES, BINARIES)
        assert passed_on(modern, old, binaries) == dict.fromkeys(binaries, "same")


@every(lambda speaker: speaker.is_hixie)
def test_a_route_may_turn_the_binary_messages_of_the_modern_side_into_text_for_hixie_and_back(
    speaker: Speaker, meetings: Meetings
) -> None:
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    with meetings.meeting(speaker, under=BASE64) as (old, modern):
        modern.binary(data)
        assert old.next() == ("text", text)
        old.text(text)
        assert modern.next() == ("binary", data)


@every(lambda speaker: speaker.is_hixie)
def test_without_an_encoding_a_binary_message_for_hixie_ends_the_session(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.binary(b"\xff")
        assert modern.next() == ("close", 1003, "")
        assert all(kind in {"close", "end"} for kind, *_ in until_the_end(old))


@every(lambda speaker: not speaker.loses_pieces)
def test_fragments_of_the_modern_side_are_one_message_to_the_library(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.fragments("Hel", "lo €")
        assert old.next() == ("text", "Hello €")


@every(lambda speaker: speaker.kind.sends_fragments and not speaker.is_hixie)
def test_fragments_of_the_library_are_one_message_to_the_modern_side(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        old.fragments("Hel", "", "lo €")
        assert modern.next() == ("text", "Hello €")


@every()
def test_a_ping_of_the_modern_side_is_answered(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (_old, modern):
        modern.ping(b"mark")


@every(lambda speaker: not speaker.is_hixie)
def test_a_ping_of_the_library_is_answered(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, _modern):
        old.ping(b"mark")


@every()
def test_the_modern_side_closes(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.close(1001, "bye")

        assert until_the_end(old) == closing(speaker, 1001, "bye")
        answer: Event = ("close", 1001, "bye")
        if speaker.dialect == "hixie-75":
            answer = ("close", 1001, "")  # by the gateway, since nobody else will
        elif speaker.dialect not in WITH_CODES:
            answer = ("close", None, "")
        elif speaker.library == "em-websocket":
            answer = ("close", 1001, "")  # it repeats no reason
        assert modern.next() == answer


@every()
def test_the_library_closes(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        old.close(1000, "done")

        assert modern.next() == (("close", None, "") if speaker.dialect not in WITH_CODES else ("close", 1000, "done"))
        assert until_the_end(old) == closing(speaker, 1000, "done")


@every(lambda speaker: speaker.dialect in WITH_CODES and speaker.dialect not in RFC)
def test_a_close_code_that_a_draft_does_not_have_does_not_reach_its_library(
    speaker: Speaker, meetings: Meetings
) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.close(1012, "restart")

        assert until_the_end(old) == [("close", None, ""), ("end",)]


@every(lambda speaker: speaker.dialect in {"hybi-07", "hybi-08"})
@pytest.mark.parametrize("code", [1008, 1009, 1011])
def test_a_code_of_draft_12_reaches_libraries_of_versions_7_and_8(
    code: int, speaker: Speaker, meetings: Meetings
) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.close(code, "sorry")

        assert until_the_end(old) == [("close", code, "sorry"), ("end",)]


@every(lambda speaker: speaker.dialect == "hybi-06")
def test_too_big_has_another_code_in_draft_06(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.close(1009, "too big")

        assert until_the_end(old) == [("close", 1004, "too big"), ("end",)]


@every(lambda speaker: not speaker.chooses_nothing)
def test_both_ends_get_the_subprotocol_that_they_agree_on(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker, subprotocol="chat") as (old, modern):
        assert (old.subprotocol, modern.subprotocol) == ("chat", "chat")
