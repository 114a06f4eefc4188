"""What is done to the gateway under systemd, and what must come of it, for sessions and for the unit.

A scene gets sessions that are open, and yields what is wrong. What it finds beside that stands in the table.
"""

import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .sessions import Echo, Knocker, Session, opened, until
from .unit import (
    FILE,
    PLAIN_PORT,
    SERVICE,
    SOCKET,
    TLS_PORT,
    children,
    journal,
    main_pid,
    owner,
    renew,
    restarts,
    running,
    show,
    state,
    systemctl,
    write,
)

# What clients hear when their gateway goes: a restart, or what is nearest to it in their dialect.
GOODBYES = {"hixie-76": "goodbye", "hybi-08": "1001", "rfc6455": "1012"}
# The exit status that the unit knows for it (EX_CONFIG of sysexits.h).
BROKEN_FILE = "78"
# For a gateway to be there, on a machine that is emulated and may be busy.
START_SECONDS = 300.0

Scene = Callable[[Echo, list[Session]], Iterator[str]]


def _live(sessions: list[Session]) -> Iterator[str]:
    for session in sessions:
        if not session.works():
            yield f"a session of {session.dialect} does not go on: {session.end(0)}"


def _said_goodbye(sessions: list[Session]) -> Iterator[str]:
    for session in sessions:
        ending = session.end()
        if ending != GOODBYES[session.dialect]:
            yield f"{session.dialect} ended with {ending}, not with {GOODBYES[session.dialect]}"


def _nobody_refused(knocker: Knocker) -> Iterator[str]:
    if knocker.failed or not knocker.served:
        yield f"of those who came meanwhile: {knocker}"


