"""What the labels of a metric can be, as far as it can be known before anything has happened.

A series that begins with its first event hides that event: Prometheus sees no rise from nothing to 1, and a sum over no
series is no number. So a metric has 0 for all that is known: dialects, reasons, and the names in the configuration.
"""

from collections.abc import Callable, Iterable
from itertools import chain

from wsgateway.dialects import DIALECTS
from wsgateway.errors import Group, Reason
from wsgateway.observe.counters import NONE
from wsgateway.observe.status import Names, Status
from wsgateway.wire.oddities import Oddity

Values = Iterable[tuple[str, ...]]
"""values of one label, or of several that belong together"""
Known = Callable[[Status], Values]

NO_NAMES: Names = {"listeners": [], "routes": [], "upstreams": {}}


def words(values: Iterable[str]) -> Known:
    """Return a function for values that are always the same."""
    found = [(value,) for value in values]
    return lambda _: found


def beside_none(known: Known) -> Known:
    """Return a function for the same values and "none"."""
    return lambda status: chain(known(status), [(NONE,)])


def dialects(_: Status) -> Values:
    """Return all dialects."""
    return [(name,) for name in DIALECTS]


def listeners(status: Status) -> Values:
    """Return the names of the listeners."""
    return [(name,) for name in _names(status)["listeners"]]


def routes(status: Status) -> Values:
    """Return the names of the routes."""
    return [(name,) for name in _names(status)["routes"]]


def upstreams(status: Status) -> Values:
    """Return the names of the upstreams."""
    return [(name,) for name in _names(status)["upstreams"]]


def targets(status: Status) -> Values:
    """Return the targets: name of the upstream, and URL."""
    return [(name, url) for name, urls in _names(status)["upstreams"].items() for url in urls]


def oddities(_: Status) -> Values:
    """Return all oddities."""
    return [(str(each),) for each in Oddity]


def reasons(*groups: Group, more: Iterable[Reason] = ()) -> Known:
    """Return a function for the reasons of some groups, and some more."""
    return words(reason.value for reason in Reason if reason.group in groups or reason in more)


def refusals(_: Status) -> Values:
    """Return the statuses and reasons of refusals, as far as a reason has one status."""
    return [
        (str(reason.code or NONE), reason.value) for reason in Reason if reason.group in (Group.REFUSED, Group.TARGET)
    ]


def _names(status: Status) -> Names:
    return status.get("names", NO_NAMES)
