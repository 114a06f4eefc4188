"""The dates and hosts of certificates, and the warnings of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.net.certificates import Appliance
from wsgateway.settings.certificates import Known, known, warnings
from wsgateway.settings.load import parse

from .files import ROUTES, UPSTREAMS

FILE = "ws.pem"


def write(file: Path, *chain: Appliance) -> None:
    """Write the key of the first and the certificates of all into one file."""
    key = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key + b"".join(each.certificate.public_bytes(Encoding.PEM) for each in chain))


def of_listener(directory: Path, *chain: Appliance, hosts: str = "[]") -> tuple[Known, ...]:
    """Return what is known of these certificates in one file of a listener."""
    write(directory / FILE, *chain)
    tls = f"certificates: [{{certificate: {FILE}, private_key: {FILE}, hosts: {hosts}}}]"
    text = f"version: 1\n{ROUTES}{UPSTREAMS}listeners: [{{bind: [a:80], tls: {{{tls}}}}}]\n"
    return known(parse(text, str(directory / "f.yaml"), read_files=True))


def of_target(directory: Path, *authorities: Appliance) -> tuple[Known, ...]:
    """Return what is known of these authorities of a target."""
    write(directory / FILE, *authorities)
    text = (
        f"version: 1\n{ROUTES}listeners: [{{bind: [a:80]}}]\n"
        f"upstreams: {{echo: {{targets: [{{url: wss://a, tls: {{ca: {FILE}}}}}]}}}}\n"
    )
    return known(parse(text, str(directory / "f.yaml"), read_files=True))


def said(certificates: tuple[Known, ...], directory: Path, **later: float) -> list[str]:
    """Return the warnings at a time after now, without the place and the file."""
    now = (datetime.now(UTC) + timedelta(**later)).timestamp()
    return [line.split(f"{directory / FILE}: ")[1] for line in warnings(certificates, now)]


def day(certificate: Appliance, end: str = "after") -> str:
    """Return the last or the first second of a certificate, as the warnings write it."""
    when = getattr(certificate.certificate, f"not_valid_{end}_utc")
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


@pytest.mark.parametrize(
    ("left", "text"),
    [
        ({"days": 21, "seconds": 1}, None),
        ({"days": 21}, "it expires in 21 days, on {}; renew it and reload"),
        ({"hours": 47}, "it expires in 47 hours, on {}; renew it and reload"),
        ({"minutes": 119}, "it expires in 119 minutes, on {}; renew it and reload"),
        ({"seconds": 0}, "it expired on {}, 0 minutes ago; renew it and reload"),
        ({"days": -27}, "it expired on {}, 27 days ago; renew it and reload"),
    ],
)
def test_a_certificate_causes_a_warning_from_21_days_before_its_end(
    tmp_path: Path, left: dict[str, float], text: str | None
) -> None:
    made = Appliance.make("a")
    now = made.certificate.not_valid_after_utc - timedelta(**left)
    told = list(warnings(of_listener(tmp_path, made), now.timestamp()))
    place = f"listeners[0].tls.certificates[0].certificate {tmp_path / FILE}"
    assert told == ([] if text is None else [f"{place}: {text.format(day(made))}"])


def test_a_certificate_that_is_not_valid_yet_causes_a_warning(tmp_path: Path) -> None:
    made = Appliance.make("a", days=(3, 90))
    assert said(of_listener(tmp_path, made), tmp_path, hours=-1) == [
        f"it is not valid before {day(made, 'before')}, in 3 days; clients refuse it until then. Check the clock, too"
    ]
    assert said(of_listener(tmp_path, made), tmp_path, days=4) == []


def test_the_certificate_of_a_chain_counts_that_expires_first(tmp_path: Path) -> None:
    leaf, above = Appliance.make("a", days=(-1, 90)), Appliance.make(subject="R10", days=(-100, 5))
    (found,) = of_listener(tmp_path, leaf, above)
    assert found.ends == above.certificate.not_valid_after_utc.timestamp()
    assert said((found,), tmp_path, hours=-1) == [
        f"CN=R10 in it expires in 5 days, on {day(above)}; renew it and reload"
    ]
    (found,) = of_listener(tmp_path, above, leaf)
    assert said((found,), tmp_path, hours=-1) == [f"it expires in 5 days, on {day(above)}; renew it and reload"]


def test_the_authority_counts_that_expires_last(tmp_path: Path) -> None:
    old, new = Appliance.make(subject="old", days=(-99, -9)), Appliance.make(subject="new", days=(-9, 90))
    (found,) = of_target(tmp_path, old, new)
    assert found.ends == new.certificate.not_valid_after_utc.timestamp()
    assert said((found,), tmp_path) == []
    assert said((found,), tmp_path, days=91, hours=1) == [
        f"the last authority in it expired on {day(new)}, 25 hours ago; renew it and reload"
    ]


@pytest.mark.parametrize(
    ("names", "hosts", "unnamed"),
    [
        (("a.example",), "[a.example]", ()),
        (("A.Example",), "[a.example]", ()),
        (("*.example",), "[a.example, b.example, '*.example']", ()),
        (("*.example",), "[example, a.b.example, '*.b.example']", ("example", "a.b.example", "*.b.example")),
        (("a.example",), "['*.example', b.example]", ("*.example", "b.example")),
        ((), "[a.example]", ("a.example",)),
        (("a.example",), "[]", ()),
    ],
)
def test_a_host_that_the_certificate_is_not_for_is_known(
    tmp_path: Path, names: tuple[str, ...], hosts: str, unnamed: tuple[str, ...]
) -> None:
    (found,) = of_listener(tmp_path, Appliance.make(*names), hosts=hosts)
    assert found.unnamed == unnamed


def test_hosts_that_the_certificate_is_not_for_cause_a_warning(tmp_path: Path) -> None:
    assert said(of_listener(tmp_path, Appliance.make("b", "c"), hosts="[a]"), tmp_path) == [
        "hosts names a, but the certificate is for b, c"
    ]
    assert said(of_listener(tmp_path, Appliance.make(), hosts="[a]"), tmp_path) == [
        "hosts names a, but the certificate names no host"
    ]
    many = [f"h{number}" for number in range(7)]
    assert said(of_listener(tmp_path, Appliance.make(*many), hosts=str(["a", *many])), tmp_path) == [
        "hosts names a, but the certificate is for h0, h1, h2, h3, h4 and 2 more"
    ]


def test_a_file_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    tls = "{certificates: [{certificate: no, private_key: no}]}"
    text = f"version: 1\n{ROUTES}{UPSTREAMS}listeners: [{{bind: [a:80], tls: {tls}}}]\n"
    assert known(parse(text, str(tmp_path / "f.yaml"))) == ()
