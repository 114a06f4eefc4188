"""The gateway as systemd has it: its state, its processes, its files."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from .sessions import Echo, until

SERVICE, SOCKET = "wsgateway.service", "wsgateway.socket"
# What the socket unit listens on, and a listener with TLS that the gateway opens itself.
PLAIN_PORT, TLS_PORT = 8080, 8443
FILE = Path("/etc/wsgateway/wsgateway.yaml")
# What certbot renews, the deploy hook that hands it to the gateway, and where that puts it.
LINEAGE = Path("/etc/letsencrypt/live/localhost")
HOOK = Path("/etc/letsencrypt/renewal-hooks/deploy/wsgateway")
CERTIFICATE = "/etc/wsgateway/keys/localhost.pem"
COMMAND_SECONDS = 600.0

CONFIGURATION = """\
version: 1
workers: 2
listeners:
  - name: public
    bind: ["systemd:public"]
  - name: secure
    bind: ["127.0.0.1:{tls_port}"]
    tls: {{certificates: [{{certificate: {certificate}, private_key: {certificate}}}]}}
routes:
  - match: {{path: {{prefix: {prefix}}}}}
    upstream: echo
upstreams:
  echo:
    targets: [{{url: "ws://127.0.0.1:{echo_port}"}}]
shutdown: {{drain: 10s, spread: 1s}}
admin: {{bind: "unix:/run/wsgateway/admin.sock"}}
"""


def write(echo: Echo, prefix: str) -> None:
    """Write the configuration of the gateway, which serves the paths that begin so."""
    text = CONFIGURATION.format(tls_port=TLS_PORT, certificate=CERTIFICATE, prefix=prefix, echo_port=echo.port)
    FILE.write_text(text)


def renew(name: str) -> subprocess.CompletedProcess[str]:
    """Renew the certificate as certbot does, with a new key, and run the hook. Return how that went."""
    LINEAGE.mkdir(parents=True, exist_ok=True)
    shutil.copy(f"/opt/trial/{name}.key", LINEAGE / "privkey.pem")
    shutil.copy(f"/opt/trial/{name}.pem", LINEAGE / "fullchain.pem")
    return _run(HOOK, environment={"RENEWED_LINEAGE": str(LINEAGE)})


def systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, and return how it went, with all that it said."""
    return _run("systemctl", *arguments)


def _run(
    *command: str | Path, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=COMMAND_SECONDS,
        check=False,
    )


def show(*names: str) -> list[str]:
    """Return properties of the service."""
    said = systemctl("show", SERVICE, *(f"--property={name}" for name in names)).stdout
    values = dict(line.partition("=")[::2] for line in said.splitlines())
    return [values.get(name, "") for name in names]


def state() -> str:
    """Return the state of the service, as `active/running`; with why, if something went wrong."""
    active, sub, result = show("ActiveState", "SubState", "Result")
    return f"{active}/{sub}" + ("" if result == "success" else f" ({result})")


def main_pid() -> int:
    """Return the supervisor; 0: there is none."""
    return int(show("MainPID")[0] or 0)


def restarts() -> int:
    """Return how often systemd has started the service again."""
    return int(show("NRestarts")[0] or 0)


def children(pid: int) -> list[int]:
    """Return the workers of a supervisor."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == pid:
            found.append(int(folder.name))
    return sorted(found)


def owner(client_port: int, pids: list[int]) -> int | None:
    """Return which of these processes has the connection that comes from a port of this machine."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) == client_port:
            inodes.add(fields[9])
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
            except OSError:
                continue
            if found is not None and found[1] in inodes:
                return pid
    return None


def journal(lines: int) -> str:
    """Return the last lines that the service has in the journal, without those of sessions that came and went."""
    done = _run("journalctl", f"--unit={SERVICE}", "--lines=1000", "--output=short-monotonic", "--no-pager", "--quiet")
    return "\n".join([line for line in done.stdout.splitlines() if "event=session " not in line][-lines:])


def running(seconds: float) -> bool:
    """Wait until the service is there and has its workers, and return whether that came in time."""
    return until(lambda: state() == "active/running" and len(children(main_pid())) >= 2, seconds)