def start(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """The unit is started, with its socket."""
    done = renew("first")
    if done.returncode:
        yield f"the hook of certbot: {done.returncode}: {done.stdout.strip()}"
    write(echo, "/chat")
    for unit in (SOCKET, SERVICE):
        done = systemctl("start", unit)
        if done.returncode:
            yield f"systemctl start {unit}: {done.returncode}: {done.stdout.strip()}"
    if not running(START_SECONDS):
        yield f"it is {state()}"


def reload_good(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """A changed file is read."""
    write(echo, "/")
    with Knocker(PLAIN_PORT) as knocker:
        done = systemctl("reload", SERVICE)
        if done.returncode:
            yield f"systemctl reload: {done.returncode}: {done.stdout.strip()}"
        elif not until(lambda: _is_served("/other")):
            yield "what the new file serves is not served"
    yield from _nobody_refused(knocker)
    yield from _live(sessions)


def _is_served(path: str) -> bool:
    try:
        opened("rfc6455", PLAIN_PORT, path).close()
    except OSError:
        return False
    return True


def reload_bad(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """A broken file is refused, with the reason; nothing changes, and the next reload is good again."""
    FILE.write_text(FILE.read_text().replace("workers: 2", "wokers: 2"))
    done = systemctl("reload", SERVICE)
    if done.returncode == 0:
        yield "systemctl reload says that all is well"
    if not until(lambda: "wokers" in journal(50)):
        yield "the journal does not say what is wrong"
    if state() != "active/running":
        yield f"it is {state()}"
    yield from _live(sessions)
    write(echo, "/")
    done = systemctl("reload", SERVICE)
    if done.returncode:
        yield f"systemctl reload of a good file: {done.returncode}: {done.stdout.strip()}"


def renewed_certificate(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """certbot renews, with a new key: new clients see the new certificate, sessions go on."""
    context = ssl.create_default_context(cafile="/opt/trial/ca.pem")
    old = opened("rfc6455", TLS_PORT, context=context)
    done = renew("second")
    if done.returncode:
        yield f"the hook of certbot: {done.returncode}: {done.stdout.strip()}"

    def renewed() -> bool:
        session = opened("rfc6455", TLS_PORT, context=context)
        session.close()
        return session.certificate != old.certificate

    if not until(renewed, 60.0):
        yield "new clients still see the old certificate"
    yield from _live([*sessions, old])
    old.close()


def hand_over(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """A new supervisor takes over: sessions get their goodbye, nobody is refused, and systemd knows the new one."""
    old, count = main_pid(), restarts()
    with Knocker(PLAIN_PORT) as knocker:
        systemctl("kill", "--signal=USR2", "--kill-whom=main", SERVICE)
        if not until(lambda: main_pid() not in (0, old), START_SECONDS):
            yield "there is no new supervisor"
        yield from _said_goodbye(sessions)
        until(lambda: not Path(f"/proc/{old}").exists())
    yield from _nobody_refused(knocker)
    if not running(START_SECONDS):
        yield f"it is {state()}"
    if restarts() != count:
        yield "systemd has started it again"


def kill_worker(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """A worker is killed: its sessions are cut, the others go on, and there is a new worker."""
    supervisor = main_pid()
    workers = children(supervisor)
    victim = owner(sessions[0].port, workers)
    if victim is None:
        yield "nobody knows whose sessions these are"
        return
    more = _with_another(victim)
    owners = {session: owner(session.port, workers) for session in (*sessions, more)}
    if owners[more] == victim:
        yield "all sessions are those of one worker"
    os.kill(victim, signal.SIGKILL)
    for session in owners:
        if owners[session] == victim and session.end() != "cut":
            yield f"a session of a killed worker ended with {session.end(0)}"
    yield from _live([session for session in owners if owners[session] != victim])
    more.close()
    if not until(lambda: len(set(children(supervisor)) - {victim}) >= 2, START_SECONDS):
        yield "there is no new worker"
    if main_pid() != supervisor:
        yield "there is another supervisor"


def _with_another(worker: int) -> Session:
    """Open a session with another worker than this one, which stands still for that moment."""
    os.kill(worker, signal.SIGSTOP)
    try:
        return opened("rfc6455", PLAIN_PORT)
    finally:
        os.kill(worker, signal.SIGCONT)


def kill_supervisor(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """The supervisor is killed: sessions get their goodbye all the same, and systemd starts it again."""
    count = restarts()
    os.kill(main_pid(), signal.SIGKILL)
    yield from _said_goodbye(sessions)
    if not until(lambda: restarts() > count, START_SECONDS) or not running(START_SECONDS):
        yield f"it is {state()}"


def restart(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """It is restarted: sessions get their goodbye, and whoever comes meanwhile waits at the sockets of systemd."""
    with Knocker(PLAIN_PORT) as knocker:
        done = systemctl("restart", SERVICE)
        if done.returncode:
            yield f"systemctl restart: {done.returncode}: {done.stdout.strip()}"
        yield from _said_goodbye(sessions)
        if not running(START_SECONDS):
            yield f"it is {state()}"
    yield from _nobody_refused(knocker)


def watchdog(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """The supervisor stands still: systemd notices, ends it, and starts it again; sessions get their goodbye."""
    count = restarts()
    os.kill(main_pid(), signal.SIGSTOP)
    if not until(lambda: restarts() > count, START_SECONDS):
        yield "systemd has not started it again"
    yield from _said_goodbye(sessions)
    if "watchdog" not in journal(300).lower():
        yield "the journal does not say that it was the watchdog"
    if not running(START_SECONDS):
        yield f"it is {state()}"


def stop(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """It is stopped: sessions get their goodbye, and nothing is left."""
    begun = time.monotonic()
    done = systemctl("stop", SOCKET, SERVICE)
    if done.returncode:
        yield f"systemctl stop: {done.returncode}: {done.stdout.strip()}"
    seconds = time.monotonic() - begun
    yield from _said_goodbye(sessions)
    if state() != "inactive/dead":
        yield f"it is {state()}, after {seconds:.0f} s"
    if Path("/run/wsgateway").exists():
        yield "/run/wsgateway is left"


def broken_start(echo: Echo, sessions: list[Session]) -> Iterator[str]:
    """It cannot be started with a broken file, which no further start would mend."""
    FILE.write_text("version: 1\nlisteners: 7\n")
    if systemctl("start", SERVICE).returncode == 0:
        yield "systemctl start says that all is well"
    if show("ExecMainStatus") != [BROKEN_FILE]:
        yield f"it ended with {show('ExecMainStatus')[0]}, not with {BROKEN_FILE}"
    if until(lambda: restarts() > 0 or show("ActiveState")[0] == "active", 20.0):
        yield f"it is started again and again: {restarts()} times"
    systemctl("stop", SOCKET, SERVICE)
    systemctl("reset-failed", SERVICE)
    write(echo, "/")
    systemctl("start", SOCKET, SERVICE)
    if not running(START_SECONDS):
        yield f"with a good file it is {state()}"


# In this order: each leaves a gateway that serves, but for those that stop it.
SCENES: dict[str, Scene] = {
    "start": start,
    "reload, good": reload_good,
    "reload, bad": reload_bad,
    "renewed certificate": renewed_certificate,
    "hand-over": hand_over,
    "kill -9 of a worker": kill_worker,
    "kill -9 of the supervisor": kill_supervisor,
    "restart, by its sockets": restart,
    "a supervisor that stands still": watchdog,
    "stop": stop,
    "start with a broken file": broken_start,
}
STARTS = {"start", "start with a broken file"}
