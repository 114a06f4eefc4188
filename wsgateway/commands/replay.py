"""The command `replay`."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import trio

from wsgateway.commands import FAULT, GOOD
from wsgateway.commands.options import duration, named
from wsgateway.commands.remote import failed
from wsgateway.errors import RecordingError, WsgatewayError
from wsgateway.probe.replay import Replayed, replay
from wsgateway.trace.har import host_of
from wsgateway.trace.recording import Recording, read
from wsgateway.trace.traces import PEERS


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Send what a client has sent in a recording once more, to a gateway or to any server, and print where the"
        " answers differ from those of the recording. `wsgateway trace --record` makes recordings. Exit status 0:"
        " nothing differs. Secrets are not in a recording: a server that asks for a cookie refuses."
    )
    parser.add_argument("file", type=named, metavar="FILE", help="the recording, a file NAME.jsonl")
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="ws://HOST[:PORT] or wss://; default: ws:// and the Host of the recording"
    )
    parser.add_argument(
        "--side",
        choices=PEERS,
        default="client",
        help="client: send what the client sent to the gateway; upstream: what the gateway sent to its upstream, which"
        " needs a URL; default: client",
    )
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=duration,
        default=10.0,
        help="wait so long for an answer; default: 10s",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.set_defaults(command=_replay)


def _replay(options: argparse.Namespace) -> int:
    try:
        recording = read(Path(options.file))
    except RecordingError as error:
        return failed(str(error))
    except OSError as error:
        return failed(f"{options.file}: cannot be read: {error.strerror or error}")
    try:
        url = options.url or _url(recording, options.side)
        replayed = trio.run(replay, recording.connections[options.side], url, options.timeout)
    except RecordingError as error:
        return failed(f"{options.file}: {error}")
    except WsgatewayError as error:
        return failed(str(error))
    except OSError as error:
        return failed(f"{options.url or 'the server'}: {error.strerror or error}")
    if options.json:
        print(json.dumps({"url": url, **asdict(replayed)}))
    else:
        _print(recording, url, replayed)
    return FAULT if replayed.differences else GOOD


def _url(recording: Recording, side: str) -> str:
    """Return the address at which the recorded client has connected. Raise RecordingError if it is not known."""
    host = host_of(recording.connections["client"])
    if side != "client" or not host:
        raise RecordingError("name the URL of the server: the recording does not have it")
    return f"ws://{host}"


def _print(recording: Recording, url: str, replayed: Replayed) -> None:
    if not recording.whole:
        print("the recording is not whole: what is missing counts as a difference")
    if replayed.remark:
        print(replayed.remark)
    for each in replayed.differences:
        print(each)
    if not replayed.differences:
        print(f"{url} answers as in the recording, messages: {replayed.messages}")
