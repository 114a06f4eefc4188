"""Sessions of all dialects while the gateway reloads, restarts and loses workers, and while upstreams restart.

`tests.soak` does the same with more clients and for longer, and judges what each of them met.
"""

from pathlib import Path

from tests.soak.plan import Plan
from tests.soak.run import soak

SESSIONS = 60


async def test_reloads_and_a_hot_restart_and_a_kill_end_only_the_sessions_of_the_processes_that_end(
    tmp_path: Path,
) -> None:
    plan = Plan(2, SESSIONS, workers=2, seed=1, reloads=6, refused=1, hand_overs=1, kills=1, outages=0)
    judge = (await soak(plan, tmp_path)).judge
    assert judge.faults == []
    assert (judge.counts["reloads"], judge.counts["refused reloads"]) == (6, 1)
    assert (judge.counts["hand-overs"], judge.counts["workers killed"]) == (1, 1)
    assert judge.counts["messages"] > SESSIONS
    assert judge.counts["closed by a drain"] > 0


async def test_upstreams_that_restart_end_their_own_sessions_alone_and_serve_again(tmp_path: Path) -> None:
    plan = Plan(2, SESSIONS, workers=1, seed=1, reloads=0, refused=0, hand_overs=0, kills=0, outages=2)
    judge = (await soak(plan, tmp_path)).judge
    assert judge.faults == []
    assert judge.counts["upstreams killed"] == 2
    assert judge.counts["messages"] > SESSIONS
    assert judge.counts["lost with an upstream"] > 0
