"""All of a soak: a warm-up, clients and chaos, and what is left when all have gone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

from wsgateway.observe.status import Status

from .chaos import Chaos, configuration
from .crowd import Crowd
from .gateway import ANSWER_SECONDS, LOOK_SECONDS, Figures, Gateway
from .judge import Judge
from .outage import EchoProcess
from .plan import Plan

UPSTREAMS = 3
REPORT_SECONDS = 10.0
LOOKS = 5
# Sessions of all kinds, before anything is measured.
WARM_UP_SECONDS = 5.0
# What Python keeps of a crowd that has gone.
GROWTH_BYTES = 24 * 1024 * 1024


@dataclass(frozen=True)
class Report:
    """How a run went."""

    judge: Judge
    before: dict[str, Figures]
    after: dict[str, Figures]

    def __str__(self) -> str:
        lines = [f"{count:8} {what}" for what, count in sorted(self.judge.counts.items())]
        for name, figures in self.after.items():
            was = self.before.get(name)
            lines.append(f"{name}: {figures}" + ("" if was is None else f"; before: {was}"))
        return "\n".join(lines)


async def soak(plan: Plan, folder: Path, log: Path | None = None) -> Report:
    """Run it all. What should not have been is in the judge's `faults`."""
    judge = Judge()
    upstreams = [EchoProcess(f"upstream {number}") for number in range(1, UPSTREAMS + 1)]
    gateway = Gateway(folder / "gateway.yaml", judge, log)
    try:
        async with trio.open_nursery() as nursery:
            for upstream in upstreams:
                nursery.start_soon(upstream.start)
        async with trio.open_nursery() as nursery:
            await gateway.start(configuration(upstreams, plan.workers), nursery)
            chaos = Chaos(plan, gateway, upstreams, judge)
            await gateway.settled(plan.workers)
            await _crowd(plan, gateway, judge, None)
            with trio.fail_after(ANSWER_SECONDS):
                await gateway.until(lambda status: not any(_open(status)))
            before = await _figures(gateway)
            await _crowd(plan, gateway, judge, chaos)
            await chaos.restore()
            after = await _left(plan, gateway, judge, before)
            await gateway.stop()
        return Report(judge, before, after)
    finally:
        with trio.CancelScope(shield=True):
            await gateway.close()
            for upstream in upstreams:
                await upstream.close()


async def _crowd(plan: Plan, gateway: Gateway, judge: Judge, chaos: Chaos | None) -> None:
    """Run clients for as long as the chaos lasts, or a warm-up, until they have gone."""
    crowd = Crowd(plan, judge, gateway.ports)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        if chaos is None:
            await trio.sleep(min(WARM_UP_SECONDS, plan.seconds / 4))
        else:
            async with trio.open_nursery() as telling:
                telling.start_soon(_tell, judge)
                await chaos.run()
                telling.cancel_scope.cancel()
        crowd.enough.set()


async def _tell(judge: Judge) -> None:
    """Say how it goes."""
    begun = trio.current_time()
    while True:
        await trio.sleep(REPORT_SECONDS)
        told = ", ".join(f"{judge.counts[what]} {what}" for what in ("sessions", "messages", "faults"))
        print(f"{trio.current_time() - begun:6.0f} s: {len(judge.live)} clients; so far {told}", flush=True)


async def _figures(gateway: Gateway) -> dict[str, Figures]:
    """Return what processes have: the least of several looks, since who asks for the status is a client, too."""
    looks = [await gateway.figures() for _ in range(LOOKS)]
    return {name: min((look[name] for look in looks), key=lambda figures: figures.descriptors) for name in looks[0]}


async def _left(plan: Plan, gateway: Gateway, judge: Judge, before: dict[str, Figures]) -> dict[str, Figures]:
    """Return what a gateway has without clients: it has to be what it had before, and its figures have to add up."""
    until = trio.current_time() + ANSWER_SECONDS
    while True:
        status = await gateway.settled(plan.workers)
        after = await _figures(gateway)
        wrong = [*_unequal(before, after), *_open(status), *_uncounted(plan, gateway, judge, status)]
        if not wrong or trio.current_time() > until:
            break
        await trio.sleep(LOOK_SECONDS)
    for each in wrong:
        judge.fault(each)
    return after


def _unequal(before: dict[str, Figures], after: dict[str, Figures]) -> Iterator[str]:
    """Yield what processes have too much. One that is new is held against the others."""
    usual = {name.split()[0]: figures for name, figures in before.items()}
    for name, figures in after.items():
        was = usual[name.split()[0]]
        if figures.descriptors != was.descriptors:
            yield f"{name} has {figures.descriptors} descriptors, and had {was.descriptors}"
        if figures.resident_bytes > was.resident_bytes + GROWTH_BYTES:
            yield f"{name} has grown: {figures}; before: {was}"


def _open(status: Status) -> Iterator[str]:
    """Yield what is still open, as the gateway says."""
    for worker in status["workers"]:
        told = worker["status"]
        opened, ended = (sum(told[key].values()) for key in ("opened", "ended"))
        if opened != ended or told["sessions"]:
            yield f"worker {worker['worker']} has opened {opened} sessions and ended {ended}"
        for key in ("connections", "pools"):
            if any(each["open"] for each in told[key].values()):
                yield f"worker {worker['worker']} has open {key}: {told[key]}"


def _uncounted(plan: Plan, gateway: Gateway, judge: Judge, status: Status) -> Iterator[str]:
    """Yield what its figures and its log do not tell of. Who was killed could not tell of everything."""
    sessions, lines = judge.counts["sessions"], gateway.session_lines
    untold = judge.counts["connections of killed workers"] + gateway.dropped_lines
    if not sessions - untold <= lines <= sessions:
        yield f"the log tells of {lines} sessions, and there were {sessions}"
    opened, ended = (sum(status["gateway"][key].values()) for key in ("opened", "ended"))
    if not (plan.kills or ended == opened):
        yield f"the gateway has opened {opened} sessions and ended {ended}"
    if not (plan.kills or plan.hand_overs or opened == sessions):
        yield f"the gateway has opened {opened} sessions, and there were {sessions}"
