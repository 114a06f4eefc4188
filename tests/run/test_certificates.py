"""What a gateway reports about its certificates while it runs, and a renewed key under systemd."""

import os
import re
import signal
import ssl
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.net.certificates import Appliance
from tests.openings import BY_DIALECT, Session
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Lines, Upstream
from wsgateway.run.certificates import warn_daily
from wsgateway.settings.certificates import Known, Use

from .gateways import Gateway, supervised, tls, whole

CONFIG = Path(__file__).parents[2] / "config"
HOOK = CONFIG / "certbot-deploy"
MODERN = BY_DIALECT["rfc6455"]
NAME = "ws.example.com"
DAY_SECONDS = 86400


@pytest.fixture
def pem() -> Iterator[Path]:
    """Return the path of a certificate, in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "ws.pem"


def write(file: Path, made: Appliance) -> None:
    key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key + made.certificate.public_bytes(Encoding.PEM))


def end(made: Appliance) -> float:
    return made.certificate.not_valid_after_utc.timestamp()


async def expires(gateway: Gateway, pem: Path) -> float:
    """Return the metric for the expiry of this file."""
    _, body = await gateway.ask("/metrics")
    series = "wsgateway_certificate_expires_timestamp_seconds"
    [value] = re.findall(rf'^{series}{{used_by="listener public",file="{pem}"}} (\S+)$', body.decode(), re.MULTILINE)
    return float(value)


async def test_the_expiry_of_a_certificate_is_reported_at_the_start_and_at_a_reload_and_as_a_metric(
    tmp_path: Path, pem: Path
) -> None:
    soon, late = Appliance.make("a", days=(-1, 9)), Appliance.make("a", "b", days=(-1, 90))
    write(pem, soon)
    async with supervised(tmp_path / "gateway.yaml", whole(9, listener=tls(pem))) as gateway:
        line = await gateway.lines.line("certificate")
        assert line["level"] == "warning"
        place = f"listeners[0].tls.certificates[0].certificate {pem}"
        assert line["why"].startswith(f"{place}: it expires in 8 days, on ")
        assert await expires(gateway, pem) == end(soon)
        gateway.signal(signal.SIGHUP)
        await gateway.lines.nth("reloaded", 1)
        assert gateway.count("certificate") == 2

        write(pem, late)
        assert await expires(gateway, pem) == end(soon)  # what is served counts, and not what lies there
        gateway.signal(signal.SIGHUP)
        await gateway.lines.nth("reloaded", 2)
        assert gateway.count("certificate") == 2
        assert await expires(gateway, pem) == end(late)
        [told] = (await gateway.status())["certificates"]
        assert told == {
            "used_by": "listener public",
            "file": str(pem),
            "begins": late.certificate.not_valid_before_utc.timestamp(),
            "expires": end(late),
            "hosts": ["a", "b"],
        }


async def test_a_certificate_is_reported_each_day_from_21_days_before_it_expires(
    autojump_clock: trio.testing.MockClock,
) -> None:
    begun = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    known = Known(Use("place", "listener public", "ws.pem"), 0.0, begun + 23.5 * DAY_SECONDS, "", ())
    lines = Lines()
    zero = trio.current_time()
    moments: list[float] = []

    def now() -> float:
        moments.append(trio.current_time() - zero)
        return begun + moments[-1]

    with trio.move_on_after(25.5 * DAY_SECONDS):
        await warn_daily(lambda: [known], lines.log(), now)
    assert moments == [day * DAY_SECONDS for day in range(1, 26)]
    told = [entry["why"].split(", ")[0].partition(": ")[2] for entry in lines.every("certificate")]
    days = [f"it expires in {days} days" for days in range(20, 1, -1)]
    expired = "it expired on 2026-11-24 12:00:00 UTC"
    assert told == [*days, "it expires in 36 hours", "it expires in 12 hours", expired, expired]


# -- a renewed key -----------------------------------------------------------------------------------------------------


def renew(live: Path, made: Appliance) -> None:
    """Write a new key and its certificate where certbot has them, readable by their owner alone."""
    key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, data in (("privkey", key), ("fullchain", made.certificate.public_bytes(Encoding.PEM))):
        file = live / f"{name}.pem"
        file.write_bytes(data)
        file.chmod(0o600)


def deploy(live: Path, keys: Path, **environment: str) -> list[str]:
    """Run the hook as certbot does. Return the arguments of systemctl, which is a script of the test."""
    programs = keys.parent / "programs"
    programs.mkdir(exist_ok=True)
    asked = keys.parent / "asked"
    asked.write_text("")
    systemctl = programs / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{asked}\n[ -z "$GATEWAY" ] || kill -HUP "$GATEWAY"\n')
    systemctl.chmod(0o755)
    mine = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "RENEWED_LINEAGE": str(live),
        "WSGATEWAY_KEYS": str(keys),
        "WSGATEWAY_GROUP": str(os.getgid()),
        "GATEWAY": "",
    }
    subprocess.run([HOOK], env=mine | environment, check=True, timeout=PATIENCE_SECONDS)
    return asked.read_text().splitlines()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """Return the directory where certbot has the renewed files."""
    live = tmp_path / "live" / NAME
    live.mkdir(parents=True)
    live.parent.chmod(0o700)
    return live


async def secure(gateway: Gateway, trusted: Appliance) -> tuple[Peer, bytes | None]:
    """Return a client that trusts this certificate alone, and the certificate that it got."""
    context = ssl.create_default_context(cadata=trusted.certificate.public_bytes(Encoding.PEM).decode())
    stream = (await gateway.connect()).stream
    encrypted = trio.SSLStream(stream, context, server_hostname=NAME, https_compatible=True)
    await encrypted.do_handshake()
    return Peer(stream, encrypted), encrypted.getpeercert(binary_form=True)


async def test_a_renewed_key_is_served_after_the_hook_of_certbot_and_sessions_go_on(tmp_path: Path, live: Path) -> None:
    keys = tmp_path / "keys"
    old, new = Appliance.make(NAME), Appliance.make(NAME)
    renew(live, old)
    deploy(live, keys)
    file = keys / f"{NAME}.pem"
    async with (
        Upstream() as upstream,
        supervised(tmp_path / "g.yaml", whole(upstream.port, listener=tls(file))) as gateway,
    ):
        client, shown = await secure(gateway, old)
        assert shown == old.der
        await client.send(MODERN.request)
        behind, _ = await upstream.agree()
        session = Session(MODERN, client, behind, await MODERN.accepted(client))

        renew(live, new)
        assert deploy(live, keys, GATEWAY=str(os.getpid())) == ["try-reload-or-restart wsgateway.service"]
        await gateway.lines.line("reloaded")
        other, shown = await secure(gateway, new)
        assert shown == new.der
        await session.works()
        for each in (client, other, behind):
            await each.close()


def test_the_hook_gives_the_key_to_the_group_and_to_nobody_else(tmp_path: Path, live: Path) -> None:
    renew(live, Appliance.make(NAME))
    deploy(live, tmp_path / "keys")
    assert [file.name for file in (tmp_path / "keys").iterdir()] == [f"{NAME}.pem"]
    for file, mode in ((tmp_path / "keys", 0o750), (tmp_path / "keys" / f"{NAME}.pem", 0o640)):
        found = file.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (mode, os.getgid())


def test_the_hook_replaces_the_file_and_never_writes_into_it(tmp_path: Path, live: Path) -> None:
    renew(live, Appliance.make(NAME))
    deploy(live, tmp_path / "keys")
    with (tmp_path / "keys" / f"{NAME}.pem").open("rb") as reading:
        first = reading.read(10)
        whole_before = first + reading.read()
        reading.seek(0)
        renew(live, Appliance.make(NAME))
        deploy(live, tmp_path / "keys")
        assert reading.read() == whole_before


def test_the_hook_does_not_copy_certificates_of_other_programs(tmp_path: Path, live: Path) -> None:
    renew(live, Appliance.make(NAME))
    assert deploy(live, tmp_path / "keys", WSGATEWAY_LINEAGES="a.example b.example") == []
    assert not (tmp_path / "keys").exists()
    assert deploy(live, tmp_path / "keys", WSGATEWAY_LINEAGES=f"a.example {NAME}") != []


def test_the_hook_that_cannot_read_what_was_renewed_fails_and_changes_nothing(tmp_path: Path, live: Path) -> None:
    renew(live, Appliance.make(NAME))
    deploy(live, tmp_path / "keys")
    before = (tmp_path / "keys" / f"{NAME}.pem").read_bytes()
    (live / "fullchain.pem").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        deploy(live, tmp_path / "keys")
    assert (tmp_path / "asked").read_text() == ""
    assert [file.read_bytes() for file in (tmp_path / "keys").iterdir()] == [before]


def test_unit_and_manual_and_hook_name_the_same_group_and_directory() -> None:
    texts = [file.read_text() for file in (HOOK, CONFIG / "wsgateway.service", CONFIG / "README.md")]
    for text in texts:
        assert re.findall(r"SupplementaryGroups=(.+)", text) == ["wsgateway-keys"]
    assert "group=${WSGATEWAY_GROUP:-wsgateway-keys}" in texts[0]
    assert "directory=${WSGATEWAY_KEYS:-/etc/wsgateway/keys}" in texts[0]
    assert "certificate: /etc/wsgateway/keys/ws.example.com.pem" in texts[2]
    assert not any("\nLoadCredential=" in text for text in texts)
