"""What happens in a soak, and when."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Plan:
    """All that a run is made of. The same seed gives the same moments; what meets there is up to the machine."""

    seconds: float
    sessions: int
    """how many are open at any time"""
    workers: int
    seed: int
    reloads: int
    """with a file that is another one, and good"""
    refused: int
    """with a file that is not good"""
    hand_overs: int
    kills: int
    """of a worker"""
    outages: int
    """of an upstream, which is killed and comes back"""
    freezes: int = 0
    """of all processes of the gateway, as of a container that is paused"""
    log_stalls: int = 0
    """of the reader of the gateway's log, which reads nothing for a while"""
    slow_readers: int = 0
    """clients that read slowly all the time"""

    def schedule(self) -> list[tuple[float, str]]:
        """Return what is done, and how long after the beginning. The last tenth of the time is left for it to show."""
        random = Random(f"{self.seed} schedule")
        kinds = ("reloads", "refused", "hand_overs", "kills", "outages", "freezes", "log_stalls")
        return sorted(
            (random.uniform(0, self.seconds * 0.9), kind) for kind in kinds for _ in range(getattr(self, kind))
        )


def usual(seconds: float) -> dict[str, int]:
    """Return how often things happen if nobody says so."""
    every = {
        "reloads": 5, "refused": 20, "hand_overs": 30, "kills": 12, "outages": 12, "freezes": 120, "log_stalls": 30,
    }  # fmt: skip
    return {kind: max(1, round(seconds / each)) for kind, each in every.items()} | {"slow_readers": 2}
