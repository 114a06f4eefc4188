"""The names of oddities, and the record of those that a peer has shown."""

import re

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire.oddities import DEFAULT, EVERY, KEYS, Oddities, Oddity, names

OFF_BY_DEFAULT = {"bare-lf", "http-1.0", "no-host"}
OF_UPSTREAMS = {"frames-behind-proof", "unasked-subprotocol"}


def test_what_is_allowed_by_default() -> None:
    assert {each.label for each in Oddity if not each.default} == OFF_BY_DEFAULT
    assert DEFAULT["client"] | DEFAULT["upstream"] == {each for each in Oddity if each.label not in OFF_BY_DEFAULT}


def test_each_belongs_to_one_side() -> None:
    assert set(map(str, EVERY["upstream"])) == OF_UPSTREAMS
    assert EVERY["client"] | EVERY["upstream"] == set(Oddity)
    assert not EVERY["client"] & EVERY["upstream"]
    assert list(Oddity.of("upstream")) == ["frames-behind-proof", "unasked-subprotocol"]


@cases("oddity", Oddity, ids=[str(each) for each in Oddity])
def test_each_has_a_name_for_logs_and_labels_and_a_sentence(oddity: Oddity) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:[-.][a-z0-9]+)*", oddity.label)
    assert oddity.what.endswith(".")
    assert oddity.side in KEYS


def test_what_a_peer_needs_is_noted_once_in_order() -> None:
    oddities = Oddities(EVERY["client"])
    assert (oddities.needed, names(oddities.needed)) == ((), "")
    for each in (Oddity.NO_HOST, Oddity.BARE_LF, Oddity.NO_HOST):
        oddities.need(each, HttpRefusal("never raised"))
    assert oddities.needed == (Oddity.NO_HOST, Oddity.BARE_LF)
    assert names(oddities.needed) == "no-host,bare-lf"


@cases(
    ("oddity", "key"),
    [(Oddity.NO_HOST, "listeners[].tolerance"), (Oddity.UNASKED_SUBPROTOCOL, "upstreams.X.tolerance")],
)
def test_what_a_peer_may_not_is_refused_and_the_log_learns_what_would_allow_it(oddity: Oddity, key: str) -> None:
    oddities = Oddities(frozenset())
    with pytest.raises(HttpRefusal) as refused:
        oddities.need(oddity, HttpRefusal("not this way"))
    assert str(refused.value) == "not this way"
    assert refused.value.remark == f"{key}: {oddity} would allow it"
    assert oddities.needed == ()


def test_nothing_is_said_beside_other_errors() -> None:
    assert HttpRefusal("not this way").remark == ""
