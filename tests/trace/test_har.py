"""Recordings as archives for the tools of browsers."""

import json

from tests.openings import BY_DIALECT
from wsgateway.dialects import DIALECTS
from wsgateway.trace.har import archive
from wsgateway.trace.recording import Chunk, Connection, Recording

MODERN = BY_DIALECT["rfc6455"]


def recorded(*frames: Chunk, dialect: str = "rfc6455") -> Recording:
    opening = BY_DIALECT[dialect]
    head, end, proof = opening.reply.partition(b"\r\n\r\n")
    chunks = [
        Chunk(0.0, ">", "head", opening.head),
        Chunk(0.25, "<", "head", head + end),
        *([Chunk(0.25, "<", "proof", proof)] if proof else []),
        *frames,
    ]
    client = Connection(chunks, DIALECTS[dialect].framing)
    return Recording({"began": 1300000000.0}, {"client": client, "upstream": Connection()}, {})


def test_an_archive_has_the_handshake_and_the_messages() -> None:
    recording = recorded(
        Chunk(1.0, ">", "frames", MODERN.hello[:3]),
        Chunk(1.5, ">", "frames", MODERN.hello[3:]),
        Chunk(2.0, "<", "frames", b"\x82\x02\xff\x00\x89\x00\x88\x02\x03\xe8"),
    )
    found = archive(recording, "1.0")
    json.dumps(found)
    assert (found["log"]["version"], found["log"]["creator"]["version"]) == ("1.2", "1.0")
    [entry] = found["log"]["entries"]
    assert entry["startedDateTime"] == "2011-03-13T07:06:40+00:00"
    assert entry["request"]["method"] == "GET"
    assert entry["request"]["url"] == "ws://server.example.com/chat"
    assert {"name": "Origin", "value": "http://example.com"} in entry["request"]["headers"]
    assert (entry["response"]["status"], entry["response"]["statusText"]) == (101, "Switching Protocols")
    assert entry["_webSocketMessages"] == [
        {"type": "send", "time": 1300000001.5, "opcode": 1, "data": "Hello"},
        {"type": "receive", "time": 1300000002.0, "opcode": 2, "data": "/wA="},
        {"type": "receive", "time": 1300000002.0, "opcode": 8, "data": "1000"},
    ]


def test_messages_of_an_old_dialect_are_there_too() -> None:
    [entry] = archive(recorded(Chunk(1.0, ">", "frames", b"\x00Hello\xff"), dialect="hixie-76"), "1")["log"]["entries"]
    assert [each["data"] for each in entry["_webSocketMessages"]] == ["Hello"]


def test_messages_end_at_a_frame_that_cannot_be_read() -> None:
    [entry] = archive(recorded(Chunk(1.0, "<", "frames", b"\x81\x01a\x83\x01b\x81\x01c")), "1")["log"]["entries"]
    assert [each["data"] for each in entry["_webSocketMessages"]] == ["a"]


def test_a_session_that_was_refused_has_its_answer() -> None:
    recording = recorded()
    recording.connections["client"] = Connection(
        [
            Chunk(0.0, ">", "head", MODERN.head),
            Chunk(0.1, "<", "head", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\n"),
            Chunk(0.1, "<", "rest", b"no\n"),
        ]
    )
    [entry] = archive(recording, "1")["log"]["entries"]
    assert (entry["response"]["status"], entry["_webSocketMessages"]) == (403, [])


def test_half_a_recording_is_no_fault() -> None:
    recording = recorded()
    recording.connections["client"] = Connection([Chunk(0.0, ">", "rest", b"GET")])
    [entry] = archive(recording, "1")["log"]["entries"]
    assert (entry["request"]["method"], entry["response"]["status"]) == ("", 0)


def test_an_archive_says_that_compressed_messages_are_not_listed() -> None:
    recording = recorded(Chunk(1.0, "<", "frames", bytes.fromhex("c1 07 f2 48 cd c9 c9 07 00")))
    head = recording.connections["client"].chunks[1]
    data = head.data.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    recording.connections["client"].chunks[1] = Chunk(head.at, head.way, head.belongs_to, data)
    [entry] = archive(recording, "1")["log"]["entries"]
    assert entry["_webSocketMessages"] == []
    assert entry["comment"].endswith("; its messages are compressed, and are not listed")
