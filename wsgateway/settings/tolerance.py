"""Read what peers are allowed: default, all, none, or a list of names."""

from wsgateway.settings.findings import guess, seen
from wsgateway.wire.oddities import DEFAULT, EVERY, KEYS, Oddity, PeerRole, Tolerance

# The name in a list that stands for all that is allowed by default.
_DEFAULT = "default"


def tolerance(value: object, side: PeerRole) -> Tolerance:
    """Return what is allowed to clients, or to upstreams. Raise ValueError with a message for its author.

    In a list `default` stands for all that is allowed by default, so that [default, bare-lf] allows one thing more.
    """
    words: dict[str, Tolerance] = {_DEFAULT: DEFAULT[side], "all": EVERY[side], "none": frozenset()}
    if isinstance(value, list):
        if not value:
            raise ValueError("an empty list allows nothing; write none for that")
        return frozenset().union(*(_named(each, side) for each in value))
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{seen(value)} is not a tolerance; write default, all, none, or a list of names")
    return words[value]


def _named(value: object, side: PeerRole) -> Tolerance:
    if value == _DEFAULT:
        return DEFAULT[side]
    allowed = Oddity.of(side)
    name = value if isinstance(value, str) else ""
    if name in allowed:
        return frozenset([allowed[name]])
    for other, key in KEYS.items():
        if name in Oddity.of(other):
            article = "an" if other == "upstream" else "a"
            raise ValueError(f"{value} is what {article} {other} does; it belongs to {key}")
    raise ValueError(f"{seen(value)} is not a deviation that can be allowed here; {guess(str(value), allowed)}")
