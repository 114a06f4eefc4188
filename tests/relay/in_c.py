"""A translator with the lane in C before it, as the engine has it, and both beside each other."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import tee
from typing import Any

from wsgateway.dialects.base import Plan, Step, Translator
from wsgateway.errors import ProtocolError
from wsgateway.native import Lane, step


class InC:
    """A translator that gets what C leaves; C takes bytes while it is at rest."""

    def __init__(self, translator: Translator, keys: Iterator[bytes], passed: int = 0) -> None:
        self.translator = translator
        self._keys = keys
        self._lane = Lane()
        self._lane.passed = passed
        self._plan: Plan | None = translator.plan
        if self._plan is not None:
            self._lane.equip(0, 0, self._plan)
        self.taken = 0
        """how many bytes C has taken"""
        self.finish, self.inside, self.unfinished = translator.finish, translator.inside, translator.unfinished
        self.release = translator.release

    @property
    def passed(self) -> int:
        """How many messages C has passed on."""
        return self._lane.passed

    @property
    def messages(self) -> int:
        return self.translator.messages + self.passed

    @property
    def heartbeats(self) -> int:
        return self.translator.heartbeats

    def feed(self, data: bytes) -> Step:
        translator, lane, forward = self.translator, self._lane, b""
        if self._plan is not None and translator.at_rest:
            lane.left = translator.unfinished() or 0
            taken, forward = lane.pass_on(data, self._keys)
            self.taken += taken
            if self._plan.walks:
                translator.left = lane.left  # type: ignore[attr-defined]
            if taken == len(data):
                return Step(forward)
            data = data[taken:]
        rest = translator.feed(data)
        return replace(rest, forward=forward + rest.forward)


class Both:
    """A translator in Python alone and one with C before it: all that they return is compared, and returned once."""

    def __init__(self, made: Callable[[Iterator[bytes]], Translator], keys: Iterator[bytes]) -> None:
        first, second = tee(keys)
        self._python = made(first)
        self._c = InC(made(second), second)

    def feed(self, data: bytes) -> Step:
        return self._same(self._python.feed(data), self._c.feed(data))

    def finish(self) -> Step:
        return self._same(self._python.finish(), self._c.finish())

    def release(self) -> bytes | None:
        released = self._python.release()
        assert self._c.release() == released
        return released

    def inside(self) -> bool:
        return self._python.inside()

    def unfinished(self) -> int | None:
        return self._python.unfinished()

    @property
    def messages(self) -> int:
        return self._python.messages

    @property
    def heartbeats(self) -> int:
        return self._python.heartbeats

    @property
    def plan(self) -> Plan | None:
        return self._python.plan

    @property
    def at_rest(self) -> bool:
        return self._python.at_rest

    @property
    def taken(self) -> int:
        """How many bytes C has taken."""
        return self._c.taken

    def _same(self, expected: Step, seen: Step) -> Step:
        assert _seen(seen, self._c) == _seen(expected, self._python)
        return expected


def _seen(step: Step, translator: Translator | InC) -> tuple[Any, ...]:
    """Return all that can be seen of a translator after a step, in a form that can be compared."""
    counts = translator.messages, translator.heartbeats, translator.unfinished(), translator.inside()
    ending = step.ending
    told = (ending.reason, ending.close_code, str(ending)) if isinstance(ending, ProtocolError) else ending
    return step.forward, step.reply, told, step.close_bytes, step.held, counts


def on_both(made: Callable[[Iterator[bytes]], Translator], keys: Iterator[bytes]) -> Translator:
    """Return the translator that is made with these keys; where C may take its place, both are compared."""
    translator = made(keys)
    return translator if step is None or translator.plan is None else Both(made, keys)
