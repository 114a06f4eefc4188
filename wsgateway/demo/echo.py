"""The demo's echo as a program of its own: a server behind the first gateway that a user configures."""

from wsgateway.demo import LOOPBACK
from wsgateway.demo.upstream import DemoUpstream
from wsgateway.observe.log import Log
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import Address


class Echo:
    """A server of RFC 6455 on loopback that sends every message back, on every path."""

    def __init__(self, port: int, log: Log) -> None:
        """Listen on the port; 0: the system chooses. Raise SettingsError if it is taken."""
        [self._listener] = listen(Address(LOOPBACK, port))
        self._upstream = DemoUpstream(log, echo_everywhere=True)

    async def run(self) -> None:
        """Serve until it is cancelled."""
        with self._listener:
            await self._upstream.serve(self._listener)

    def __str__(self) -> str:
        address = Address(LOOPBACK, self._listener.getsockname()[1])
        return f"An echo of RFC 6455: ws://{address}/, on every path. Ctrl-C ends it."
