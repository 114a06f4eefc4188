"""The states of what has one while a session lives, as plain values: with them a session can go on in another process.

Each class says beside itself what its state is. It has what came from the peers and is needed to go on, and neither
settings nor what follows from them: a new object gets these when it is made, and then goes on from a state.
"""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from wsgateway.errors import RecordError


@dataclass(frozen=True, slots=True)
class State:
    """The base of all states. Their fields are numbers, bytes, texts, members of an Enum, tuples, and other states."""


StateT = TypeVar("StateT", bound=State)


class Resumable(Protocol):
    """An object whose work can be gone on with by another one."""

    def state(self) -> State:
        """Return the state, as it is between two calls of the other methods."""

    def resume(self, state: State) -> None:
        """Go on from a state: for a new object with the same settings. Raise RecordError for one of another class."""


def expect(kind: type[StateT], state: State | None) -> StateT:
    """Return a state that must be of this class. Raise RecordError if it is not."""
    if not isinstance(state, kind):
        raise RecordError(f"the state of this side is {type(state).__name__}, {kind.__name__} is needed")
    return state
