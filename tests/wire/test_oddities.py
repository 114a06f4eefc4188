"""The names of oddities, and the record of those that a peer has shown."""

import re

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.oddities import DEFAULT, EVERY, KEYS, Oddities, Oddity, names

OFF_BY_DEFAULT = {"bare-lf", "http-1.0", "no-host"}
OF_UPSTREAMS = {"frames-behind-proof", "unasked-subprotocol"}


def test_these_oddities_are_allowed_by_default() -> None:
    assert {each.label for each in Oddity if not each.default} == OFF_BY_DEFAULT
    assert DEFAULT["client"] | DEFAULT["upstream"] == {each for each in Oddity if each.label not in OFF_BY_DEFAULT}


def test_each_oddity_belongs_to_one_side() -> None:
    assert set(map(str, EVERY["upstream"])) == OF_UPSTREAMS
    assert EVERY["client"] | EVERY["upstream"] == set(Oddity)
    assert not EVERY["client"] & EVERY["upstream"]
    assert list(Oddity.of("upstream")) == ["frames-behind-proof", "unasked-subprotocol"]


@cases("oddity", Oddity, ids=[str(each) for each in Oddity])
def test_each_oddity_has_a_name_for_logs_and_labels_and_a_sentence(oddity: Oddity) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:[-.][a-z0-9]+)*", oddity.label)
    assert oddity.what.endswith(".")
    assert oddity.side in KEYS


def test_the_oddities_of_a_peer_are_noted_once_in_order() -> None:
    oddities = Oddities(EVERY["client"])
    assert (oddities.needed, names(oddities.needed)) == ((), "")
    for each in (Oddity.NO_HOST, Oddity.BARE_LF, Oddity.NO_HOST):
        oddities.need(each, HttpRefusal(Reason.REQUEST_MALFORMED, "never raised"))
    assert oddities.needed == (Oddity.NO_HOST, Oddity.BARE_LF)
    assert names(oddities.needed) == "no-host,bare-lf"


@cases(
    ("oddity", "key"),
    [(Oddity.NO_HOST, "listeners[].tolerance"), (Oddity.UNASKED_SUBPROTOCOL, "upstreams.X.tolerance")],
)
def test_an_oddity_that_is_not_allowed_is_refused_and_the_log_names_the_key_that_allows_it(
    oddity: Oddity, key: str
) -> None:
    oddities = Oddities(frozenset())
    with pytest.raises(HttpRefusal) as refused:
        oddities.need(oddity, HttpRefusal(Reason.REQUEST_MALFORMED, "not this way"))
    assert str(refused.value) == "not this way"
    assert refused.value.remark == f"{key}: {oddity} would allow it"
    assert oddities.needed == ()


def test_other_errors_have_no_remark() -> None:
    assert HttpRefusal(Reason.REQUEST_MALFORMED, "not this way").remark == ""
