"""The ends of relays, which are told a few at a time."""

from collections import OrderedDict

import outcome

from wsgateway.relay.endpoint import Ended, Endpoint, OnEnd

# How many are told in a turn of the engine. What follows an end, such as a line in the log, takes a third of a
# millisecond; for so long the bytes of all other sessions wait.
MOST_ENDS = 32


class Ends:
    """The ends that are still to be told."""

    def __init__(self) -> None:
        self.untold: OrderedDict[Endpoint, tuple[OnEnd, outcome.Outcome[Ended]]] = OrderedDict()
        """the oldest first"""

    def add(self, endpoint: Endpoint, on_end: OnEnd, result: outcome.Outcome[Ended]) -> None:
        """Take the end of a relay; one of its sides stands for it."""
        self.untold[endpoint] = on_end, result

    def forget(self, endpoint: Endpoint) -> None:
        """Do not tell the end for which this side stands, if there is one."""
        self.untold.pop(endpoint, None)

    def tell(self) -> None:
        """Tell some ends."""
        for _ in range(min(MOST_ENDS, len(self.untold))):
            _, (on_end, result) = self.untold.popitem(last=False)
            on_end(result)
