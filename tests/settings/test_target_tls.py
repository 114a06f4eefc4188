"""TLS to a target: the files, the versions, pins and names of its section, and reports of mistakes in it."""

import pytest

from wsgateway.settings.upstreams import TargetTls

from .files import report, upstream, with_upstream

# Each line with the column, the place and the words of all that is said of it.
MISTAKES: list[tuple[str, ...]] = [
    (
        "targets: [{url: wss://a, tls: true}]",
        "35: upstreams.echo.targets[0].tls: true is not a mapping; write 'key: value' in it",
    ),
    (
        "targets: [{url: ws://a, tls: {ca: a}}]",
        "15: upstreams.echo.targets[0]: tls is for wss:// and https://, not for ws://",
    ),
    (
        "targets: [{url: WS://a, tls: {ca: a}}]",
        "15: upstreams.echo.targets[0]: tls is for wss:// and https://, not for ws://",
    ),
    (
        "targets: [{url: wss://a, tls: {private_key: a}}]",
        "15: upstreams.echo.targets[0]: tls has a private_key without the certificate that it belongs to",
    ),
    (
        "targets: [{url: wss://a, tls: {ca: ~, server_name: 7, certificate: ''}}]",
        "40: upstreams.echo.targets[0].tls.ca: the value is empty; write one, or remove the key",
        "56: upstreams.echo.targets[0].tls.server_name: 7 is not a name of a server; write a name or an IP address,"
        " without port, or none",
        "72: upstreams.echo.targets[0].tls.certificate: '' is not the name of a file",
    ),
    (
        "targets: [{url: wss://a, tls: {verify: false}}]",
        "36: upstreams.echo.targets[0].tls.verify: this key is unknown; known are ca, profile, pin,"
        " server_name, certificate, private_key",
    ),
    (
        "targets: [{url: wss://a, tls: {server_name: none}}]",
        "15: upstreams.echo.targets[0]: tls has server_name: none and no pin, so that nothing would identify the"
        " target",
    ),
    (
        "targets: [{url: wss://a, tls: {server_name: 'a:443'}}]",
        "49: upstreams.echo.targets[0].tls.server_name: 'a:443' is not a name of a server; write a name or an IP"
        " address, without port, or none",
    ),
    (
        "targets: [{url: wss://a, tls: {server_name: ''}}]",
        "49: upstreams.echo.targets[0].tls.server_name: '' is not a name of a server; write a name or an IP address,"
        " without port, or none",
    ),
    (
        "targets: [{url: wss://a, tls: {profile: old}}]",
        "45: upstreams.echo.targets[0].tls.profile: 'old' is unknown; known are modern, intermediate, legacy",
    ),
    (
        "targets: [{url: wss://a, tls: {profile: custom}}]",
        "45: upstreams.echo.targets[0].tls.profile: 'custom' is unknown; known are modern, intermediate, legacy",
    ),
    (
        "targets: [{url: wss://a, tls: {pin: []}}]",
        "41: upstreams.echo.targets[0].tls.pin: it is empty, at least one member is needed",
    ),
    (
        "targets: [{url: wss://a, tls: {pin: sha256:00}}]",
        "41: upstreams.echo.targets[0].tls.pin: 'sha256:00' is not a list; write '- ' before each member, or brackets"
        " around all",
    ),
    (
        "targets: [{url: wss://a, tls: {pin: [sha256:00]}}]",
        "42: upstreams.echo.targets[0].tls.pin[0]: 'sha256:00' is not a pin; write sha256: and 64 hexadecimal digits,"
        " as 'wsgateway probe' prints them",
    ),
    (
        "targets: [{url: ws://a, tls: {profile: legacy}}]",
        "15: upstreams.echo.targets[0]: tls is for wss:// and https://, not for ws://",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_in_the_tls_of_a_target_is_named_with_its_place(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    assert report(with_upstream(line)) == [f"f.yaml:6:{each}" for each in said]


def test_encryption_of_a_target_names_files_beside_the_configuration() -> None:
    line = "targets: [{url: wss://a, tls: {ca: ca.pem, certificate: /a.pem, private_key: x/a.key}}]"
    files = TargetTls(ca="/etc/ca.pem", certificate="/a.pem", private_key="/etc/x/a.key")
    assert upstream(line).targets[0].tls == files
    line = "targets: [{url: wss://a, tls: {certificate: a.pem}}]"
    assert upstream(line).targets[0].tls == TargetTls(certificate="/etc/a.pem")


def test_a_target_is_offered_tls_1_2_and_later_by_default() -> None:
    assert upstream("targets: [{url: wss://a}]").targets[0].tls == TargetTls(profile="intermediate")
    for profile in ("modern", "intermediate", "legacy"):
        (target,) = upstream(f"targets: [{{url: wss://a, tls: {{profile: {profile}}}}}]").targets
        assert target.tls.profile == profile


HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "written",
    [
        f"sha256:{HASH}",
        f"SHA256:{HASH.upper()}",
        # As `openssl x509 -fingerprint -sha256` prints it.
        "sha256:" + ":".join(HASH.upper()[at : at + 2] for at in range(0, 64, 2)),
    ],
)
def test_a_pin_is_a_hash_in_hexadecimal(written: str) -> None:
    (target,) = upstream(f"targets: [{{url: wss://a, tls: {{pin: ['{written}', 'sha256:{'f' * 64}']}}}}]").targets
    assert target.tls.pin == (f"sha256:{HASH}", f"sha256:{'f' * 64}")
    assert not target.tls.nameless


def test_a_pinned_target_may_be_sent_no_name() -> None:
    (target,) = upstream(f"targets: [{{url: wss://a, tls: {{pin: ['sha256:{HASH}'], server_name: none}}}}]").targets
    assert target.tls == TargetTls(pin=(f"sha256:{HASH}",), server_name="none")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("chat.internal", "chat.internal"),
        ("chat.internal.", "chat.internal"),
        ("10.0.0.7", "10.0.0.7"),
        ("'::1'", "::1"),
    ],
)
def test_the_name_of_a_server_is_a_name_or_an_address(written: str, name: str) -> None:
    assert upstream(f"targets: [{{url: wss://a, tls: {{server_name: {written}}}}}]").targets[0].tls.server_name == name


def test_an_empty_tls_section_is_allowed_without_encryption() -> None:
    assert upstream("targets: [{url: ws://a, tls: {}}]").targets[0].tls == TargetTls()
