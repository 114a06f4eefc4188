"""`wsgateway probe`: what it prints, and its exit status: 0 good, 1 a fault, 2 wrong usage."""

import json
import re
import ssl
from pathlib import Path

import pytest
import trio

from tests.backends import prefer_sample, websockets_server
from tests.dialects.families import HIXIE, NAMES, TWO_KEYS
from tests.net.certificates import Authority
from tests.support import PATIENCE_SECONDS, Upstream, dead_port, serving
from wsgateway.cli import main
from wsgateway.dialects import DIALECTS

GOOD, FAULT, USAGE = 0, 1, 2
Captured = pytest.CaptureFixture[str]


async def run(*arguments: str) -> int:
    """Run the command in a thread, because it runs a Trio of its own. Return its exit status."""
    with trio.fail_after(PATIENCE_SECONDS):
        return await trio.to_thread.run_sync(main, ["probe", *arguments])


def cells(text: str) -> list[list[str]]:
    """Return the rows of a table; # stands for times."""
    return [re.split("  +", re.sub(r"\d+\.\d ms", "# ms", line)) for line in text.splitlines()]


HEADING = ["dialect", "result", "subprotocol", "handshake", "round trip", "how it ended"]


# -- all dialects ------------------------------------------------------------------------------------------------


async def test_a_gateway_takes_every_dialect(capsys: Captured) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        assert await run(f"ws://127.0.0.1:{gateway.port}/", "--all") == GOOD
        said, complaints = capsys.readouterr()
        heading, *rows = cells(said)
        assert heading == HEADING
        # Those of hixie have no ping.
        assert rows == [
            [dialect, "accepted", "# ms", *([] if dialect in HIXIE else ["# ms"]), "closed by both"]
            for dialect in DIALECTS
        ]
        assert complaints == ""
        for dialect in DIALECTS:
            assert (await gateway.lines.line("session", dialect=dialect))["level"] == "info"


async def test_a_server_of_rfc_6455_accepts_one_dialect(capsys: Captured) -> None:
    async with websockets_server() as port:
        assert await run(f"ws://127.0.0.1:{port}/", "--all", "--send", "Hello") == GOOD
    heading, *rows = cells(capsys.readouterr().out)
    assert heading == HEADING
    for dialect, *cols in rows:
        if dialect == "rfc6455":
            assert cols == ["accepted", "# ms", "# ms", "closed by both"]
        elif dialect in TWO_KEYS:
            # It takes the 8 bytes of the challenge for frames, so what it says depends on them.
            assert cols in (
                ["refused", "the server answered 400 Bad Request"],
                ["failed", "closed the connection during the handshake"],
                ["failed", "lost during the handshake: Connection reset by peer"],
            )
        else:
            assert cols == ["refused", "the server answered 400 Bad Request"]
    assert [dialect for dialect, *_ in rows] == list(DIALECTS)


async def test_it_is_a_fault_if_no_dialect_is_accepted(capsys: Captured) -> None:
    with dead_port() as port:
        assert await run(f"ws://127.0.0.1:{port}/", "--all") == FAULT
        _, *rows = cells(capsys.readouterr().out)
        assert rows == [
            [dialect, "failed", f"no connection to 127.0.0.1:{port}: Connection refused"] for dialect in DIALECTS
        ]


async def test_an_accepted_dialect_without_an_answer_is_a_fault(capsys: Captured) -> None:
    async with websockets_server(lambda connection: connection.aclose(1011, "bug")) as port:
        assert await run(f"ws://127.0.0.1:{port}/", "--send", "Hello", "--all") == FAULT
        assert await run(f"ws://127.0.0.1:{port}/", "--send", "Hello") == FAULT
    *_, row, line = capsys.readouterr().out.splitlines()
    end = "the server closed the session instead of answering: 1011 'bug'"
    assert cells(row) == [["rfc6455", "accepted", "# ms", end]]
    assert re.fullmatch(rf"= rfc6455: accepted, handshake \d+\.\d ms, {re.escape(end)}", line)


# -- some dialects -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--dialect", "hybi-01..03"], ["hybi-01", "hybi-02", "hybi-03"]),
        (["--dialect", "hixie-75..76", "--dialect", "rfc6455"], ["hixie-75", "hixie-76", "rfc6455"]),
        (["--dialect", "hybi-08", "--dialect", "hybi-07"], ["hybi-08", "hybi-07"]),
        (["--dialect", "hybi-08..hybi-08", "--dialect", "hybi-08"], ["hybi-08", "hybi-08"]),
    ],
    ids=lambda value: " ".join(value),
)
async def test_the_reports_of_several_dialects_are_a_table_in_the_order_of_the_command_line(
    capsys: Captured, options: list[str], asked: list[str]
) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        assert await run(f"ws://127.0.0.1:{gateway.port}/", *options) == GOOD
        heading, *rows = cells(capsys.readouterr().out)
    assert heading == HEADING
    assert [row[:2] for row in rows] == [[dialect, "accepted"] for dialect in asked]


