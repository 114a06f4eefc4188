"""What a probe reports about a server's TLS, and the pin by which a gateway trusts that server."""

import json
import ssl

import pytest

from tests.backends import websockets_server
from tests.net.certificates import KEYS, Appliance, Authority
from tests.support import serving
from wsgateway.commands import FAULT, GOOD
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import ProbeRequest

from .probing import ask
from .test_command import Captured, run, usage_error

RFC6455 = DIALECTS["rfc6455"]
NOBODY = f"sha256:{'0' * 64}"


def dates(made: Appliance) -> str:
    begins, ends = (made.certificate.not_valid_before_utc, made.certificate.not_valid_after_utc)
    return f"from {begins:%Y-%m-%d %H:%M:%S} to {ends:%Y-%m-%d %H:%M:%S}"


async def test_version_cipher_certificate_and_the_line_for_the_file_are_shown(capsys: Captured) -> None:
    made = Appliance.make("localhost", "tv.local")
    async with websockets_server(ssl=made.server(ssl.TLSVersion.TLSv1_2)) as port:
        assert await run(f"wss://localhost:{port}/", "--insecure") == GOOD
        *shown, report = capsys.readouterr().out.splitlines()
        assert shown == [
            "= TLSv1.2, ECDHE-ECDSA-AES256-GCM-SHA384",
            "= certificate of CN=appliance, for localhost, tv.local, issued by CN=appliance",
            f"= {dates(made)}, {made.pin}",
            f'= for a target of a gateway that trusts only this key: tls: {{pin: ["{made.key_pin}"]}}',
        ]
        assert report.startswith("= rfc6455: accepted, ")
        # The line is one for the file.
        line = shown[-1].partition("only this key: ")[2]
        async with serving(port, target=line, url="wss://127.0.0.1") as gateway:
            assert await run(f"ws://127.0.0.1:{gateway.port}/") == GOOD


@pytest.mark.parametrize(
    "options", [[], ["--pin", NOBODY], ["--ca", "AUTHORITY"]], ids=["system", "other pin", "authority"]
)
async def test_the_certificate_of_a_server_that_is_not_trusted_is_shown_too(
    capsys: Captured, authority: Authority, options: list[str]
) -> None:
    made = Appliance.make("elsewhere.example", days=(-900, -170))
    async with websockets_server(ssl=made.server()) as port:
        given = [str(authority.file) if each == "AUTHORITY" else each for each in options]
        assert await run(f"wss://localhost:{port}/", *given) == FAULT
    *shown, report = capsys.readouterr().out.splitlines()
    assert f"= {dates(made)}, {made.pin}" in shown
    assert shown[-1].endswith(f'tls: {{pin: ["{made.key_pin}"]}}')
    assert report.startswith("= rfc6455: failed, TLS failed: the certificate is not trusted: ")


async def test_a_certificate_without_names_is_reported_as_such(capsys: Captured) -> None:
    async with websockets_server(ssl=Appliance.make(subject="").server()) as port:
        assert await run(f"wss://127.0.0.1:{port}/", "--insecure") == GOOD
    assert "= certificate of nobody, for no name, issued by nobody" in capsys.readouterr().out.splitlines()


async def test_control_characters_of_a_certificate_do_not_reach_the_terminal(capsys: Captured) -> None:
    async with websockets_server(ssl=Appliance.make(subject="a\x1b[2Jb").server()) as port:
        assert await run(f"wss://127.0.0.1:{port}/", "--insecure") == GOOD
    assert r"CN=a\x1b[2Jb" in capsys.readouterr().out


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda each: each.name)
async def test_the_line_for_the_file_has_the_profile_that_an_old_server_needs(
    capsys: Captured, version: ssl.TLSVersion
) -> None:
    made = Appliance.make(key=KEYS["RSA"]())
    async with websockets_server(ssl=made.server(version)) as port:
        assert await run(f"wss://localhost:{port}/", "--insecure") == GOOD
    assert f'only this key: tls: {{profile: legacy, pin: ["{made.key_pin}"]}}' in capsys.readouterr().out


