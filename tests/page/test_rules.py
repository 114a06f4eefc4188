"""Who may act by the page, from where."""

import pytest

from wsgateway.observe.admin import Visit
from wsgateway.page.rules import TOKEN_HEADER, Rules
from wsgateway.wire.heads import Headers, Request

HOST = "gateway.internal:9901"


def visit(rules: Rules, local: bool = True, **headers: str) -> Visit:
    """Return the request of the page's own button, with other headers where they are given."""
    usual = {"Host": HOST, "Origin": f"http://{HOST}", TOKEN_HEADER: rules.token_for(Visit(None, "", True))}
    items = {**usual, **headers}.items()
    return Visit(Request("/do/close", Headers(items), "POST"), "192.0.2.7:4000", local)


def test_a_browser_on_another_machine_may_look_and_not_act() -> None:
    rules = Rules(allowed=True)
    assert rules.why_not_act(visit(rules)) == ""
    elsewhere = visit(rules, local=False)
    assert rules.why_not_act(elsewhere) == "actions are for clients on this machine (admin.actions: local)"
    assert rules.token_for(elsewhere) == ""
    assert rules.why_not_look(elsewhere) == ""


def test_nobody_may_act_where_nothing_is_allowed() -> None:
    rules = Rules(allowed=False)
    assert rules.token_for(visit(rules)) == ""
    assert "admin.actions: none" in rules.why_not_act(visit(rules))


def test_the_page_may_be_behind_a_proxy_that_ends_tls() -> None:
    rules = Rules(allowed=True)
    assert rules.why_not_act(visit(rules, Origin=f"https://{HOST}")) == ""


@pytest.mark.parametrize("origin", [f"ftp://{HOST}", f"http://{HOST}.evil.example", "http://gateway.internal", HOST])
def test_an_origin_that_is_only_alike_is_another_site(origin: str) -> None:
    rules = Rules(allowed=True)
    assert rules.why_not_act(visit(rules, Origin=origin)) == "a page of another site asks for this"
