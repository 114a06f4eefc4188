"""A worker as a process of its own, whose supervisor is the test."""

import socket
import subprocess
import sys

import trio

from tests.openings import OPENINGS
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Upstream, configuration
from wsgateway.run.control import Control
from wsgateway.run.listening import Listening, shares
from wsgateway.run.messages import Configure, End, FromWorker, Serving, Up, from_worker
from wsgateway.run.settings_transfer import VERSION, packed
from wsgateway.settings.load import parse

# `main` leaves a process as it was while it served.
_CODE = """\
import sys
from wsgateway.run.worker import main
status = main()
{then}
sys.stdout.flush()
sys.exit(status)
"""


async def output_of_a_worker(then: str) -> str:
    """Run a worker through a session of every dialect, and code after its end; return what it prints."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs, trio.fail_after(6 * PATIENCE_SECONDS):
        command = [sys.executable, "-c", _CODE.format(then=then), str(theirs.fileno()), "1"]
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, pass_fds=[theirs.fileno()])
        theirs.close()
        control = Control(ours)
        try:
            await _serve_sessions(control)
            await control.send(End().said())
            assert process.stdout is not None
            output = b"".join([each async for each in process.stdout]).decode()
            assert await process.wait() == 0
        finally:
            control.close()
    return output


async def _serve_sessions(control: Control) -> None:
    assert await _said(control) == Up()
    async with Upstream() as upstream:
        settings = parse(configuration(upstream.port), "f.yaml")
        listening = Listening({}).fitted(settings)
        told, sockets = listening.description(settings)
        order = Configure(do="serve", file="f.yaml", text="", directory="/", version=VERSION, workers=1, sockets=told)
        await control.send(order.said(), sockets, packed(settings))
        assert await _said(control) == Serving()
        [(_, sock)] = shares(settings, listening.shared())
        for opening in OPENINGS:
            async with await trio.open_tcp_stream(*sock.getsockname()) as stream:
                client = Peer(stream)
                await client.send(opening.request)
                await upstream.agree()
                await opening.accepted(client)
        listening.close()


async def _said(control: Control) -> FromWorker | None:
    message = await control.receive()
    assert message is not None
    return from_worker(message.said)
