"""Many cases in one test: for tables, and products of tables, of what is too small and too much for tests of its own.

`cases` takes what `pytest.mark.parametrize` takes. The test tries all of them, also behind one that fails, and names
those that failed; the first failure is the cause of what it raises.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest

# More names would hide what they have in common.
NAMES = 20

Test = Callable[..., None]
Decorator = Callable[[Test], Test]
Case = tuple[str, dict[str, Any]]


def cases(
    names: str | tuple[str, ...], rows: Iterable[Any], ids: Callable[[Any], object] | Iterable[str] | None = None
) -> Decorator:
    """Have a test try all rows: of one value if there is one name, else of as many values as there are names.

    Several of these on one test are their product. The arguments that are left are fixtures, or parameters.
    """
    several = (names,) if isinstance(names, str) else names
    values = [(row,) if isinstance(names, str) else tuple(row) for row in rows]
    assert values, "a test without a case tests nothing"
    if ids is None or callable(ids):
        spell = ids or _spelt
        said = ["-".join(str(spell(value)) for value in row) for row in values]
    else:
        said = list(ids)
    own = [(name, dict(zip(several, row, strict=True))) for name, row in zip(said, values, strict=True)]

    def decorate(test: Test) -> Test:
        innermost, inner = getattr(test, "folded", (test, [("", {})]))
        both = [
            ("-".join(filter(None, (name, within))), row | more) for (name, row), (within, more) in product(own, inner)
        ]
        return _folded(innermost, both, test)

    return decorate


def _spelt(value: object) -> str:
    text = str(getattr(value, "__name__", value))
    return text if len(text) <= 60 else f"{text[:60]}..."


def _folded(test: Test, tried: list[Case], decorated: Test) -> Test:
    """Return the test of all these cases, with the marks that it has been given so far."""
    assert not inspect.iscoroutinefunction(test), "what waits is a test of its own"
    given = inspect.signature(test).parameters
    taken = tried[0][1].keys()
    assert taken <= given.keys(), f"{test.__name__} does not take {taken - given.keys()}"

    @functools.wraps(decorated)
    def through(**fixtures: Any) -> None:
        failed: list[str] = []
        first: BaseException | None = None
        for name, arguments in tried:
            try:
                test(**arguments, **fixtures)
            # Failed, which is what `pytest.raises` raises, is no Exception.
            except (Exception, pytest.fail.Exception) as failure:  # noqa: BLE001, all of them are raised below
                first = first or failure
                failed.append(name)
        if failed:
            more = "" if len(failed) <= NAMES else f" and {len(failed) - NAMES} more"
            summary = f"{len(failed)} of {len(tried)} cases failed: {', '.join(failed[:NAMES])}{more}"
            raise AssertionError(summary) from first

    own = [parameter for name, parameter in given.items() if name not in taken]
    vars(through).update(folded=(test, tried), __signature__=inspect.Signature(own))
    return through
