"""Sessions of all dialects while the gateway changes, is replaced and loses workers, and while upstreams go and come.

What a client may meet, and when, is judged by `tests.soak`, which does the same with more of all, and for longer.
"""

from pathlib import Path

from tests.soak.plan import Plan
from tests.soak.run import soak

SESSIONS = 60


async def test_reloads_and_a_hand_over_cost_no_session_anything_but_a_goodbye(tmp_path: Path) -> None:
    quiet = Plan(3, SESSIONS, workers=2, seed=1, reloads=6, refused=1, hand_overs=1, kills=0, outages=0)
    judge = (await soak(quiet, tmp_path)).judge
    assert judge.faults == []
    assert (judge.counts["reloads"], judge.counts["refused reloads"], judge.counts["hand-overs"]) == (6, 1, 1)
    assert judge.counts["sent home"] > 0


async def test_a_killed_worker_and_upstreams_that_restart_cost_their_own_sessions_alone(tmp_path: Path) -> None:
    rough = Plan(3, SESSIONS, workers=2, seed=2, reloads=1, refused=0, hand_overs=0, kills=1, outages=2)
    judge = (await soak(rough, tmp_path)).judge
    assert judge.faults == []
    assert (judge.counts["workers killed"], judge.counts["upstreams killed"]) == (1, 2)
    assert judge.counts["lost with a worker"] > 0
    assert judge.counts["lost with an upstream"] > 0
