"""The command `trace`."""

import argparse
import json
import sys
from pathlib import Path
from typing import cast

import wsgateway
from wsgateway.commands import FAULT, GOOD, print_errors
from wsgateway.commands.remote import HOW_FOUND, add_control, add_filter, ask, failed, filter_of
from wsgateway.run.request_kinds import MOST_PAYLOAD_BYTES
from wsgateway.run.requests import Item
from wsgateway.trace.har import archive
from wsgateway.trace.recording import Recorder, read
from wsgateway.trace.traces import Way
from wsgateway.trace.transcript import Line, printable

_NOT_SHOWN = ("kind", "session", "at", "began", "listener")


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Print what goes over the wire in the sessions of a running gateway, on both sides, with its meaning, from the"
        " head of each session on: > goes to the server, < comes from it. Sessions that are open already are not shown."
        " Cookies, Authorization and the names of `trace.redact_query` are hidden."
        " Ctrl-C ends it, and finishes its files."
        f" Options choose sessions; all of them must hold.{HOW_FOUND}"
    )
    add_control(parser, timeout=None)
    add_filter(parser, "target")
    parser.add_argument("--next", action="store_true", help="end with the first session that matches")
    parser.add_argument(
        "--payload",
        metavar="BYTES",
        type=_payload,
        default=0,
        help=f"show so much of a message, at most {MOST_PAYLOAD_BYTES}; default: 0",
    )
    parser.add_argument(
        "--record",
        metavar="DIR",
        type=Path,
        help="write two files for each session into this directory, with all messages: one for `wsgateway replay`, and"
        " one for the tools of browsers (HAR)",
    )
    parser.add_argument("--json", action="store_true", help="print each line as an object of JSON")
    parser.set_defaults(command=_trace)


def _payload(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= MOST_PAYLOAD_BYTES:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {MOST_PAYLOAD_BYTES}")


class _DoneError(Exception):
    """Everything that was asked for is here, or cannot be written: then the text says why."""


class _Viewer:
    """A reader of the items of a trace, which prints and records them."""

    def __init__(self, options: argparse.Namespace, recorder: Recorder | None) -> None:
        self._options = options
        self._recorder = recorder
        self._only: str | None = None  # the first session, if only that is wanted
        self._watches = False

    def take(self, items: list[Item]) -> None:
        """Print and record items. Raise _DoneError after the last one, and if a file cannot be written."""
        for item in items:
            self._take(item)
        sys.stdout.flush()

    def _take(self, item: Item) -> None:
        session = item.get("session")
        if self._options.next and isinstance(session, str):
            self._only = self._only or session
            if session != self._only:
                return
        if item["kind"] == "watching":
            if not self._watches:  # each worker says it
                print("waiting for sessions", file=sys.stderr)
            self._watches = True
            return
        self._record(item)
        if item["kind"] not in ("bytes", "frames"):
            print(json.dumps(item) if self._options.json else _text(item))
        if self._options.next and item["kind"] == "end":
            raise _DoneError

    def _record(self, item: Item) -> None:
        if self._recorder is None:
            return
        try:
            if item["kind"] == "lost":
                self._recorder.lost()
            path = self._recorder.take(item)
            if path is not None:
                self._recorded(path)
        except OSError as error:
            raise _DoneError(self._fault(error)) from None

    def finish(self) -> None:
        """Close the files of sessions that go on. If one cannot be written, print why."""
        try:
            for path in self._recorder.close() if self._recorder is not None else ():
                self._recorded(path)
        except OSError as error:
            print_errors(self._fault(error))

    def _fault(self, error: OSError) -> str:
        return f"{error.filename or self._options.record}: cannot be written: {error.strerror or error}"

    def _recorded(self, path: Path) -> None:
        file = path.with_suffix(".har")
        file.touch(0o600)
        file.write_text(json.dumps(archive(read(path), wsgateway.__version__)), encoding="utf-8")
        print(f"recorded: {path} and {file}", file=sys.stderr)


def _trace(options: argparse.Namespace) -> int:
    arguments = filter_of(options) | {"payload": options.payload, "record": bool(options.record)}
    try:
        viewer = _Viewer(options, None if options.record is None else Recorder(options.record))
    except OSError as error:
        return failed(f"{options.record}: cannot be a directory for recordings: {error.strerror or error}")
    try:
        answer = ask(options, "trace", arguments, viewer.take, until_ctrl_c=True)
    except _DoneError as done:
        return failed(str(done)) if str(done) else GOOD
    except KeyboardInterrupt:
        return GOOD
    finally:
        viewer.finish()
    return FAULT if answer is None else failed(*answer.findings)


def _text(item: Item) -> str:
    """Return an item as its line for people."""
    kind = item["kind"]
    if kind == "lost":
        return f"-- {item['items']} lines are lost: they were not read in time"
    facts = "  ".join(f"{name} {printable(str(value))}" for name, value in item.items() if name not in _NOT_SHOWN)
    begin = f"{float(item['at']):10.6f} {item['session']:<8}"
    if kind == "line":
        line = Line(cast(Way, item["way"]), str(item["text"]), str(item["meaning"]))
        return f"{begin} {item['peer']:<8} {line}"
    if kind == "remark":
        return f"{begin} {item.get('peer', ''):<8} = {printable(str(item['text']))}"
    return f"{begin} {'begins' if kind == 'session' else 'ends':<8} = {facts}".rstrip()
