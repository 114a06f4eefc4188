"""The log: what a line looks like, and how long it may be."""

import json
import os
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path

import pytest
import structlog

from wsgateway.observe.log import TRACEBACK_CHARACTERS, Log, Logger, Whole, log_at, make_log
from wsgateway.observe.writer import Writer
from wsgateway.settings.process import Format, Logging

Said = Callable[[], str]


@pytest.fixture
def made() -> Iterator[Callable[..., tuple[Log, Said]]]:
    """Return a function that makes a log, and returns another one that returns all that it has written."""
    fds: list[int] = []

    def make(*logging: str, **more: int) -> tuple[Log, Said]:
        reader, fd = os.pipe()
        fds.extend((reader, fd))
        writer = Writer(fd)

        def said() -> str:
            assert writer.drain(10.0)
            return os.read(reader, 1 << 20).decode()

        return make_log(Logging(*logging, **more), writer), said  # type: ignore[arg-type]

    yield make
    for fd in fds:
        os.close(fd)


Make = Callable[..., tuple[Log, Said]]


def test_a_line_of_text_has_its_time_its_level_and_its_event_first(made: Make) -> None:
    log, said = made("info", "text")
    log.info("refused", why='a "b"', status=400)
    line = said()
    assert line.startswith("timestamp=20")
    assert line.endswith(' level=info event=refused why="a \\"b\\"" status=400\n')


def test_a_line_of_json_is_an_object(made: Make) -> None:
    log, said = made("info", "json")
    log.info("refused", status=400)
    line = json.loads(said())
    assert (line["event"], line["level"], line["status"]) == ("refused", "info", 400)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_break_in_a_value_begins_no_line(form: Format, made: Make) -> None:
    log, said = made("info", form)
    log.info("refused", why="a\nevent=forged")
    assert said().count("\n") == 1


def test_texts_of_others_reach_a_terminal_without_control_characters(made: Make) -> None:
    log, said = made("info", "text")
    log.info("refused", why="a\x1b[2J\rb\x00\x9b\u202e", name="Zo\xeb")
    assert said().endswith(" why=a\\x1b[2J\\rb\\x00\\x9b\\u202e name=Zo\xeb\n")


def test_lines_below_the_level_are_not_logged(made: Make) -> None:
    log, said = made("warning", "text")
    log.info("session")
    log.warning("upstream failed")
    assert said().count("event=") == 1


# -- what is long ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_long_value_is_cut_in_its_middle(form: Format, made: Make) -> None:
    log, said = made("info", form)
    log.info("refused", why="begin" + "x" * 70_000 + "end", status=400)
    line = said()
    value = json.loads(line)["why"] if form == "json" else line.partition('why="')[2].partition('"')[0]
    assert value == "begin" + "x" * 141 + " [...] " + "x" * 44 + "end"
    assert len(value) == 200
    assert "400" in line.partition("end")[2]


def test_a_value_of_the_greatest_length_is_not_cut(made: Make) -> None:
    log, said = made("info", "text")
    log.info("refused", why="x" * 200)
    assert said().endswith(f" why={'x' * 200}\n")


def test_a_value_whose_characters_are_spelled_out_is_no_longer_than_others(made: Make) -> None:
    log, said = made("info", "text")
    log.info("refused", why="\x85" * 7_000)
    assert said().count("x85") <= 200 / len("\\x85")


def test_the_settings_limit_the_length_of_a_value(made: Make) -> None:
    log, said = made("info", "json", value_characters=50)
    log.info("refused", why="x" * 51)
    assert len(json.loads(said())["why"]) == 50


def test_a_text_of_the_operator_is_not_cut(made: Make) -> None:
    log, said = made("info", "json")
    log.info("reload refused", why=Whole("x" * 5_000))
    assert json.loads(said())["why"] == "x" * 5_000


def test_a_traceback_may_be_longer_than_other_values_and_has_a_limit(made: Make) -> None:
    log, said = made("info", "json")
    try:
        raise ValueError("x" * 100_000)
    except ValueError:
        log.exception("bug")
    traceback = json.loads(said())["exception"]
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert len(traceback) == TRACEBACK_CHARACTERS


# -- the log of a program ----------------------------------------------------------------------------------------


