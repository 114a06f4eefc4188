"""The command `check` for programs: standard input, warnings that count as errors, and findings in JSON."""

import io
import json
import os
from pathlib import Path

import pytest

from tests.support import configuration
from wsgateway.cli import main

GOOD, FAULT = 0, 1
QUIET = "dialects: [rfc6455]"
LOUD = "dialects: [hixie-75]"


def standard_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def in_json(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    """Return the exit status, and what was printed, which must be JSON and nothing else."""
    status = main(["check", "--json", *arguments])
    captured = capfd.readouterr()
    assert captured.err == ""
    return status, json.loads(captured.out)


def test_a_hyphen_is_standard_input(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    standard_input(monkeypatch, configuration(9, route=QUIET))
    assert main(["check", "-"]) == GOOD
    assert capfd.readouterr() == ("-: valid\n", "")
    standard_input(monkeypatch, "version: 2\n")
    assert main(["check", "-"]) == FAULT
    assert "-:1:10: version: 2 is not a version that is known here; write 1\n" in capfd.readouterr().err


def test_files_that_standard_input_names_are_in_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "PWD", str(tmp_path))
    certificates = "client_certificates: optional, certificates: [{certificate: a.pem, private_key: a.pem}]"
    tls = f"tls: {{client_ca: ca.pem, {certificates}}}"
    standard_input(monkeypatch, configuration(9, route=QUIET, listener=tls))
    assert main(["check", "-"]) == FAULT
    said = capfd.readouterr().err
    assert "client_ca: OpenSSL cannot use this file" in said
    assert "'a.pem' cannot be read: No such file or directory" in said


@pytest.mark.parametrize(("route", "status"), [(QUIET, GOOD), (LOUD, FAULT)])
def test_strict_takes_warnings_for_errors(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, route: str, status: int
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(configuration(9, route=route))
    assert main(["check", str(file)]) == GOOD
    capfd.readouterr()
    assert main(["check", "--strict", str(file)]) == status
    said = capfd.readouterr()
    assert (said.out == f"{file}: valid\n") is (status == GOOD)
    assert (f"{file}: valid, but --strict allows no warnings\n" in said.err) is (status == FAULT)


def test_mistakes_come_in_json_with_their_places(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("version: 1\nlisteners: [{bind: ['127.0.0.1']}]\nroutes: []\nupstreams: {}\n")
    status, said = in_json(capfd, str(file))
    assert (status, said["file"], said["valid"]) == (FAULT, str(file), False)
    assert said["findings"] == [
        {
            "file": str(file),
            "line": 2,
            "column": 21,
            "key": "listeners[0].bind[0]",
            "severity": "error",
            "message": "'127.0.0.1' has no port; write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080",
        },
        {
            "file": str(file),
            "line": 3,
            "column": 9,
            "key": "routes",
            "severity": "error",
            "message": "it is empty, at least one member is needed",
        },
        {
            "file": str(file),
            "line": 4,
            "column": 12,
            "key": "upstreams",
            "severity": "error",
            "message": "it is empty, at least one member is needed",
        },
    ]


def test_a_file_that_is_not_there_is_a_finding_without_a_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(tmp_path / "f.yaml")
    status, said = in_json(capfd, file)
    assert (status, said["valid"]) == (FAULT, False)
    assert said["findings"] == [
        {
            "file": file,
            "line": 0,
            "column": 0,
            "key": "",
            "severity": "error",
            "message": "cannot be read: No such file or directory",
        }
    ]


def test_warnings_come_in_json_each_with_its_place(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("""\
version: 1
listeners: [{bind: ["127.0.0.1:8080"]}]
routes:
  - match: {path: {prefix: /}}
    upstream: echo
    origins: {allow: [], null: refuse}
upstreams:
  echo:
    targets:
      - url: ws://127.0.0.1:8080
  spare: {targets: [{url: "ws://a"}]}
""")
    status, said = in_json(capfd, str(file))
    findings = said["findings"]
    assert isinstance(findings, list)
    assert (status, said["valid"]) == (GOOD, True)
    assert [(each["line"], each["column"], each["key"], each["severity"]) for each in findings] == [
        (6, 26, "routes[0].origins.null", "warning"),
        (10, 9, "upstreams.echo.targets[0]", "warning"),
        (11, 10, "upstreams.spare", "warning"),
    ]
    assert findings[0]["message"] == "this key is called 'opaque' now"
    assert in_json(capfd, "--strict", str(file)) == (FAULT, said)


def test_a_file_that_never_ends_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "/dev/zero"]) == 1
    assert capfd.readouterr() == ("", "/dev/zero: the file has more than 16 MiB, which is the most\n")


@pytest.mark.parametrize(
    ("name", "why"), [(".", "is a directory; name a file in it"), ("none/a", "is in no directory that there is")]
)
def test_a_census_that_cannot_be_kept_is_warned_of(
    name: str, why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(configuration(9, route=QUIET) + f"census: {{file: {name}}}\n")
    assert main(["check", str(file)]) == GOOD
    said = capfd.readouterr()
    place = tmp_path / name
    kept = "Until then the census is kept in memory, and lost when the gateway stops"
    assert said.err == f"warning: census.file '{place}' {why}. {kept}\n"
    assert main(["check", "--json", "--strict", str(file)]) == FAULT
    [finding] = json.loads(capfd.readouterr().out)["findings"]
    assert (finding["key"], finding["severity"]) == ("census.file", "warning")
    assert finding["message"] == f"'{place}' {why}. {kept}"
    file.write_text(configuration(9, route=QUIET) + "census: {file: new.sqlite}\n")
    assert main(["check", "--strict", str(file)]) == GOOD
