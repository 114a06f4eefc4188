"""What a process shows of its sessions to who traces them."""

from wsgateway.errors import TooManyTracesError
from wsgateway.run.questions import Functions
from wsgateway.run.request_kinds import TraceFields
from wsgateway.run.requests import ControlAnswer, Send, refused
from wsgateway.serve.gateway import GatewayState


class Tracing:
    """The traces of a process."""

    def __init__(self, gateway: GatewayState, process: int) -> None:
        """Take the number of the process, with which the names of traced sessions begin."""
        self._traces = gateway.traces
        self._traces.process = process

    @property
    def functions(self) -> Functions:
        """The functions that answer requests, by their names."""
        return {"trace": self.trace}

    async def trace(self, fields: TraceFields, send: Send) -> ControlAnswer:
        """Send what happens in the sessions that match, from their heads on, until this is cancelled.

        Answer only if too many traces are running.
        """
        try:
            with self._traces.begin(fields.matches, fields.payload, fields.record) as trace:
                await send([{"kind": "watching"}])
                while True:
                    await send(await trace.items())
        except TooManyTracesError as error:
            return refused(str(error))
