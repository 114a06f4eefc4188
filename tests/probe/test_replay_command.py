"""The command `replay`."""

import json
from pathlib import Path

import pytest

from tests.openings import BY_DIALECT
from tests.trace.test_recording import END, SESSION, sent
from wsgateway.cli import main
from wsgateway.trace.recording import Recorder

MODERN = BY_DIALECT["rfc6455"]


@pytest.fixture
def recording(tmp_path: Path) -> str:
    recorder = Recorder(tmp_path)
    path = None
    for item in (SESSION, sent(MODERN.head.replace(b"server.example.com", b"127.0.0.1:1"), 0.0, "head"), END):
        path = recorder.take(item) or path
    assert path is not None
    return str(path)


def test_a_server_that_is_not_there_is_named(recording: str, capsys: pytest.CaptureFixture[str]) -> None:
    # Nobody listens at port 1. Without a URL it is the Host of the recording.
    assert main(["replay", recording]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--side", "upstream"], "{}: name the URL of the server: the recording does not have it\n"),
        (["ws://127.0.0.1:1", "--side", "upstream"], "{}: the recording has no request on this side\n"),
        (["ftp://a"], "'ftp://a' is not an address of the form ws://HOST[:PORT][/PATH], or wss://;"),
    ],
)
def test_what_cannot_be_played_is_told(
    arguments: list[str], why: str, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", recording, *arguments]) == 1
    assert capsys.readouterr().err.startswith(why.format(recording))


def test_a_file_that_is_no_recording_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.jsonl"
    assert main(["replay", str(file), "ws://a"]) == 1
    assert capsys.readouterr().err == f"{file}: cannot be read: No such file or directory\n"
    file.write_text(json.dumps({"a": 1}))
    assert main(["replay", str(file), "ws://a"]) == 1
    assert "no recording of version 1" in capsys.readouterr().err
