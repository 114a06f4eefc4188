"""Which modules a worker and a supervisor import: they cost memory as long as the gateway runs, in each worker."""

import re
import socket
import subprocess
import sys

import trio

from tests.openings import OPENINGS
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Upstream, configuration
from tests.test_imports import imported
from wsgateway.run.control import Control
from wsgateway.run.listening import Listening, shares
from wsgateway.run.messages import Configure, End, Serving, Up, from_worker
from wsgateway.run.settings_transfer import VERSION, packed
from wsgateway.settings.load import parse

# What other parts of the gateway use, or their libraries: each of them imports dozens of modules.
FOREIGN = {"asyncio", "email", "h2", "dns", "re2", "websockets", "importlib.metadata", "http.client", "unittest"}


def of_gateway(modules: set[str]) -> set[str]:
    return {name.removeprefix("wsgateway.") for name in modules if name.startswith("wsgateway.")}


async def imported_by_a_worker() -> set[str]:
    """The modules that a worker has imported at its end, after a session of every dialect."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    async with Upstream() as upstream:
        settings = parse(configuration(upstream.port), "f.yaml")
        listening = Listening({}).fitted(settings)
        command = [sys.executable, "-X", "importtime", "-m", "wsgateway.run.worker", str(theirs.fileno()), "1"]
        with theirs:
            process = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()])
        control = Control(ours)
        assert await said(control) == Up()
        told, sockets = listening.description(settings)
        order = Configure(do="serve", file="f.yaml", text="", directory="/", version=VERSION, workers=1, sockets=told)
        await control.send(order.said(), sockets, packed(settings))
        assert await said(control) == Serving()
        [(_, sock)] = shares(settings, listening.shared())
        for opening in OPENINGS:
            async with await trio.open_tcp_stream(*sock.getsockname()) as stream:
                client = Peer(stream)
                await client.send(opening.request)
                await upstream.agree()
                await opening.accepted(client)
        await control.send(End().said())
        assert process.stderr is not None
        output = b"".join([each async for each in process.stderr]).decode()
        assert await process.wait() == 0
        control.close()
        listening.close()
    return set(re.findall(r"^import time: .*\| +(\S+)$", output, re.MULTILINE))


async def said(control: Control) -> object:
    message = await control.receive()
    assert message is not None
    return from_worker(message.said)


async def test_a_worker_imports_only_what_it_serves_with() -> None:
    with trio.fail_after(6 * PATIENCE_SECONDS):
        modules = await imported_by_a_worker()
    own = of_gateway(modules)
    assert {"serve.session", "relay.engine", "settings.whole", "run.service"} <= own  # it has been looked at
    assert not modules & (FOREIGN | {"yaml"})
    assert not {name for name in own if name.split(".")[0] in ("cli", "commands", "demo", "probe", "units")}
    # It gets settings that are read and checked, and has no pages.
    read = {"load", "document", "reader", "rules", "files", "complete", "certificates", "advice", "repeats", "example"}
    assert not own & {f"settings.{name}" for name in read}
    assert not own & {f"observe.{name}" for name in ("admin", "pages", "metrics", "http_server", "query")}
    assert not own & {f"run.{name}" for name in ("supervisor", "worker_pool", "process", "control_server", "systemd")}


def test_a_supervisor_imports_nothing_that_serves_clients() -> None:
    modules = imported("import wsgateway.cli, wsgateway.commands.run")
    own = of_gateway(modules)
    assert {"run.supervisor", "settings.load"} <= own
    assert not modules & FOREIGN
    assert not {name for name in own if name.split(".")[0] in ("demo", "probe", "units", "policy", "relay", "upstream")}
    assert {name for name in own if name.startswith("serve.")} == {"serve.bind"}
    assert not own & {"run.service", "run.worker", "run.gateway", "settings.repeats", "settings.example"}
