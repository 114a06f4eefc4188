"""The command `probe`: its options, the probes of one or several dialects, and what is printed of them."""

import argparse
import json
import sys
from dataclasses import asdict, replace
from typing import get_args

import trio

from wsgateway.commands import FAULT, GOOD, painted
from wsgateway.commands.options import DEFAULT_DIALECT, DIALECT_NAMES, add_offer, duration, parsed
from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.errors import ProbeError
from wsgateway.probe.client import ProbeRequest, Report, probe
from wsgateway.probe.encryption import DEFAULT_PROFILE, trust
from wsgateway.probe.table import heading, row
from wsgateway.settings.dialects import dialects
from wsgateway.settings.patterns import pin
from wsgateway.settings.upstreams import TargetProfile
from wsgateway.trace.transcript import Line, printable


def define(parser: argparse.ArgumentParser) -> None:
    """Give the parser of the command its options."""
    parser.description = (
        "Connect to a server as a client of any dialect, and report the result. Exit status 0: the server"
        " accepted every named dialect, without a fault; with --all: at least one dialect."
    )
    parser.add_argument("url", metavar="URL", help="ws://HOST[:PORT][/PATH], or wss://")
    _add_dialects(parser)
    parser.add_argument(
        "--send",
        metavar="TEXT",
        help="send this message and wait for an answer; default: send a ping, if the dialect has pings",
    )
    add_offer(parser, "http:// or https:// and the host of the URL")
    _add_tls(parser)
    parser.add_argument("--trace", action="store_true", help="print every byte on the wire, with its meaning")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument(
        "--timeout", metavar="DURATION", type=duration, default=10.0, help="time limit for each dialect; default: 10s"
    )
    parser.set_defaults(command=_probe)


def _add_dialects(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--dialect",
        type=_dialects,
        action="extend",
        metavar="D",
        help=f"the dialect to speak, or a range as hybi-01..08; may be repeated; {DIALECT_NAMES}",
    )
    which.add_argument("--all", action="store_true", help="try every dialect, the oldest first")


def _add_tls(parser: argparse.ArgumentParser) -> None:
    trusted = parser.add_mutually_exclusive_group()
    trusted.add_argument("--ca", metavar="FILE", help="for wss: trust only the certificates in this file (PEM)")
    trusted.add_argument("--insecure", action="store_true", help="for wss: trust every certificate")
    trusted.add_argument(
        "--pin",
        metavar="PIN",
        type=_pin,
        action="append",
        help="for wss: trust only the certificate or public key with this hash, sha256:HEX; may be repeated",
    )
    parser.add_argument(
        "--tls-profile",
        choices=get_args(TargetProfile),
        default=DEFAULT_PROFILE,
        help="for wss: the TLS to offer, as targets[].tls.profile; default: %(default)s, which offers all",
    )


def _probe(options: argparse.Namespace) -> int:
    chosen = list(DIALECTS.values()) if options.all else options.dialect or [DIALECTS[DEFAULT_DIALECT]]
    pins = tuple(options.pin or ())
    try:
        request = ProbeRequest(
            options.url,
            chosen[0],
            options.send,
            options.origin,
            tuple(options.subprotocol),
            tuple(options.header),
            trust(options.tls_profile, options.ca, options.insecure or bool(pins)),
            options.timeout,
            options.tls_profile,
            pins,
        )
        results = [_probe_one(replace(request, dialect=each), options, at == 0) for at, each in enumerate(chosen)]
    except ProbeError as error:
        options.usage.error(str(error))
    if options.json:
        reports = [
            _plain(report) | ({"trace": list(map(asdict, lines))} if options.trace else {}) for report, lines in results
        ]
        print(json.dumps({"url": options.url, "reports": reports}, indent=2))
    good = any if options.all else all
    return GOOD if good(report.accepted and report.error is None for report, _ in results) else FAULT


def _probe_one(request: ProbeRequest, options: argparse.Namespace, first: bool) -> tuple[Report, list[Line]]:
    """Probe with one dialect, and print the result unless JSON is wanted. Return the report and the transcript."""
    lines: list[Line] = []
    live = options.trace and not options.json
    report = trio.run(probe, request, print if live else lines.append)
    if options.json:
        return report, lines
    if first and report.encryption is not None:
        print(*(f"= {line}" for line in map(printable, report.encryption.lines())), sep="\n", flush=True)
    if options.trace or not (options.all or len(options.dialect or ()) > 1):
        print(_coloured(f"= {report}", report), flush=True)
    else:
        print(*([heading()] if first else []), _coloured(row(report), report), sep="\n", flush=True)
    return report, lines


def _coloured(text: str, report: Report) -> str:
    good = report.accepted and report.error is None
    return painted(text, "green" if good else "red", sys.stdout)


def _plain(report: Report) -> dict[str, object]:
    """Return a report for JSON, with `encryption` only if there was TLS."""
    plain = asdict(report)
    if report.encryption is None:
        del plain["encryption"]
    return plain


def _dialects(text: str) -> tuple[Dialect, ...]:
    return parsed(dialects, text)


def _pin(text: str) -> str:
    return parsed(pin, text)