def test_a_logger_of_structlog_is_a_log() -> None:
    lines: list[dict[str, object]] = []

    def take(_: object, level: str, line: MutableMapping[str, object]) -> str:
        lines.append({"level": level, **line})
        raise structlog.DropEvent

    log: Log = structlog.wrap_logger(None, [take], structlog.make_filtering_bound_logger("info"))
    log.debug("not important")
    log.info("opened", route="a")
    log_at(log, "warning", "refused", status=400)
    log.exception("bug")
    assert lines == [
        {"level": "info", "event": "opened", "route": "a"},
        {"level": "warning", "event": "refused", "status": 400},
        {"level": "error", "event": "bug", "exc_info": True},
    ]


# -- the journal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_for_the_journal_begins_with_its_priority(
    form: Format, made: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # sd-daemon(3): as in syslog(3), 3 is an error, 4 a warning, 6 information and 7 for debugging.
    file = tmp_path / "journal"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT)
    monkeypatch.setenv("JOURNAL_STREAM", f"{os.fstat(fd).st_dev}:{os.fstat(fd).st_ino}")
    writer = Writer(fd)
    log = make_log(Logging("debug", form), writer)
    log.debug("a")
    log.info("a")
    log.warning("a")
    log.error("a")
    log.exception("a")
    assert writer.drain(10.0)
    lines = file.read_text().splitlines()
    assert [line[:3] for line in lines] == ["<7>", "<6>", "<4>", "<3>", "<3>"]
    assert all(line[3] == ("t" if form == "text" else "{") for line in lines)
    os.close(fd)
    # Another stream is not the journal, though the variable is there: a pipe, or a file.
    other, said = made("info", form)
    other.info("a")
    assert not said().startswith("<")


# -- who does not read -------------------------------------------------------------------------------------------


def test_a_log_that_is_read_again_says_how_many_lines_were_lost() -> None:
    reader, fd = os.pipe()
    writer = Writer(fd)
    log = make_log(Logging("error", queue_bytes=1000), writer)
    log.error("too long", why=Whole("x" * 1000))
    log.error("next")
    lines: list[str] = []
    while len(lines) < 2:
        lines += os.read(reader, 65536).decode().splitlines()
    assert lines[0].endswith(" event=next")
    assert lines[1].endswith(' level=error event="log lines dropped" lines=1')
    for each in (reader, fd):
        os.close(each)


def levelled(levels: dict[str, str], *lines: tuple[str, dict[str, str]]) -> list[str]:
    """Return the levels of the lines that are written, of lines with a level and facts."""
    written: list[str] = []
    log = Logger("info", lambda level, event, facts: written.append(level))
    log.use(levels)  # type: ignore[arg-type]
    for level, facts in lines:
        getattr(log, level)("event", **facts)
    return written


@pytest.mark.parametrize(
    ("levels", "facts", "expected"),
    [
        ({}, {}, ["info", "error"]),
        ({"": "error"}, {}, ["error"]),
        ({"": "debug"}, {}, ["debug", "info", "error"]),
        ({"192.0.2.0/24": "debug"}, {"client": "192.0.2.7:50123"}, ["debug", "info", "error"]),
        ({"192.0.2.0/24": "debug"}, {"client": "192.0.3.7:50123"}, ["info", "error"]),
        ({"192.0.2.0/24": "debug"}, {"client": "unix"}, ["info", "error"]),
        ({"192.0.2.0/24": "debug"}, {"client": "admin"}, ["info", "error"]),
        ({"192.0.2.0/24": "debug"}, {}, ["info", "error"]),
        ({"192.0.2.0/24": "error"}, {"client": "192.0.2.7:50123"}, ["error"]),
        ({"192.0.2.0/24": "error", "192.0.2.7": "debug"}, {"client": "192.0.2.7:1"}, ["debug", "info", "error"]),
        ({"192.0.2.7": "debug", "192.0.2.0/24": "error"}, {"client": "192.0.2.7:1"}, ["debug", "info", "error"]),
        ({"2001:db8::/32": "debug"}, {"client": "[2001:db8::1]:443"}, ["debug", "info", "error"]),
        ({"unix": "debug"}, {"client": "unix"}, ["debug", "info", "error"]),
        # Behind a trusted proxy the client's own address counts.
        ({"192.0.2.7": "debug"}, {"client": "10.0.0.1:1", "forwarded_for": "192.0.2.7"}, ["debug", "info", "error"]),
        ({"10.0.0.1": "debug"}, {"client": "10.0.0.1:1", "forwarded_for": "192.0.2.7"}, ["info", "error"]),
    ],
)
def test_levels_can_be_changed_for_all_lines_and_for_those_about_some_clients(
    levels: dict[str, str], facts: dict[str, str], expected: list[str]
) -> None:
    assert levelled(levels, *((level, facts) for level in ("debug", "info", "error"))) == expected
