"""The messages between the processes of a gateway, each checked where it arrives.

    supervisor -> worker       Configure (serve, reload), Drain, Stay, End, SendStatus
    worker -> supervisor       Up, Serving, Refused, StatusReport, ToldToEnd
    old -> new supervisor      TakeOver
    new -> old supervisor      Serving

Processes of one gateway may run different versions for a while, so unknown keys are ignored. `Control` carries them.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from wsgateway.errors import Reason, SettingsError, StartError
from wsgateway.errors.reasons import BY_NAME
from wsgateway.observe.status import ProcessStatus
from wsgateway.run.control import Said

SocketCounts = list[tuple[str, int]]
"""The sockets that travel with a message, in their order: an address as `Listening` names it, and how many it has."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)

    def said(self) -> Said:
        """Return the message as JSON has it."""
        return self.model_dump(mode="json", by_alias=True)


class Configure(_Message):
    """Serve a configuration, for the first time or from now on. The sockets, and the packed settings, are attached."""

    do: Literal["serve", "reload"]
    file: str
    text: str
    directory: str | None
    version: str
    """of the code that has packed the settings; another one reads the text"""
    workers: int
    """how many share the limits of the configuration"""
    sockets: SocketCounts


class Drain(_Message):
    """Close all sessions, and end."""

    do: Literal["drain"] = "drain"
    others_accept: bool
    """whether other processes accept the clients that wait at the same sockets"""


class Stay(_Message):
    """Go on in spite of the signal: the supervisor decides when all end."""

    do: Literal["stay"] = "stay"


class End(_Message):
    """End at once."""

    do: Literal["end"] = "end"


class SendStatus(_Message):
    """Send the status."""

    do: Literal["report"] = "report"


class TakeOver(_Message):
    """Serve at these sockets in the place of the process that sends this."""

    do: Literal["take over"] = "take over"
    sockets: SocketCounts


class Up(_Message):
    """The process runs, and waits for its configuration."""

    is_: Literal["up"] = Field(default="up", alias="is")


class Serving(_Message):
    """The process serves its configuration."""

    is_: Literal["serving"] = Field(default="serving", alias="is")


class Refused(_Message):
    """The process cannot serve a configuration, and goes on as before."""

    is_: Literal["refused"] = Field(default="refused", alias="is")
    reason: str = Reason.WORKER_FAILED.value
    """the name of one, which another version may not have"""
    why: str

    @classmethod
    def of(cls, error: SettingsError | OSError) -> Self:
        """Return what is said of an error."""
        reason = error.reason if isinstance(error, SettingsError) else Reason.WORKER_FAILED
        return cls(reason=reason.value, why=str(error))

    @property
    def error(self) -> StartError:
        """Return the error that the other process has told."""
        return StartError(self.why, BY_NAME.get(self.reason, Reason.WORKER_FAILED))


class StatusReport(_Message):
    """The status of a worker."""

    is_: Literal["report"] = Field(default="report", alias="is")
    age: float
    """how many seconds ago its relay loop turned"""
    status: ProcessStatus


class ToldToEnd(_Message):
    """A signal has told the worker to end, and it waits for `Stay` or `Drain`."""

    is_: Literal["told to end"] = Field(default="told to end", alias="is")


ToWorker = Configure | Drain | Stay | End | SendStatus
Outcome = Up | Serving | Refused
FromWorker = Up | Serving | Refused | StatusReport | ToldToEnd

_TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(Annotated[ToWorker, Field(discriminator="do")])
_FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(Annotated[FromWorker, Field(discriminator="is_")])


def to_worker(said: Said) -> ToWorker | None:
    """Return a message to a worker; None for one of another version, which must be ignored."""
    try:
        return _TO_WORKER.validate_python(said)
    except ValidationError:
        return None


def from_worker(said: Said) -> FromWorker | None:
    """Return a message of a worker; None for one of another version, which must be ignored."""
    try:
        return _FROM_WORKER.validate_python(said)
    except ValidationError:
        return None
