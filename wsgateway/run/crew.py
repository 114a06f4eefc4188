"""The workers of a gateway: as many as are wanted, started again when they die, and all with one configuration."""

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import trio

from wsgateway.errors import WsgatewayError
from wsgateway.observe.log import Log
from wsgateway.observe.metrics import of_targets, rising
from wsgateway.observe.status import Status, merged
from wsgateway.run.finished import VERSION
from wsgateway.run.listening import Listening
from wsgateway.run.post import Post, State
from wsgateway.run.process import KILL_SECONDS, Order, WorkerProcess
from wsgateway.settings.certificates import Known
from wsgateway.settings.load import Source
from wsgateway.settings.model import Settings

# No turn of the relay loop takes a tenth of a second. Who answers nobody for so long makes none any more.
HUNG_SECONDS = 20.0
# A look at the workers that is so much too late says nothing of them: we ourselves, or the machine, stood still.
LATE_SECONDS = 1.0
# For all workers to say how they are, where somebody waits for it.
REPORT_SECONDS = 1.0
# A signal for all processes comes to all of them within this time.
WORD_SECONDS = 0.5
# Of one post, in a row, and no worker began to serve in between: whoever has started us should know.
MOST_FAILED_STARTS = 10


class StartError(WsgatewayError):
    """The workers cannot come up, or cannot take a configuration."""


@dataclass(frozen=True)
class Made:
    """What was made of a configuration when it was read."""

    source: Source
    settings: Settings
    certificates: tuple[Known, ...] = ()
    """which the settings name, as they were then"""
    packed: bytes = b""
    """the settings, for workers that run the same code; empty: they read the text again"""


@dataclass(frozen=True)
class Job:
    """What workers serve."""

    made: Made
    listening: Listening

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.made.settings

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
                "file": self.made.source.file,
                "text": self.made.source.text,
                "directory": self.made.source.directory,
                "version": VERSION,
                "workers": self.workers,
                "sockets": told,
            },
            tuple(sockets),
            self.made.packed,
        )


