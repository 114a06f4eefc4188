"""TLS, proxies and limits of a listener, and reports of mistakes in them with their places."""

import pytest

from wsgateway.settings.listeners import Listener
from wsgateway.settings.load import parse

from .files import ROUTES, UPSTREAMS, report


def whole(line: str) -> str:
    """Return a file with a listener that has this line, the sixth, behind two spaces."""
    return f"version: 1\n{ROUTES}{UPSTREAMS}listeners:\n- bind: [a:80]\n  {line}\n"


# Each line with the column, the place and the words of all that is said of it.

MISTAKES: list[tuple[str, ...]] = [
    (
        "tls:",
        "7: listeners[0].tls: the value is empty; write one, or remove the key",
    ),
    (
        "tls: true",
        "8: listeners[0].tls: true is not a mapping; write 'key: value' in it",
    ),
    (
        "tls: {}",
        "8: listeners[0].tls: 'certificates' is missing",
    ),
    (
        "tls: {certificates: []}",
        "23: listeners[0].tls.certificates: it is empty, at least one member is needed",
    ),
    (
        "tls: {certificates: [{certificate: a}]}",
        "24: listeners[0].tls.certificates[0]: 'private_key' is missing",
    ),
    (
        "tls: {certificates: [{certificate: '', private_key: 7}]}",
        "38: listeners[0].tls.certificates[0].certificate: '' is not the name of a file",
        "55: listeners[0].tls.certificates[0].private_key: 7 is not the name of a file",
    ),
    (
        "tls: {certificates: [{certificate: a, private_key: b, hosts: ['*']}]}",
        "65: listeners[0].tls.certificates[0].hosts[0]: '*' stands for every host; leave the key out",
    ),
    (
        "tls: {certificates: [{certificate: a, private_key: b, hosts: ['a:443', 'https://a', 7]}]}",
        "65: listeners[0].tls.certificates[0].hosts[0]: 'a:443' is not a host; write a name, *.NAME or"
        " an IP address, without scheme, port or path",
        "74: listeners[0].tls.certificates[0].hosts[1]: 'https://a' is not a host; write a name, *.NAME"
        " or an IP address, without scheme, port or path",
        "87: listeners[0].tls.certificates[0].hosts[2]: 7 is not a host; write a name, *.NAME or an IP"
        " address, without scheme, port or path",
    ),
    (
        "tls: {profile: old, certificates: [{certificate: a, private_key: b}]}",
        "18: listeners[0].tls.profile: 'old' is unknown; known are modern, intermediate, legacy, custom",
    ),
    (
        "tls: {minimum: 1.2, certificates: [{certificate: a, private_key: b}]}",
        "8: listeners[0].tls: minimum and ciphers are for profile: custom",
    ),
    (
        "tls: {ciphers: ALL, profile: modern, certificates: [{certificate: a, private_key: b}]}",
        "8: listeners[0].tls: minimum and ciphers are for profile: custom",
    ),
    (
        "tls: {profile: custom, minimum: 1.4, certificates: [{certificate: a, private_key: b}]}",
        "35: listeners[0].tls.minimum: '1.4' is unknown; did you mean '1.3'?",
    ),
    (
        "tls: {profile: custom, minimum: ~, ciphers: 7, certificates: [{certificate: a, private_key: b}]}",
        "35: listeners[0].tls.minimum: the value is empty; write one, or remove the key",
        "47: listeners[0].tls.ciphers: 7 is not text; write it in quotes",
    ),
    (
        "tls: {client_certificates: required, certificates: [{certificate: a, private_key: b}]}",
        "8: listeners[0].tls: client_certificates (optional or required) and client_ca go together",
    ),
    (
        "tls: {client_ca: ca.pem, certificates: [{certificate: a, private_key: b}]}",
        "8: listeners[0].tls: client_certificates (optional or required) and client_ca go together",
    ),
    (
        "tls: {client_certificates: yes, client_ca: ca.pem, certificates: [{certificate: a, private_key: b}]}",
        "30: listeners[0].tls.client_certificates: 'yes' is unknown; known are none, optional, required",
    ),
    (
        "tls: {certificate: a}",
        "8: listeners[0].tls: 'certificates' is missing",
        "9: listeners[0].tls.certificate: this key is unknown; did you mean 'certificates'?",
    ),
    (
        "tls: {http2: true, certificates: [{certificate: a, private_key: b}]}",
        "16: listeners[0].tls.http2: true is not a mapping; write 'key: value' in it",
    ),
    (
        "tls: {http2: {mode: always, stream: 1}, certificates: [{certificate: a, private_key: b}]}",
        "23: listeners[0].tls.http2.mode: 'always' is unknown; known are auto, offer, none",
        "31: listeners[0].tls.http2.stream: this key is unknown; did you mean 'streams'?",
    ),
    (
        "tls: {http2: {streams: 0, idle: 60, control_rate: 9}, certificates: [{certificate: a, private_key: b}]}",
        "26: listeners[0].tls.http2.streams: 0 is too small, at least 1 is allowed",
        "35: listeners[0].tls.http2.idle: 60 has no unit; write 60s (or with ms, m, h or d)",
        "53: listeners[0].tls.http2.control_rate: 9 is not a rate; write 100/s, 60/m or 1000/h, or none",
    ),
    (
        "tls: {profile: legacy, http2: {mode: offer}, certificates: [{certificate: a, private_key: b}]}",
        "8: listeners[0].tls: HTTP/2 needs TLS 1.2 (RFC 9113, 9.2); this allows older versions",
    ),
    (
        "tls: {profile: custom, minimum: 1.1, http2: {mode: offer}, certificates: [{certificate: a, private_key: b}]}",
        "8: listeners[0].tls: HTTP/2 needs TLS 1.2 (RFC 9113, 9.2); this allows older versions",
    ),
    (
        "proxy_protocol: required",
        "19: listeners[0].proxy_protocol: 'required' is not a mapping; write 'key: value' in it",
    ),
    (
        "proxy_protocol: {accept: v1}",
        "28: listeners[0].proxy_protocol.accept: 'v1' is unknown; known are none, optional, required",
    ),
    (
        "proxy_protocol: {accept: optional}",
        "19: listeners[0].proxy_protocol: trusted is empty, so that no header would count; name"
        " the networks of your proxies",
    ),
    (
        "proxy_protocol: {accept: required, trusted: []}",
        "19: listeners[0].proxy_protocol: trusted is empty, so that no header would count; name"
        " the networks of your proxies",
    ),
    (
        "proxy_protocol: {trusted: [10.0.0.1/8]}",
        "30: listeners[0].proxy_protocol.trusted[0]: '10.0.0.1/8' is neither a network, as 10.0.0.0/8 or"
        " 192.0.2.7, nor unix; did you mean '10.0.0.0/8'?",
    ),
    (
        "proxy_protocol: {trusted: [10]}",
        "30: listeners[0].proxy_protocol.trusted[0]: 10 is neither a network, as 10.0.0.0/8 or 192.0.2.7, nor unix",
    ),
    (
        "forwarded: {trusted: '*'}",
        "24: listeners[0].forwarded.trusted: '*' is not a list; write '- ' before each member, or brackets around all",
    ),
    (
        "forwarded: {trusted: [localhost, 10.0.0.0/33]}",
        "25: listeners[0].forwarded.trusted[0]: 'localhost' is neither a network, as 10.0.0.0/8 or 192.0.2.7, nor unix",
        "36: listeners[0].forwarded.trusted[1]: '10.0.0.0/33' is neither a network, as 10.0.0.0/8 or"
        " 192.0.2.7, nor unix",
    ),
    (
        "forwarded: {trust: []}",
        "15: listeners[0].forwarded.trust: this key is unknown; did you mean 'trusted'?",
    ),
    (
        "max_connections_per_ip: 0",
        "27: listeners[0].max_connections_per_ip: 0 is not a limit; write a whole number of 1 or more, or none",
    ),
    (
        "ipv6_prefix: 0",
        "16: listeners[0].ipv6_prefix: 0 is too small, at least 1 is allowed",
    ),
    (
        "ipv6_prefix: 129",
        "16: listeners[0].ipv6_prefix: 129 is too large, at most 128 is allowed",
    ),
    (
        "max_connections_per_ip: 1.5",
        "27: listeners[0].max_connections_per_ip: '1.5' is not a limit; write a whole number of 1 or more, or none",
    ),
    (
        "max_connections_per_ip: true",
        "27: listeners[0].max_connections_per_ip: true is not a limit; write a whole number of 1 or more, or none",
    ),
    (
        "max_connections_per_ip: ~",
        "27: listeners[0].max_connections_per_ip: the value is empty; write one, or remove the key",
    ),
    (
        "max_connections: none",
        "20: listeners[0].max_connections: 'none' is not a whole number",
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_in_a_listener_is_named_with_its_place(mistake: tuple[str, ...]) -> None:
    line, *said = mistake
    assert report(whole(line)) == [f"f.yaml:6:{each}" for each in said]


def listener(line: str) -> Listener:
    """Return the listener that has this line."""
    return parse(whole(line), "/etc/f.yaml").listeners[0]


CERTIFICATES = "certificates: [{certificate: a.pem, private_key: /b.key}]"


def test_encryption_needs_no_more_than_a_certificate() -> None:
    tls = listener(f"tls: {{{CERTIFICATES}}}").tls
    assert tls is not None
    assert (tls.profile, tls.client_certificates, tls.client_ca) == ("intermediate", "none", None)
    assert (tls.minimum, tls.ciphers) == (None, None)
    (certificate,) = tls.certificates
    assert (certificate.hosts, certificate.certificate, certificate.private_key) == ((), "/etc/a.pem", "/b.key")


@pytest.mark.parametrize("minimum", ["1.0", "'1.1'", "1.2", '"1.3"'])
def test_a_version_may_stand_in_quotes_or_without(minimum: str) -> None:
    tls = listener(f"tls: {{profile: custom, minimum: {minimum}, {CERTIFICATES}}}").tls
    assert tls is not None
    assert tls.minimum == minimum.strip("'\"")


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ('"::ffff:10.0.0.0/104"', "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ('"::1"', "::1/128"),
        ("FD00::/8", "fd00::/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_is_an_address_with_or_without_its_length(written: str, network: str) -> None:
    assert list(map(str, listener(f"forwarded: {{trusted: [{written}]}}").forwarded.trusted)) == [network]
    accepted = listener(f"proxy_protocol: {{accept: required, trusted: [{written}]}}").proxy_protocol
    assert (accepted.accept, list(map(str, accepted.trusted))) == ("required", [network])


@pytest.mark.parametrize(("written", "bound"), [("none", None), ("1", 1), ("1000", 1000)])
def test_a_bound_is_a_number_or_none(written: str, bound: int | None) -> None:
    assert listener(f"max_connections_per_ip: {written}").max_connections_per_ip == bound


def test_trusted_networks_may_be_named_before_they_matter() -> None:
    assert listener("proxy_protocol: {accept: none, trusted: [10.0.0.0/8]}").proxy_protocol.accept == "none"
