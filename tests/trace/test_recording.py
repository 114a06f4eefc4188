"""Recordings on disk: what is written is read again, files are bounded, and strange ones are refused."""

import base64
import json
import stat
from pathlib import Path

import pytest

from wsgateway.errors import RecordingError
from wsgateway.trace import recording
from wsgateway.trace.recording import Recorder, read
from wsgateway.trace.traces import Item

SESSION: Item = {"kind": "session", "session": "0.1", "at": 0.0, "began": 1300000000.5, "dialect": "hixie-76"}
END: Item = {"kind": "end", "session": "0.1", "at": 2.0, "by": "client", "reason": "closed", "why": "close 1000"}


def sent(data: bytes, at: float = 1.0, of: str = "frames", way: str = ">") -> Item:
    text = base64.b64encode(data).decode()
    return {"kind": "bytes", "session": "0.1", "at": at, "peer": "client", "way": way, "of": of, "data": text}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "new" / "folder")


def test_what_is_written_is_read_again(recorder: Recorder) -> None:
    for item in (
        SESSION,
        sent(b"GET / HTTP/1.1\r\n\r\n", 0.0, "head"),
        {"kind": "line", "session": "0.1", "at": 0.0, "text": "GET / HTTP/1.1"},
        sent(b"12345678", 0.5, "proof"),
        {"kind": "frames", "session": "0.1", "at": 0.75, "peer": "client", "framing": "hybi-04", "secret": "0a0b"},
        sent(b"\x00\xff"),
    ):
        assert recorder.take(item) is None
    path = recorder.take(END)
    assert path is not None
    assert path.name == "0.1-hixie-76.jsonl"
    found = read(path)
    assert found.facts["began"] == 1300000000.5
    assert found.end["why"] == "close 1000"
    assert found.whole
    client = found.connections["client"]
    assert client.framing is not None
    assert client.framing.name == "hybi-04"
    assert client.secret == b"\x0a\x0b"
    assert client.bytes_of("head", ">") == b"GET / HTTP/1.1\r\n\r\n"
    assert client.bytes_of("proof", ">") == b"12345678"
    assert [each.at for each in client.chunks] == [0.0, 0.5, 1.0]
    assert found.connections["upstream"].chunks == []


def test_others_cannot_read_a_file_and_none_is_overwritten(recorder: Recorder) -> None:
    paths = []
    for _ in range(3):
        recorder.take(SESSION)
        path = recorder.take(END)
        assert path is not None
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        paths.append(path.name)
    assert paths == ["0.1-hixie-76.jsonl", "0.1-hixie-76-2.jsonl", "0.1-hixie-76-3.jsonl"]


def test_a_file_is_bounded_and_says_so(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_FILE_BYTES", 10_000)
    recorder.take(SESSION)
    paths = [recorder.take(sent(bytes(1000))) for _ in range(20)]
    [path] = filter(None, paths)
    assert path.stat().st_size < 10_100
    assert not read(path).whole
    assert recorder.take(END) is None


def test_a_recording_with_lost_bytes_is_not_whole(recorder: Recorder) -> None:
    recorder.take(SESSION)
    recorder.lost()
    recorder.take(sent(b"a"))
    [path] = recorder.close()
    assert not read(path).whole


def test_the_name_of_a_file_holds_nothing_that_a_client_has_chosen(recorder: Recorder) -> None:
    recorder.take({**SESSION, "dialect": "", "path": "../../x"})
    [path] = recorder.close()
    assert path.name == "0.1-unknown.jsonl"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no recording of version 1"),
        ('{"recording": 2}\n', "no recording of version 1"),
        ("PK\x03\x04", ":1: this is no object of JSON on one line"),
        ('{"recording": 1}\n[]\n', ":2: this is no object of JSON on one line"),
        ('{"recording": 1}\n{"at": 1, "peer": "client", "way": ">", "of": "head", "data": "*"}\n', "bytes that cannot"),
        ('{"recording": 1}\n{"peer": "client", "data": "YQ=="}\n', "bytes that cannot"),
        ('{"recording": 1}\n{"peer": "client", "framing": "hybi-04", "secret": "zz"}\n', "'zz' is not hexadecimal"),
        ('{"recording": 1}\n' + "[" * 100_000, ":2: this is no object of JSON on one line"),
        ('{"recording": 1}\n{"peer": "client", "framing": "hybi-99"}\n', "framing 'hybi-99', which this version"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert why in str(caught.value)


def test_unknown_lines_of_newer_versions_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [{"recording": 1, "new": 1}, {"at": 0, "weather": "good"}, {"at": 1, "peer": "other", "data": "YQ=="}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read(path).connections["client"].chunks == []