async def test_one_refused_dialect_among_several_is_a_fault(capsys: Captured) -> None:
    async with websockets_server() as port:
        assert await run(f"ws://127.0.0.1:{port}/", "--dialect", "hybi-08", "--dialect", "rfc6455") == FAULT
    _, *rows = cells(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["hybi-08", "refused"], ["rfc6455", "accepted"]]


@pytest.mark.parametrize(
    ("options", "dialect"),
    [([], "rfc6455"), (["--dialect", "hybi-05"], "hybi-05"), (["--dialect", "hybi-05..05"], "hybi-05")],
)
async def test_the_report_of_one_dialect_is_a_line(capsys: Captured, options: list[str], dialect: str) -> None:
    async with websockets_server(select_subprotocol=prefer_sample) as port, serving(port) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/"
        assert await run(url, *options, "--subprotocol", "other", "--subprotocol", "sample") == GOOD
        said, complaints = capsys.readouterr()
    assert re.sub(r"\d+\.\d ms", "# ms", said) == (
        f"= {dialect}: accepted, handshake # ms, subprotocol sample, round trip # ms, closed by both\n"
    )
    assert complaints == ""


async def test_a_trace_shows_every_byte_before_the_result(capsys: Captured) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/"
        arguments = ["--dialect", "hixie-75", "--dialect", "rfc6455", "--trace", "--send", "Hello"]
        assert await run(url, *arguments, "--origin", "http://a", "--header", "Cookie: b=c", "--header", "X-Y:") == GOOD
        lines = capsys.readouterr().out.splitlines()
    results = [at for at, line in enumerate(lines) if re.match(r"= (hixie-75|rfc6455): accepted, ", line)]
    starts = [at for at, line in enumerate(lines) if line == "> GET / HTTP/1.1"]
    assert starts == [0, results[0] + 1]
    assert results[1] == len(lines) - 1
    for start, end in zip(starts, results, strict=True):
        assert {"> Origin: http://a", "> Cookie: b=c", "> X-Y:"} <= set(lines[start:end])
        assert any(line.endswith("'Hello'") for line in lines[start:end] if line[0] == "<")
    assert lines[results[0] - 1] == "= the server closed the connection"


# -- JSON --------------------------------------------------------------------------------------------------------


async def test_json_has_everything_of_a_report(capsys: Captured) -> None:
    async with websockets_server() as port:
        url = f"ws://127.0.0.1:{port}/"
        assert await run(url, "--json", "--dialect", "hybi-08", "--dialect", "rfc6455") == FAULT
    said, complaints = capsys.readouterr()
    assert complaints == ""
    whole = json.loads(said)
    refused, accepted = whole["reports"]
    assert whole == {"url": url, "reports": [refused, accepted]}
    assert refused == {
        "dialect": "hybi-08",
        "accepted": False,
        "status": 400,
        "subprotocol": None,
        "handshake_seconds": None,
        "round_trip_seconds": None,
        "closed": None,
        "error": "the server answered 400 Bad Request",
    }
    assert 0 < accepted.pop("handshake_seconds") < PATIENCE_SECONDS
    assert 0 < accepted.pop("round_trip_seconds") < PATIENCE_SECONDS
    assert accepted == {
        "dialect": "rfc6455",
        "accepted": True,
        "status": None,
        "subprotocol": None,
        "closed": "closed by both",
        "error": None,
    }


async def test_json_with_a_trace_has_the_lines_of_each_report(capsys: Captured) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        assert await run(f"ws://127.0.0.1:{gateway.port}/", "--json", "--trace", "--all") == GOOD
        reports = json.loads(capsys.readouterr().out)["reports"]
    assert [report["dialect"] for report in reports] == list(DIALECTS)
    for report in reports:
        first, *_, last = report["trace"]
        assert first == {"direction": ">", "text": "GET / HTTP/1.1", "meaning": ""}
        assert set(last) == {"direction", "text", "meaning"}
    assert reports[0]["trace"][-1] == {"direction": "=", "text": "the server closed the connection", "meaning": ""}


# -- time and trust ----------------------------------------------------------------------------------------------


async def test_a_server_is_waited_for_as_long_as_asked(capsys: Captured) -> None:
    async with Upstream() as upstream:
        assert await run(f"ws://127.0.0.1:{upstream.port}/", "--timeout", "100ms") == FAULT
    assert capsys.readouterr().out == "= rfc6455: failed, no answer within 0.1 s\n"


@pytest.mark.parametrize(
    ("host", "trusted", "status", "said"),
    [
        ("localhost", True, GOOD, "accepted"),
        ("localhost", False, FAULT, "unable to get local issuer certificate"),
        ("127.0.0.1", True, FAULT, "certificate is not valid for '127.0.0.1'"),
    ],
    ids=["good", "unknown", "other name"],
)
async def test_a_server_is_trusted_if_its_authority_is_named(
    capsys: Captured, authority: Authority, host: str, trusted: bool, status: int, said: str
) -> None:
    async with websockets_server(ssl=authority.server) as port:
        options = ["--ca", str(authority.file)] if trusted else []
        assert await run(f"wss://{host}:{port}/", *options) == status
        assert said in capsys.readouterr().out
        assert await run(f"wss://{host}:{port}/", "--insecure") == GOOD


