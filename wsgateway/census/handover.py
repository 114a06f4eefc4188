"""What one supervisor gives to the next about the census, when both run: see `run.hot_restart`."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from wsgateway.census.state import State
from wsgateway.census.tally import Counts
from wsgateway.observe.shape import shaped


class Successor(Protocol):
    """The next supervisor, which gets all that is counted from now on."""

    def count(self, source: str, counts: Iterable[Counts]) -> None:
        """Give it what a process has counted."""

    def lose(self, source: str) -> None:
        """Tell it that a process has ended."""

    async def close(self) -> None:
        """Wait until it has got all."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A census that another process goes on with."""

    file: str | None
    """where it was kept"""
    has_file: bool
    """whether all that is in the file is in the state, too"""
    state: State
    opened: dict[str, list[tuple[str, str, str, int]]]
    """the open sessions of each process: dialect, dimension, value, and how many"""

    def packed(self) -> bytes:
        """Return it as bytes. With thousands of rows this takes a tenth of a second."""
        return json.dumps(asdict(self)).encode()


def unpacked(data: bytes) -> HandedOver:
    """Return what was packed, perhaps by another version. Raise ValueError."""
    found = json.loads(data)
    if not isinstance(found, dict) or not isinstance(found.get("state"), dict):
        raise ValueError("this is no census")
    state = {each.name: _known(found["state"].get(each.name), each.type) for each in fields(State)}
    known = {each.name: found.get(each.name) for each in fields(HandedOver)}
    return shaped(HandedOver, {**known, "state": state})


def _known(lines: Any, kind: Any) -> list[dict[str, Any]]:
    """Return the lines of a table without the columns of another version."""
    [line] = kind.__args__
    names = {each.name for each in fields(line)}
    return [{name: value for name, value in each.items() if name in names} for each in lines or []]
