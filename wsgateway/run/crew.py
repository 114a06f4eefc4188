"""The workers of a gateway: as many as are wanted, started again when they die, and all with one configuration.

starting   it has no configuration yet, or does not serve yet
serving
leaving    it drains, and is not started again
waiting    it has died, and again and again: it is started a little later each time
"""

import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import trio

from wsgateway.errors import WsgatewayError
from wsgateway.observe.log import Log
from wsgateway.observe.metrics import rising
from wsgateway.observe.status import Status, merged
from wsgateway.run.listening import Listening
from wsgateway.run.process import KILL_SECONDS, Order, WorkerProcess
from wsgateway.settings.load import Source
from wsgateway.settings.model import Settings

# A worker that has lived so long has not died of its start, and the next one may start at once.
STEADY_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
# No turn of the relay loop takes a tenth of a second. Who has made none for so long makes none any more.
HUNG_SECONDS = 20.0
# For all workers to say how they are, where somebody waits for it.
REPORT_SECONDS = 1.0


class StartError(WsgatewayError):
    """The workers cannot come up, or cannot take a configuration."""


class State(enum.Enum):
    """What a post in the crew is at."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    WAITING = "waiting"


@dataclass(frozen=True)
class Job:
    """What workers serve."""

    source: Source
    settings: Settings
    listening: Listening

    @property
    def workers(self) -> int:
        """How many there are to be."""
        return self.settings.workers or len(os.sched_getaffinity(0))

    def order(self, do: str) -> Order:
        """As a worker is told it."""
        told, sockets = self.listening.told(self.settings)
        return Order(
            {
                "do": do,
                "file": self.source.file,
                "text": self.source.text,
                "workers": self.workers,
                "sockets": told,
            },
            tuple(sockets),
        )


@dataclass
class Post:
    """One of the crew, who may be one process after the other."""

    number: int
    state: State = State.STARTING
    worker: WorkerProcess | None = None
    restarts: int = 0
    deaths_in_a_row: int = 0
    pause: trio.CancelScope = field(default_factory=trio.CancelScope)
    settled: trio.Event = field(default_factory=trio.Event)
    """set when it serves for the first time, or cannot"""
    why: str = ""
    """and then why not"""

    @property
    def leaves(self) -> bool:
        """Whether it is not to be started again."""
        return self.state is State.LEAVING


class Crew:
    """Keeps workers running, in the caller's nursery."""

    def __init__(self, log: Log, nursery: trio.Nursery, hung_seconds: float = HUNG_SECONDS) -> None:
        self._log = log
        self._nursery = nursery
        self._hung_seconds = hung_seconds
        self._posts: list[Post] = []
        self._changing = trio.Lock()  # nobody starts to serve while the configuration changes
        self._job: Job | None = None
        self._up = False
        self._gone = trio.lowlevel.ParkingLot()
        self._restarts = 0
        self._past: dict[str, Any] = {}  # what workers that are no more have counted
        self.draining = False
        """whether it is about to end, and not ready any more, though it may serve for a while"""

    # -- the beginning ---------------------------------------------------------------------------------------------

    async def start(self, job: Job) -> None:
        """Starts the workers and waits until they serve. Raises StartError if one cannot; then none does.

        Who drains the crew meanwhile has it return early.
        """
        self._job = job
        self._add(job.workers)
        for post in list(self._posts):
            await post.settled.wait()
            if post.why and not self.draining:
                self.end()
                await self.gone()
                raise StartError(post.why)
        self._up = True

    def _add(self, count: int) -> None:
        number = max((post.number for post in self._posts), default=0)
        for each in range(number + 1, number + count + 1):
            post = Post(each)
            self._posts.append(post)
            self._nursery.start_soon(self._keep, post)

    async def _keep(self, post: Post) -> None:
        """The life of a post: one process after the other."""
        try:
            while not post.leaves:
                begun = trio.current_time()
                how = await self._live(post)
                first = not post.settled.is_set()
                if first:
                    post.why = post.why or f"worker {post.number} ended before it served: {how}"
                    post.settled.set()
                if post.leaves or (first and not self._up):
                    return
                lived = trio.current_time() - begun
                post.deaths_in_a_row = 1 if lived >= STEADY_SECONDS else post.deaths_in_a_row + 1
                await self._wait(post, how)
        finally:
            self._posts.remove(post)
            self._gone.unpark_all()

    async def _wait(self, post: Post, how: str) -> None:
        seconds = pause_seconds(post.deaths_in_a_row)
        why = {"why": post.why} if post.why else {}
        self._log.error("worker ended", worker=post.number, how=how, **why, again_in_seconds=seconds)
        post.state = State.WAITING
        post.restarts += 1
        self._restarts += 1
        with trio.CancelScope() as post.pause:
            await trio.sleep(seconds)
        if post.state is State.WAITING:
            post.state, post.why = State.STARTING, ""

    async def _live(self, post: Post) -> str:
        """One process of it, from its start to its end. Returns how it ended."""
        try:
            worker = await WorkerProcess.start()
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        post.worker = worker
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._employ, post, worker)
                how = await worker.listen()
                nursery.cancel_scope.cancel()
        finally:
            self._past = merged([self._past, rising(worker.status)])
            post.worker = None
        return how

    async def _employ(self, post: Post, worker: WorkerProcess) -> None:
        """Has a new process serve. If it does not, it ends."""
        if await worker.answer() is None:
            return
        async with self._changing:
            if post.leaves or self._job is None:
                worker.kill()
                return
            answer = await worker.ask(self._job.order("serve"))
            if answer is None:
                return
            if answer["is"] != "serving":
                post.why = f"worker {post.number}: {answer['why']}"
                return
            if not post.leaves:
                post.state = State.SERVING
        self._log.info("worker serves", worker=post.number, pid=worker.pid)
        post.settled.set()

    # -- changes -----------------------------------------------------------------------------------------------------

    async def change(self, job: Job) -> None:
        """Has all workers take another configuration, and makes them as many as it wants.

        Raises StartError if one cannot take it: then all have the old one again.
        """
        async with self._changing:
            taken: list[WorkerProcess] = []
            for worker in self._serving():
                answer = await worker.ask(job.order("reload"))
                if answer is not None and answer["is"] != "serving":
                    assert self._job is not None, "somebody serves"
                    for each in taken:
                        await self._take_back(each, self._job)
                    raise StartError(answer["why"])
                taken.append(worker)
            self._job = job
        staying = [post for post in self._posts if not post.leaves]
        self._add(max(0, job.workers - len(staying)))
        for post in staying[job.workers :]:
            await self._leave(post, others_accept=True)

    async def _take_back(self, worker: WorkerProcess, job: Job) -> None:
        answer = await worker.ask(job.order("reload"))
        if answer is not None and answer["is"] != "serving":
            self._log.error("reload not taken back", pid=worker.pid, why=answer["why"])

    async def drain(self, others_accept: bool) -> None:
        """Has all workers drain. Whether others accept those who wait, as a successor does."""
        self.draining = True
        for post in list(self._posts):
            await self._leave(post, others_accept)

    async def _leave(self, post: Post, others_accept: bool) -> None:
        before, post.state = post.state, State.LEAVING
        post.pause.cancel()
        if post.worker is not None:
            if before is State.STARTING:
                post.worker.kill()
            else:
                await post.worker.tell(Order({"do": "drain", "others_accept": others_accept}))

    def end(self) -> None:
        """Has all workers end at once."""
        self.draining = True
        for post in list(self._posts):
            post.state = State.LEAVING
            post.pause.cancel()
            if post.worker is not None:
                self._nursery.start_soon(self._end, post.worker)

    async def _end(self, worker: WorkerProcess) -> None:
        with trio.move_on_after(KILL_SECONDS):
            await worker.tell(Order({"do": "end"}))
            await trio.sleep_forever()
        worker.kill()

    async def gone(self) -> None:
        """Waits until no worker is left."""
        while self._posts:
            await self._gone.park()

    # -- how they are ------------------------------------------------------------------------------------------------

    async def look(self) -> float:
        """Asks all how they are, and kills those that hang. Returns for how many seconds the relay loop of one of them
        has not turned, at most."""
        with trio.move_on_after(REPORT_SECONDS):
            async with trio.open_nursery() as nursery:
                for worker in self._serving():
                    nursery.start_soon(worker.report)
        longest = 0.0
        for post in self._posts:
            if post.worker is None or post.state is State.STARTING:
                continue
            silent = trio.current_time() - post.worker.turned
            longest = max(longest, silent)
            if silent > self._hung_seconds:
                self._log.error("worker hangs", worker=post.number, pid=post.worker.pid, seconds=round(silent, 3))
                post.worker.kill()
        return longest

    def _serving(self) -> list[WorkerProcess]:
        serve = (State.SERVING, State.LEAVING)
        return [post.worker for post in self._posts if post.worker is not None and post.state in serve]

    @property
    def ready(self) -> bool:
        """Whether somebody serves, and will go on doing so."""
        return not self.draining and any(post.state is State.SERVING for post in self._posts)

    def status(self) -> Status:
        """How the crew is, as JSON may have it: all together, and each."""
        workers = list(self._tell_of_each())
        together = merged([self._past, *(each["status"] for each in workers)])
        return {
            "draining": self.draining,
            "ready": self.ready,
            "restarts": self._restarts,
            "gateway": together,
            "workers": workers,
        }

    def _tell_of_each(self) -> Iterator[dict[str, Any]]:
        for post in self._posts:
            worker = post.worker
            yield {
                "worker": post.number,
                "state": post.state.value,
                "pid": None if worker is None else worker.pid,
                "age_seconds": 0.0 if worker is None else round(trio.current_time() - worker.begun, 3),
                "restarts": post.restarts,
                "status": {} if worker is None else worker.status,
            }


def pause_seconds(deaths: int) -> float:
    """How long to wait before the next start of what has died so often in a row: at first not at all."""
    return 0.0 if deaths <= 1 else min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(deaths - 2, 16))
