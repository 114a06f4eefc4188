"""The workers of a gateway: a number of processes with one configuration, started again when they die."""

from collections.abc import Awaitable, Callable
from itertools import chain

import trio

from wsgateway.errors import Reason, StartError
from wsgateway.observe.log import Log
from wsgateway.observe.names import names_of
from wsgateway.observe.refusals import Refusal, newest
from wsgateway.observe.status import WorkerPoolStatus, merged
from wsgateway.run.adjustments import Adjustments
from wsgateway.run.generation import Generation
from wsgateway.run.messages import Adjust, Drain, End, Refused, Stay
from wsgateway.run.past_counts import PastCounts
from wsgateway.run.process import KILL_SECONDS, Order, WorkerProcess
from wsgateway.run.slot import SlotState, WorkerSlot

# No turn of the relay loop takes a tenth of a second. A worker that is silent for so long does not turn any more.
HUNG_WORKER_SECONDS = 20.0
# A check that is so late says nothing about the workers: the supervisor itself, or the machine, stood still.
LATE_SECONDS = 1.0
# For all workers to report, if a client waits for the status.
REPORT_SECONDS = 1.0
# A signal for all processes reaches all of them within this time.
SIGNAL_SECONDS = 0.5
# Of one slot, in a row, while no worker began to serve: then the gateway ends with a fault.
MOST_FAILED_STARTS = 10