class Crew:
    """Keeps workers running, in the caller's nursery."""

    def __init__(
        self,
        log: Log,
        nursery: trio.Nursery,
        hung_seconds: float = HUNG_SECONDS,
        start: Callable[[int], Awaitable[WorkerProcess]] = WorkerProcess.start,
    ) -> None:
        """`start` starts a process that knows nothing yet, for the post with a number. It raises OSError if there can
        be no more processes."""
        self._log = log
        self._nursery = nursery
        self._hung_seconds = hung_seconds
        self._start_process = start
        self._posts: list[Post] = []
        self._changing = trio.Lock()  # nobody starts to serve while the configuration changes
        self._job: Job | None = None
        self._up = False
        self._looked = trio.current_time()
        self._not_serving = ""  # why, if that was told
        self._news = trio.lowlevel.ParkingLot()  # of posts that are settled, or gone
        self._restarts = 0
        self._past: dict[str, Any] = {}  # what workers that are no more have counted
        self.draining = False
        """whether it is about to end, and not ready any more, though it may serve for a while"""
        self.failure: StartError | None = None
        """why it has given up"""

    # -- the beginning ---------------------------------------------------------------------------------------------

    async def start(self, job: Job) -> None:
        """Start the workers and wait until they serve. Raise StartError as soon as one ends before all do; then none is
        left.

        Who drains the crew meanwhile has it return early.
        """
        self._job = job
        self._add(job.workers)
        posts = list(self._posts)
        while not all(post.settled for post in posts) and not any(post.why for post in posts):
            await self._news.park()
        failed = [post.why for post in posts if post.why]
        if failed and not self.draining:
            self.end()
            await self.gone()
            raise StartError(failed[0])
        self._up = True

    def _add(self, count: int) -> None:
        number = max((post.number for post in self._posts), default=0)
        for each in range(number + 1, number + count + 1):
            post = Post(each)
            self._posts.append(post)
            self._nursery.start_soon(self._keep, post)

    async def _keep(self, post: Post) -> None:
        """Live the life of a post: one process after the other."""
        try:
            while not post.leaves:
                await self._after(post, await self._live(post))
        finally:
            post.settled = True
            self._posts.remove(post)
            self._news.unpark_all()

    async def _after(self, post: Post, how: str) -> None:
        """Do what follows the end of a process: the next one is started, or the post ends."""
        if post.leaves:
            return
        if not self._up:
            post.state = State.LEAVING
            who = "all workers" if post.settled else "it"
            post.why = post.why or f"worker {post.number} ended before {who} served: {how}"
            return
        post.died()
        self._tell_of_death(post, how)
        if not self._give_up(post):
            await self._wait(post)

    def _tell_of_death(self, post: Post, how: str) -> None:
        why = {"why": post.why} if post.why else {}
        self._log.error("worker ended", worker=post.number, how=how, **why, again_in_seconds=post.pause_seconds)
        post.state = State.WAITING
        post.restarts += 1
        self._restarts += 1
        if not self.draining and not self._any_serves():
            news = not self._not_serving
            self._not_serving = post.why or f"worker {post.number} ended {how}"
            if news:
                self._log.error("not serving", why=self._not_serving)

    def _give_up(self, post: Post) -> bool:
        """End the crew if nobody serves, and this post has failed too often to start. While a worker that drains has
        sessions, they are more than a new start could save."""
        if self.draining or post.failed_starts < MOST_FAILED_STARTS or self._any_serves():
            return False
        if any(each.leaves and each.worker is not None for each in self._posts):
            return False
        self.failure = StartError(f"no worker serves, and {post.failed_starts} starts failed: {self._not_serving}")
        self._log.error("given up", why=str(self.failure))
        self.end()
        return True

    async def _wait(self, post: Post) -> None:
        with trio.CancelScope() as post.pause:
            await trio.sleep(post.pause_seconds)
        if post.state is State.WAITING:
            post.state, post.why = State.STARTING, ""

    async def _live(self, post: Post) -> str:
        """Live one process of it, from its start to its end. Return how it ended."""
        try:
            worker = await self._start_process(post.number)
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        post.begin(worker)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._employ, post, worker)
                nursery.start_soon(self._give_word, worker)
                how = await worker.listen()
                nursery.cancel_scope.cancel()
        finally:
            self._past = merged([self._past, rising(worker.status)])
            post.worker = None
        post.why = post.why or (worker.why and f"worker {post.number}: {worker.why}")
        return how

    async def _employ(self, post: Post, worker: WorkerProcess) -> None:
        """Have a new process serve. If it does not, it ends."""
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
        post.serving_since = trio.current_time()
        post.settled = True
        self._news.unpark_all()
        for each in self._posts:
            each.failed_starts = 0
        if self._not_serving:
            self._not_serving = ""
            self._log.info("serving again")

    async def _give_word(self, worker: WorkerProcess) -> None:
        """Tell a process that was told to end whether it alone is meant, or all are: then it ends when they do."""
        while True:
            await worker.told_to_end.wait()
            worker.told_to_end = trio.Event()
            await trio.sleep(WORD_SECONDS)  # until our own signal has been heard, if there is one
            alone = {"do": "drain", "others_accept": True}  # for it there will be another worker
            await worker.tell(Order({"do": "stay"} if self.draining else alone))

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
            upstreams = job.settings.upstreams
            known = {name: {target.url for target in upstreams[name].targets} for name in upstreams}
            self._past = of_targets(self._past, known)
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
            await self._news.park()

    # -- how they are ------------------------------------------------------------------------------------------------

    async def report(self) -> None:
        """Ask all workers how they are, and wait for that a little."""
        with trio.move_on_after(REPORT_SECONDS):
            async with trio.open_nursery() as nursery:
                for worker in self._serving():
                    nursery.start_soon(worker.report)

    def look(self, due: float) -> float:
        """Look whether all workers have answered since the last look, ask them again, and kill those that have not
        answered for too long. `due` is when this look was to be made. Return for how many seconds one of them has been
        silent, at most.

        Only looks count that were made on time. After a late one all begin anew: a machine that was frozen, or has
        no processor to give, is no reason to kill workers.
        """
        now = trio.current_time()
        passed, self._looked = now - self._looked, now
        late = now - due > LATE_SECONDS
        longest = 0.0
        for post in self._posts:
            worker = post.worker
            if worker is None or post.state is State.STARTING:
                continue
            post.silent_seconds = 0.0 if late or worker.answers else post.silent_seconds + passed
            longest = max(longest, post.silent_seconds)
            if post.silent_seconds > self._hung_seconds:
                seconds = round(post.silent_seconds, 3)
                self._log.error("worker hangs", worker=post.number, pid=worker.pid, seconds=seconds)
                worker.kill()
            self._nursery.start_soon(worker.request)
        return longest

    def _serving(self) -> list[WorkerProcess]:
        serve = (State.SERVING, State.LEAVING)
        return [post.worker for post in self._posts if post.worker is not None and post.state in serve]

    def _any_serves(self) -> bool:
        return any(post.state is State.SERVING for post in self._posts)

    @property
    def ready(self) -> bool:
        """Whether somebody serves, and will go on doing so."""
        return not self.draining and self._any_serves()

    def status(self) -> Status:
        """How the crew is, as JSON may have it: all together, and each."""
        workers = list(self._tell_of_each())
        together = merged([self._past, *(each["status"] for each in workers)])
        return {
            "draining": self.draining,
            "ready": self.ready,
            "not_serving": self._not_serving or None,
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