async def test_a_server_of_tls_1_0_is_probed_too(capsys: Captured, authority: Authority) -> None:
    old = authority.server
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with websockets_server(ssl=old) as port:
        assert await run(f"wss://localhost:{port}/", "--ca", str(authority.file)) == GOOD


# -- wrong usage -------------------------------------------------------------------------------------------------


def usage_error(capsys: Captured, *arguments: str) -> str:
    """Return the message for a wrong command line; it must be wrong."""
    with pytest.raises(SystemExit) as caught:
        main(["probe", *arguments])
    said, complaints = capsys.readouterr()
    assert (caught.value.code, said) == (USAGE, "")
    assert complaints.startswith("usage: wsgateway ")
    *_, last = complaints.splitlines()
    return last.removeprefix("wsgateway probe: error: ").removeprefix("wsgateway: error: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: URL"),
        (["ws://a", "b"], "unrecognized arguments: b"),
        (["ws://a", "--all", "--dialect", "rfc6455"], "argument --dialect: not allowed with argument --all"),
        (["ws://a", "--ca", "x", "--insecure"], "argument --insecure: not allowed with argument --ca"),
        (
            ["ws://a", "--dialect", "hixie-77"],
            "argument --dialect: 'hixie-77' is not a dialect; did you mean 'hixie-76'?",
        ),
        (["ws://a", "--dialect", "hybi-8"], "argument --dialect: 'hybi-8' is not a dialect; did you mean 'hybi-08'?"),
        (["ws://a", "--dialect", "hybi-08..01"], "argument --dialect: 'hybi-08..01' goes backwards; write hybi-01..08"),
        (
            ["ws://a", "--dialect", "hybi-01..rfc6455"],
            "argument --dialect: 'hybi-01..rfc6455' is not a range of one family, as hybi-01..08 or hixie-75..76 are",
        ),
        (["ws://a", "--timeout", "5"], "argument --timeout: '5' has no unit; write 5s (or with ms, m, h or d)"),
        (["ws://a", "--timeout", "0s"], "argument --timeout: '0s' is too short, it must be more than 0s"),
        (
            ["ws://a", "--timeout", "soon"],
            "argument --timeout: 'soon' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d",
        ),
        (["ws://a", "--header", "X"], "argument --header: 'X' is not a header; write 'NAME: VALUE'"),
        (["ws://a", "--header", "a b: c"], "'a b' is no name of a header, which has letters"),
        (["ws://a", "--header", "host: b"], "the header host is part of the handshake, and made by the probe"),
        (
            ["ws://a", "--header", "Sec-WebSocket-Key: b"],
            "the header Sec-WebSocket-Key is part of the handshake, and made by the probe",
        ),
        (["ws://a", "--subprotocol", "a,b"], "the subprotocol 'a,b' is not a token"),
        (["ws://a", "--origin", "a b"], "the origin 'a b' has a space, or other characters than printable ASCII"),
        (
            ["http://a"],
            "'http://a' is not an address of the form ws://HOST[:PORT][/PATH], or wss://; PORT is from 1 to 65535",
        ),
        (["ws://a:x"], "'ws://a:x' is not an address of the form ws://HOST[:PORT][/PATH], or wss://; PORT is "),
        (["ws://a", "--send", "\udcff"], "the text cannot be sent: "),
        (["wss://a", "--ca", "/none/at/all.pem"], "--ca /none/at/all.pem: cannot be read: No such file or directory"),
    ],
    ids=lambda value: " ".join(value).encode("unicode_escape").decode() if isinstance(value, list) else "",
)
def test_wrong_usage_is_answered_with_what_is_right(capsys: Captured, arguments: list[str], said: str) -> None:
    assert usage_error(capsys, *arguments).startswith(said)


def test_an_unknown_dialect_is_answered_with_all_that_there_are(capsys: Captured) -> None:
    assert usage_error(capsys, "ws://a", "--dialect", "websocket") == (
        f"argument --dialect: 'websocket' is not a dialect; known are {', '.join(NAMES)}"
    )


def test_a_file_without_a_certificate_is_refused(capsys: Captured, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN NOTHING-----\n")
    assert usage_error(capsys, "wss://a", "--ca", str(file)) == f"--ca {file}: no certificate in PEM"
    assert usage_error(capsys, "wss://a", "--ca", str(tmp_path)) == f"--ca {tmp_path}: cannot be read: Is a directory"


def test_help_names_every_option_and_every_dialect(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["probe", "--help"])
    assert caught.value.code == GOOD
    said = " ".join(capsys.readouterr().out.split())
    options = "--dialect D --all --trace --json --send TEXT --origin ORIGIN --subprotocol NAME --header 'NAME: VALUE'"
    for option in (*options.replace(" --", "\n--").splitlines(), "--timeout DURATION", "--ca FILE", "--insecure"):
        assert f"{option} " in said
    assert all(f"{dialect}," in said or f"{dialect} " in said for dialect in DIALECTS)
    assert "default: rfc6455" in said
    assert "default: 10s" in said
    assert "Exit status 0: the server accepted every named dialect, without a fault;" in said