class WorkerPool:
    """A pool that keeps workers running, in the caller's nursery."""

    def __init__(
        self,
        log: Log,
        nursery: trio.Nursery,
        hung_seconds: float = HUNG_WORKER_SECONDS,
        start: Callable[[int], Awaitable[WorkerProcess]] = WorkerProcess.start,
    ) -> None:
        """Take a function that starts a process without a configuration, for the slot with a number.

        It raises OSError if the system allows no more processes.
        """
        self._log = log
        self._nursery = nursery
        self._hung_seconds = hung_seconds
        self._start_process = start
        self._slots: list[WorkerSlot] = []
        self._changing = trio.Lock()  # no worker starts to serve while the configuration changes
        self._generation: Generation | None = None
        self._up = False
        self._checked = trio.current_time()
        self._not_serving = ""  # the reason, if it is known
        self._news = trio.lowlevel.ParkingLot()  # of slots that are settled, or ended
        self.past = PastCounts()
        """what ended workers have counted, and the gateway before this one"""
        self.processes = 0
        """how many processes there were, also those of supervisors before this one; the last one has this number"""
        self.adjustments = Adjustments()
        """what operators have changed; `adjust` tells it to the workers"""
        self.draining = False
        """whether it is about to end: it is not ready any more, though it may serve for a while"""
        self.failure: StartError | None = None
        """the reason why it has given up"""

    # -- start ----------------------------------------------------------------------------------------------------

    async def start(self, generation: Generation) -> None:
        """Start the workers and wait until all serve. If the pool is drained meanwhile, return early.

        Raise StartError as soon as one ends before all serve; then all have ended.
        """
        self._generation = generation
        self.past.keep(names_of(generation.settings))
        self._add(generation.workers)
        slots = list(self._slots)
        while not all(slot.settled for slot in slots) and not any(slot.why for slot in slots):
            await self._news.park()
        failed = [slot.why for slot in slots if slot.why]
        if failed and not self.draining:
            self.end()
            await self.ended()
            raise StartError(failed[0])
        self._up = True

    def _add(self, count: int) -> None:
        number = max((slot.number for slot in self._slots), default=0)
        for each in range(number + 1, number + count + 1):
            slot = WorkerSlot(each)
            self._slots.append(slot)
            self._nursery.start_soon(self._keep, slot)

    async def _keep(self, slot: WorkerSlot) -> None:
        """Run one process of a slot after the other."""
        try:
            while not slot.leaves:
                await self._after(slot, await self._live(slot))
        finally:
            slot.settled = True
            self._slots.remove(slot)
            self._news.unpark_all()

    async def _after(self, slot: WorkerSlot, how: str) -> None:
        """Act on the end of a process: the next one is started, or the slot ends."""
        if slot.leaves:
            return
        if not self._up:
            slot.state = SlotState.LEAVING
            who = "all workers" if slot.settled else "it"
            slot.why = slot.why or f"worker {slot.number} ended before {who} served: {how}"
            return
        slot.died()
        self._log_death(slot, how)
        if not self._give_up(slot):
            await self._wait(slot)

    def _log_death(self, slot: WorkerSlot, how: str) -> None:
        why = {"why": slot.why} if slot.why else {}
        self._log.error("worker ended", worker=slot.number, how=how, **why, again_in_seconds=slot.pause_seconds)
        slot.state = SlotState.WAITING
        slot.restarts += 1
        self.past.restarted()
        if not self.draining and not self._any_serves():
            news = not self._not_serving
            self._not_serving = slot.why or f"worker {slot.number} ended {how}"
            if news:
                self._log.error("not serving", why=self._not_serving)

    def _give_up(self, slot: WorkerSlot) -> bool:
        """End the worker pool if no worker serves, and this slot has failed too often to start.

        If a worker still drains, do not: its sessions go on, and ending them would gain nothing.
        """
        if self.draining or slot.failed_starts < MOST_FAILED_STARTS or self._any_serves():
            return False
        if any(each.leaves and each.worker is not None for each in self._slots):
            return False
        self.failure = StartError(f"no worker serves, and {slot.failed_starts} starts failed: {self._not_serving}")
        self._log.error("given up", why=str(self.failure))
        self.end()
        return True

    async def _wait(self, slot: WorkerSlot) -> None:
        with trio.CancelScope() as slot.pause:
            await trio.sleep(slot.pause_seconds)
        if slot.state is SlotState.WAITING:
            slot.state, slot.why = SlotState.STARTING, ""

    async def _live(self, slot: WorkerSlot) -> str:
        """Run one process from its start to its end. Return a text for how it ended."""
        try:
            worker = await self._start_process(slot.number)
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        slot.begin(worker)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._configure, slot, worker)
                nursery.start_soon(self._answer_signals, worker)
                how = await worker.listen()
                nursery.cancel_scope.cancel()
        finally:
            self.past.add(worker.status)
            self.past.refuse(worker.refusals)
            slot.worker = None
        slot.why = slot.why or (worker.why and f"worker {slot.number}: {worker.why}")
        return how

    def _numbered(self) -> int:
        self.processes += 1
        return self.processes

    async def _configure(self, slot: WorkerSlot, worker: WorkerProcess) -> None:
        """Have a new process serve. One that does not, ends."""
        if await worker.answer() is None:
            return
        async with self._changing:
            if slot.leaves or self._generation is None:
                worker.kill()
                return
            answer = await worker.carry_out(self._generation.order("serve", self.adjustments, self._numbered()))
            if answer is None:
                return
            if isinstance(answer, Refused):
                slot.why = f"worker {slot.number}: {answer.why}"
                return
            if not slot.leaves:
                slot.state = SlotState.SERVING
        self._log.info("worker serves", worker=slot.number, pid=worker.pid)
        slot.serving_since = trio.current_time()
        slot.settled = True
        self._news.unpark_all()
        for each in self._slots:
            each.failed_starts = 0
        if self._not_serving:
            self._not_serving = ""
            self._log.info("serving again")

    async def _answer_signals(self, worker: WorkerProcess) -> None:
        """Send an order to a process that has received a signal to end.

        If all processes are to end, it stays until the pool drains; otherwise it drains alone.
        """
        while True:
            await worker.told_to_end.wait()
            worker.told_to_end = trio.Event()
            await trio.sleep(SIGNAL_SECONDS)  # until this process has received the signal, too, if it was for all
            alone = Drain(others_accept=True)  # another worker takes its place when it has ended
            await worker.send(Order(Stay() if self.draining else alone))

    # -- changes -----------------------------------------------------------------------------------------------------

    async def change(self, generation: Generation) -> None:
        """Have all workers serve another configuration, and start or end workers until their number is right.

        Raise StartError if a worker cannot serve it; then all serve the old one again. One that drains need not.
        """
        async with self._changing:
            taken: list[WorkerProcess] = []
            for worker in self.serving():
                answer = await worker.carry_out(generation.order("reload", self.adjustments))
                if isinstance(answer, Refused):
                    if answer.error.reason is Reason.GATEWAY_STOPPING:  # it drains, and keeps its configuration
                        continue
                    assert self._generation is not None, "somebody serves"
                    for each in taken:
                        await self._take_back(each, self._generation)
                    raise answer.error
                taken.append(worker)
            self._generation = generation
            self.adjustments = self.adjustments.within(generation.settings)
            self.past.keep(names_of(generation.settings))
        staying = [slot for slot in self._slots if not slot.leaves]
        self._add(max(0, generation.workers - len(staying)))
        for slot in staying[generation.workers :]:
            await self._leave(slot, others_accept=True)

    async def adjust(self, change: Callable[[Adjustments], Adjustments]) -> Adjustments:
        """Change what operators have changed, and tell all workers, also those that start later. Return what was."""
        async with self._changing:
            before, self.adjustments = self.adjustments, change(self.adjustments)
            drained, levels = self.adjustments.said()
            for worker in self.serving():
                await worker.send(Order(Adjust(drained=drained, levels=levels)))
            return before

    async def _take_back(self, worker: WorkerProcess, generation: Generation) -> None:
        answer = await worker.carry_out(generation.order("reload", self.adjustments))
        if isinstance(answer, Refused):
            self._log.error("reload not undone", pid=worker.pid, **answer.error.reason.facts, why=answer.why)

    async def drain(self, others_accept: bool) -> None:
        """Have all workers drain. `others_accept`: a new supervisor accepts the clients that wait at the sockets."""
        self.draining = True
        for slot in list(self._slots):
            await self._leave(slot, others_accept)

    async def _leave(self, slot: WorkerSlot, others_accept: bool) -> None:
        before, slot.state = slot.state, SlotState.LEAVING
        slot.pause.cancel()
        if slot.worker is not None:
            if before is SlotState.STARTING:
                slot.worker.kill()
            else:
                await slot.worker.send(Order(Drain(others_accept=others_accept)))

    def end(self) -> None:
        """Have all workers end at once."""
        self.draining = True
        for slot in list(self._slots):
            slot.state = SlotState.LEAVING
            slot.pause.cancel()
            if slot.worker is not None:
                self._nursery.start_soon(self._end, slot.worker)

    async def _end(self, worker: WorkerProcess) -> None:
        with trio.move_on_after(KILL_SECONDS):
            await worker.send(Order(End()))
            await trio.sleep_forever()
        worker.kill()

    async def ended(self) -> None:
        """Wait until all workers have ended."""
        while self._slots:
            await self._news.park()

    # -- status -----------------------------------------------------------------------------------------------------

    async def report(self) -> None:
        """Request a report of each worker, and wait for them for a short time."""
        with trio.move_on_after(REPORT_SECONDS):
            async with trio.open_nursery() as nursery:
                for worker in self.serving():
                    nursery.start_soon(worker.fetch_report)

    def check(self, due: float) -> float:
        """Check that all workers have answered since the last check, and request reports again.

        Kill workers that have not answered for too long. `due` is the time for which this check was planned. Return for
        how many seconds a worker has been silent, at most. Only checks on time count, and a late one resets them: a
        machine that stood still, or is overloaded, is no reason to kill workers.
        """
        now = trio.current_time()
        passed, self._checked = now - self._checked, now
        late = now - due > LATE_SECONDS
        longest = 0.0
        for slot in self._slots:
            worker = slot.worker
            if worker is None or slot.state is SlotState.STARTING:
                continue
            slot.silent_seconds = 0.0 if late or worker.answers else slot.silent_seconds + passed
            longest = max(longest, slot.silent_seconds)
            if slot.silent_seconds > self._hung_seconds:
                seconds = round(slot.silent_seconds, 3)
                self._log.error("worker hangs", worker=slot.number, pid=worker.pid, seconds=seconds)
                worker.kill()
            self._nursery.start_soon(worker.request_report)
        return longest

    def serving(self) -> list[WorkerProcess]:
        """Return the processes that serve, also those that drain."""
        serve = (SlotState.SERVING, SlotState.LEAVING)
        return [slot.worker for slot in self._slots if slot.worker is not None and slot.state in serve]

    async def changed(self) -> None:
        """Wait until another process serves, or a slot is given up."""
        await self._news.park()

    def _any_serves(self) -> bool:
        return any(slot.state is SlotState.SERVING for slot in self._slots)

    @property
    def ready(self) -> bool:
        """Whether a worker serves, and the pool does not drain."""
        return not self.draining and self._any_serves()

    def refusals(self) -> list[Refusal]:
        """Return the last clients that got no session, as all processes have told, the oldest first."""
        there = (slot.worker.refusals for slot in self._slots if slot.worker is not None)
        return newest(chain(self.past.refusals, *there))

    def status(self) -> WorkerPoolStatus:
        """Return the status of all workers together, and of each one."""
        workers = [slot.status() for slot in self._slots]
        together = merged([self.past.status(), *(each["status"] for each in workers)])
        return {
            "draining": self.draining,
            "ready": self.ready,
            "not_serving": self._not_serving or None,
            "restarts": self.past.restarts,
            "gateway": together,
            "workers": workers,
        }
