"""The machine: its system is made by debootstrap, put on a disk image, and booted in qemu with two serial lines.

The first line is the console, which is kept in a file; by the second the machine reports. Nothing else leads into it.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

PROJECT = Path(__file__).parent.parent.parent
DEBIAN = PROJECT / "tests" / "fresh" / "debian"
PACKAGES = "python3-venv,systemd,systemd-sysv,udev,kmod,initramfs-tools,linux-image-cloud-amd64"
# What the system and the gateway need, and room for the journal.
DISK = "3G"
MEMORY = "1500M"
# It is made anew each time: the project may have changed.
INSTALLATION = """\
groupadd --system --force wsgateway-keys
install -D -m 755 config/certbot-deploy /etc/letsencrypt/renewal-hooks/deploy/wsgateway
rm -rf /opt/wsgateway && python3 -m venv /opt/wsgateway && /opt/wsgateway/bin/pip install -q .
"""

FSTAB = "/dev/vda / ext4 defaults 0 1\n"
# An emulated processor needs its time to start Python; the units themselves stay as they are.
SLOW = "[Manager]\nDefaultTimeoutStartSec=300s\n"
# What config/README.md says of private keys.
KEYS = """\
[Service]
SupplementaryGroups=wsgateway-keys
"""
TRIAL = """\
[Unit]
Description=Plays scenes with the gateway
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
TimeoutStartSec=infinity
WorkingDirectory=/opt/trial
ExecStart=/opt/wsgateway/bin/python -m tests.systemd.inside /dev/ttyS1 {scenes}
"""


def make(root: Path, suite: str) -> None:
    """Make the system, if it is not there, and install the gateway in it."""
    subprocess.run([DEBIAN, "--make", root, suite, PACKAGES], check=True)
    subprocess.run([DEBIAN, "--inside", root, INSTALLATION], check=True)


def equip(root: Path, scenes: list[str]) -> None:
    """Write what the machine needs: the units as they are, certificates, and the program that plays the scenes."""
    units = root / "etc" / "systemd" / "system"
    for name in ("wsgateway.service", "wsgateway.socket"):
        shutil.copy(PROJECT / "config" / name, units)
    quoted = " ".join(f'"{scene}"' for scene in scenes)
    write(units / "wsgateway-trial.service", TRIAL.format(scenes=quoted))
    write(units / "wsgateway.service.d" / "keys.conf", KEYS)
    wanted = units / "multi-user.target.wants" / "wsgateway-trial.service"
    wanted.parent.mkdir(exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("../wsgateway-trial.service")
    write(root / "etc" / "fstab", FSTAB)
    write(root / "etc" / "systemd" / "system.conf.d" / "slow.conf", SLOW)
    (root / "etc" / "wsgateway").mkdir(exist_ok=True)
    trial = root / "opt" / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    shutil.copytree(Path(__file__).parent, trial / "tests" / "systemd", ignore=shutil.ignore_patterns("__pycache__"))
    write(trial / "tests" / "__init__.py", "")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(trial / "ca.pem")
    for name in ("first", "second"):
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(trial / f"{name}.key")
        write(trial / f"{name}.pem", "".join(part.bytes().decode() for part in issued.cert_chain_pems))


def write(file: Path, text: str) -> None:
    """Write a file, and the folder that it is in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@contextmanager
def disk(root: Path) -> Iterator[Path]:
    """Yield a disk with all that is in a folder, for as long as the context lasts."""
    handle, name = tempfile.mkstemp(suffix=".img", dir=root.parent)
    os.close(handle)
    image = Path(name)
    try:
        # As root, so that everything belongs to whom it belongs in the folder.
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", root, image, DISK], check=True)
        yield image
    finally:
        image.unlink()


def boot(root: Path, image: Path, console: Path, seconds: float) -> Iterator[dict[str, object]]:
    """Boot it, and yield what it reports until it is off. It is switched off after so many seconds."""
    boot_files = root / "boot"
    command: list[str | Path] = [
        "timeout", "--kill-after=10", str(seconds),
        "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-machine", "pc", "-cpu", "max",
        # Its time goes by instructions, a thousand million of them a second, not by ours: however slowly it is emulated
        # on a busy machine, nothing in it is late for that. While it waits for a timer its time goes by ours.
        "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=on", "-smp", "1", "-m", MEMORY, "-nic", "none",
        "-kernel", max(boot_files.glob("vmlinuz-*")), "-initrd", max(boot_files.glob("initrd.img-*")),
        "-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off",
        "-drive", f"file={image},format=raw,if=virtio,cache=unsafe",
        "-serial", f"file:{console}", "-serial", "stdio",
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("{"):
                    yield json.loads(line)
        finally:
            process.terminate()