async def test_the_line_for_the_file_has_the_profile_for_old_ciphers_too(capsys: Captured) -> None:
    made = Appliance.make(key=KEYS["RSA"]())
    context = made.server(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    async with websockets_server(ssl=context) as port:
        assert await run(f"wss://localhost:{port}/", "--insecure") == GOOD
    said = capsys.readouterr().out
    assert said.startswith("= TLSv1.2, AES128-SHA\n")
    assert "only this key: tls: {profile: legacy, " in said


async def test_tls_is_printed_once_for_several_dialects_and_json_has_it_for_each(capsys: Captured) -> None:
    made = Appliance.make("localhost")
    async with websockets_server(ssl=made.server()) as port:
        url = f"wss://localhost:{port}/"
        assert await run(url, "--insecure", "--dialect", "hybi-08", "--dialect", "rfc6455") == FAULT
        assert capsys.readouterr().out.count("only this key: tls: ") == 1
        assert await run(url, "--insecure", "--json", "--dialect", "hybi-08", "--dialect", "rfc6455") == FAULT
    for report in json.loads(capsys.readouterr().out)["reports"]:
        assert report["encryption"] == {
            "version": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "certificate": {
                "subject": "CN=appliance",
                "issuer": "CN=appliance",
                "begins": f"{made.certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S}",
                "ends": f"{made.certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S}",
                "names": ["localhost"],
            },
            "pins": [made.pin, made.key_pin],
            "profile": None,
        }


# -- what a probe may be told ------------------------------------------------------------------------------------


async def test_a_probe_trusts_a_certificate_by_its_pin(capsys: Captured) -> None:
    made = Appliance.make(subject="", days=(-900, -170))
    async with websockets_server(ssl=made.server()) as port:
        for pin in (made.pin, made.key_pin):
            assert await run(f"wss://127.0.0.1:{port}/", "--pin", NOBODY, "--pin", pin) == GOOD
        assert await run(f"wss://127.0.0.1:{port}/", "--pin", NOBODY) == FAULT
    assert f"its public key {made.key_pin} is none of the 1 pins" in capsys.readouterr().out


async def test_a_probe_offers_what_its_profile_says() -> None:
    made = Appliance.make("localhost")
    async with websockets_server(ssl=made.server(ssl.TLSVersion.TLSv1)) as port:
        probe_request = ProbeRequest(f"wss://localhost:{port}/", RFC6455, profile="intermediate", pins=(made.pin,))
        report, lines = await ask(probe_request)
        assert report.error is not None
        assert report.error.endswith("if it speaks only 1.0, 1.1 or their ciphers, --tls-profile legacy")
        assert (report.encryption, lines) == (None, [])
        report, _ = await ask(ProbeRequest(f"wss://localhost:{port}/", RFC6455, pins=(made.pin,)))
        assert report.error is None


async def test_the_profile_is_an_option(capsys: Captured) -> None:
    made = Appliance.make("localhost")
    async with websockets_server(ssl=made.server(ssl.TLSVersion.TLSv1_2)) as port:
        url = f"wss://localhost:{port}/"
        assert await run(url, "--insecure", "--tls-profile", "intermediate") == GOOD
        assert await run(url, "--insecure", "--tls-profile", "modern") == FAULT
    assert "TLS 1.3: if it speaks only 1.2, --tls-profile intermediate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--pin", "sha1:00"],
            "argument --pin: 'sha1:00' is not a pin; write sha256: and 64 hexadecimal digits, as 'wsgateway probe'"
            " prints them",
        ),
        (["--pin", NOBODY, "--insecure"], "argument --insecure: not allowed with argument --pin"),
        (["--tls-profile", "custom"], "argument --tls-profile: invalid choice: 'custom' (choose from "),
    ],
)
def test_wrong_usage_is_answered_with_what_is_right(capsys: Captured, arguments: list[str], said: str) -> None:
    assert usage_error(capsys, "wss://a", *arguments).startswith(said)
