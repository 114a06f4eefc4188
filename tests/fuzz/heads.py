"""`python -m tests.fuzz.heads`: heads that are made at random, read by the gateway and by h11. See --help."""

import argparse
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

from tests.wire.heads import read
from wsgateway.wire.heads import Request, Response, requests_websocket
from wsgateway.wire.oddities import EVERY
from wsgateway.wire.response_head import ResponseHead

from .differences import LEFT_REQUESTS, LEFT_RESPONSES, REQUESTS, RESPONSES, Case, Difference, Left, explained
from .making import REQUESTS as REQUEST_BASES
from .making import RESPONSES as RESPONSE_BASES
from .making import items, made, pieces, text
from .readings import (
    counted,
    our_request,
    our_responses,
    our_switch,
    our_written,
    their_request,
    their_responses,
    their_switch,
    their_written,
)

_TOLERANCES = (EVERY["client"], frozenset())
_MOST_FAULTS = 20
ASKED: Request = read(REQUEST_BASES[-4])
"""the upgrade to which all responses are the answer"""


@dataclass
class Tally:
    """What a run has seen."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """how many heads were read here without h11, by h11, or not at all"""
    allowed: Counter[Difference] = field(default_factory=Counter)
    left: Counter[Left] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def request_case(chance: random.Random) -> Case:
    data = made(chance, REQUEST_BASES)
    ours = our_request(pieces(chance, data), chance.choice(_TOLERANCES))
    return Case(data, ours, their_request(data))


def response_case(chance: random.Random) -> Case:
    data = made(chance, RESPONSE_BASES)
    ended = chance.random() < 0.3
    ours = our_responses(ASKED, [*pieces(chance, data), *([b""] if ended else [])])
    return Case(data, ours, their_responses(ASKED, data, ended))


def note(tally: Tally, case: Case, table: tuple[Difference, ...], left: tuple[Left, ...], upgrade: bool) -> None:
    """Count a case, and find its faults; `upgrade`: whether both have read an upgrade, or a 101."""
    rows, enough = explained(case, table)
    tally.allowed.update(rows)
    if not enough:
        tally.faults.append(f"not explained: {case.data!r}\n  ours {case.ours}\n  h11  {case.theirs}")
    by = "h11" if case.ours.by_h11 else "us alone"
    read = f"{'an' if upgrade else 'no'} upgrade, read by {by}"
    tally.outcomes[read if case.kinds[0] == "read" else case.kinds[0]] += 1
    if upgrade and case.ours.by_h11:
        causes = [row for row in left if row.seen(case)]
        tally.left.update(causes)
        if not causes:
            tally.faults.append(f"left to h11: {case.data!r}\n  ours {case.ours}")


def _is_upgrade(message: Request | Response | None) -> bool:
    if isinstance(message, Response):
        return message.status == 101
    return message is not None and requests_websocket(message.headers)


def run(seed: int, count: int) -> Tally:
    """Make so many heads, a third of them to be written, and compare what becomes of them."""
    chance, tally = random.Random(seed), Tally()
    with counted():
        for number in range(count):
            match number % 3:
                case 0:
                    case_ = request_case(chance)
                    note(tally, case_, REQUESTS, LEFT_REQUESTS, _is_upgrade(case_.ours.message))
                case 1:
                    case_ = response_case(chance)
                    note(tally, case_, RESPONSES, LEFT_RESPONSES, _is_upgrade(case_.ours.message))
                case _:
                    write(tally, chance)
            if len(tally.faults) >= _MOST_FAULTS:
                break
    return tally


def write(tally: Tally, chance: random.Random) -> None:
    given = items(chance)
    target, reason = text(chance), text(chance)
    answer = [each for each in given if each[0].lower() != "host"]
    for what, (ours, by_h11), theirs in (
        ("request", our_written(target, given), their_written(target, given)),
        ("101", our_switch(_ASKED, reason, answer), their_switch(_ASKED, reason, answer)),
    ):
        if ours != theirs:
            tally.faults.append(f"written {what}: {target!r} {reason!r} {given!r}\n  ours {ours!r}\n  h11  {theirs!r}")
        tally.outcomes[f"{what} written by {'h11' if by_h11 else 'us alone'}" if ours else f"{what} not written"] += 1


_ASKED = ResponseHead().request(ASKED)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.heads",
        description="Has the gateway and h11 read and write the same heads, which are made at random from those of"
        " programs. Prints what became of them, and every difference. Exit status 0: each one is in the table.",
    )
    parser.add_argument("--heads", type=int, default=100_000, help="how many; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    options = parser.parse_args()
    tally = run(options.seed, options.heads)
    for what, number in sorted(tally.outcomes.items()):
        print(f"{number:9} {what}")
    for title, rows in (("differences that are allowed", tally.allowed), ("upgrades left to h11", tally.left)):
        print(f"\n{title}:")
        for row, number in rows.most_common():
            print(f"{number:9} {row.what}: {row.reason}")
    print("\n" + ("\n".join(tally.faults) or "no other difference"))
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
