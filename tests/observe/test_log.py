"""The log: what a line looks like, and that a log which cannot be written ends nothing."""

import json
import sys

import pytest

from wsgateway.observe.log import make_log


class Gone:
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_line_of_text_has_its_time_its_level_and_its_event_first(capsys: pytest.CaptureFixture[str]) -> None:
    make_log("info", "text").info("refused", why='a "b"', status=400)
    line = capsys.readouterr().err
    assert line.startswith("timestamp=20")
    assert line.endswith(' level=info event=refused why="a \\"b\\"" status=400\n')


def test_a_line_of_json_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    make_log("info", "json").info("refused", status=400)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["status"]) == ("refused", "info", 400)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_break_in_a_value_begins_no_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    make_log("info", form).info("refused", why="a\nevent=forged")  # type: ignore[arg-type]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_terminal_is_told_nothing_by_what_others_say(capsys: pytest.CaptureFixture[str]) -> None:
    make_log("info", "text").info("refused", why="a\x1b[2J\rb\x00\x9b\u202e", name="Zo\xeb")
    assert capsys.readouterr().err.endswith(" why=a\\x1b[2J\\rb\\x00\\x9b\\u202e name=Zo\xeb\n")


def test_what_is_less_important_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log = make_log("warning", "text")
    log.info("session")
    log.warning("upstream failed")
    assert capsys.readouterr().err.count("event=") == 1


def test_a_log_that_nobody_reads_any_more_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Gone())
    log = make_log("info", "text")
    log.info("session")
    log.exception("bug")
