"""The page in a real browser, before a gateway that says what the test says."""

import json

import pytest

from tests.page.browser import Tab
from tests.page.sites import DIALECTS, NOW, Told, rows, session, told_site

SCRIPT = "<script>document.title='broken'</script><img src=x onerror=alert(1)>"
TARGET = {
    "upstream": "chat", "url": "ws://10.0.1.11:9000", "address": "10.0.1.11:9000", "state": "up", "weight": 1,
    "backup": False, "open": 3, "served": 7, "failures": 2, "last_failure": "refused", "last_reason": "connect-refused",
}  # fmt: skip
REFUSAL = {
    "at": NOW, "reason": "route-missing", "status": 404, "why": "no route for /x", "client": "192.0.2.9:4000",
    "listener": "public", "agent": SCRIPT, "host": "ws.example.com", "path": "/x", "dialect": "hybi-08",
    "cause": "No route matches this request.", "cure": "Compare host and path with `match` of the routes.",
}  # fmt: skip


def busy(told: Told, count: int) -> None:
    """Have a gateway with so many sessions, and something in every table."""
    told.sessions = [session(number) for number in range(count)]
    per_dialect = {dialect: sum(each["dialect"] == dialect for each in told.sessions) for dialect in DIALECTS}
    told.sections["summary"] |= {"sessions": count, "sentence": f"serving {count} sessions with 1 worker"}
    told.sections |= {
        "sessions": rows(*({"dialect": name, "route": "chat", "open": open_} for name, open_ in per_dialect.items())),
        "census": {name: {"last_seen": NOW} for name in DIALECTS},
        "chart": {
            name: {"end": NOW, "step": 60, "known": [False, True, True], "open": {"hixie-76": [0, 1, 2]}}
            for name in ("hour", "day", "quarter")
        },
        "targets": rows(TARGET, {**TARGET, "url": "ws://10.0.1.12:9000", "state": "drained"}),
        "refusals": [{**REFUSAL, "at": NOW - number} for number in range(200)],
        "certificates": rows({"used_by": "public", "file": "a.pem", "begins": 1.0, "expires": NOW, "hosts": ["a"]}),
    }


async def opened(tab: Tab, told: Told) -> None:
    """Open the page, and wait until it shows everything."""
    await tab.open(f"{told.origin}/")
    total = f"{told.sections['summary']['sessions']:,}"
    await tab.until(f"document.querySelector('#total').textContent === '{total}'")
    await tab.until("document.querySelector('#list-count').textContent !== ''")


def only_itself(tab: Tab, told: Told) -> None:
    """Raise AssertionError if the page has said something, or has asked anybody else."""
    assert tab.console == []
    assert {url for url in tab.requested if not url.startswith(f"{told.origin}/")} == set()


async def test_the_page_shows_what_there_is(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 5)
        await opened(tab, told)
        assert await tab.text("#sentence") == "serving 5 sessions with 1 worker"
        assert await tab.text("#live") == "live"
        assert [row.split()[0] for row in await tab.texts("#dialects tr")] == DIALECTS
        assert [row.split()[:2] for row in await tab.texts("#now tr")] == [[name, "chat"] for name in DIALECTS]
        assert "connect-refused" in (await tab.texts("#targets tr"))[0]
        refusal = (await tab.texts("#refusals tr"))[0]
        assert "Compare host and path with match of the routes." in refusal
        assert "192.0.2.9:4000" in refusal
        assert "/etc/wsgateway.yaml" in await tab.text("dl")
        assert await tab.text("#chart-caption") == (
            "Open sessions by dialect in the last hour, at most 2 at once. Grey: the gateway was not running."
        )
        assert await tab.run("document.querySelectorAll('#bars rect').length") == 3
        only_itself(tab, told)


async def test_an_empty_gateway_says_that_there_is_nothing(tab: Tab) -> None:
    async with told_site() as told:
        await opened(tab, told)
        shown = await tab.text("main")
        for sentence in ("Nobody is connected.", "Nobody was refused.", "No client has come yet."):
            assert sentence in shown
        only_itself(tab, told)


async def test_what_changes_is_shown_while_the_page_is_open(tab: Tab) -> None:
    async with told_site() as told:
        await opened(tab, told)
        busy(told, 3)
        await tab.until("document.querySelector('#total').textContent === '3'")
        await tab.until("document.querySelectorAll('#sessions tr').length === 3")
        assert await tab.run("document.title") == "3 · wsgateway"
        told.sessions.clear()
        told.sections["sessions"] = rows()
        await tab.until("document.querySelectorAll('#sessions tr').length === 0")
        only_itself(tab, told)


async def test_what_clients_make_up_is_text_and_nothing_else(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 1)
        told.sessions[0] |= {"agent": SCRIPT, "path": SCRIPT, "origin": SCRIPT, "host": SCRIPT, "route": SCRIPT}
        told.sections["targets"] = rows({**TARGET, "url": SCRIPT, "last_failure": SCRIPT})
        told.sections["sessions"] = rows({"dialect": "hixie-76", "route": SCRIPT, "open": 1})
        await opened(tab, told)
        await tab.until("document.querySelectorAll('#sessions tr').length === 1")
        for table in ("sessions", "refusals", "targets", "now"):
            assert SCRIPT in (await tab.text(f"#{table}")).replace("\n", "")
        assert await tab.run("document.querySelectorAll('main script, main img').length") == 0
        assert await tab.run("document.title") == "1 · wsgateway"
        only_itself(tab, told)


async def test_a_session_is_closed_when_that_is_confirmed(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 2)
        await opened(tab, told)
        await tab.click("#sessions tr:nth-child(2) button")
        assert "192.0.2.1:10001" in await tab.text("#confirm")
        await tab.click("#confirm-no")
        await tab.run("document.querySelector('#sessions tr:nth-child(2) button').focus()")
        await tab.press("Enter", 13, "\r")
        await tab.until("document.querySelector('#confirm').open")
        await tab.press("Escape", 27)
        await tab.until("!document.querySelector('#confirm').open")
        assert await tab.run("document.activeElement.closest('tr').rowIndex") == 2, "the focus is where it was"
        assert [name for name, _, _ in told.asked if name != "sessions"] == []
        await tab.press("Enter", 13, "\r")
        await tab.press("Tab", 9)
        await tab.press("Enter", 13, "\r")
        await tab.until("document.querySelector('#said').textContent.includes('is closed')")
        assert ("close", {"id": "1-1"}) in [each[:2] for each in told.asked]
        del told.sessions[1]
        await tab.until("document.querySelectorAll('#sessions tr').length === 1")
        assert await tab.run("document.activeElement.id") == "list", "the keyboard goes on from the list"
        only_itself(tab, told)


async def test_a_target_is_drained_and_enabled(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 1)
        await opened(tab, told)
        await tab.run("document.querySelector('#targets tr:nth-child(1) button').focus()")
        await tab.click("#targets tr:nth-child(1) button")
        await tab.click("#confirm-yes")
        await tab.until("document.querySelector('#said').textContent.includes('gets no more clients')")
        told.sections["targets"]["rows"][0]["state"] = "drained"
        await tab.until("document.querySelector('#targets tr').innerText.includes('drained')")
        assert await tab.run("document.activeElement.innerText") == "Enable", "the keyboard stays where it was"
        await tab.click("#targets tr:nth-child(2) button")
        await tab.until("document.querySelector('#said').textContent.includes('gets clients again')")
        commands = [each[:2] for each in told.asked if each[0] != "sessions"]
        assert commands == [
            ("target", {"upstream": "chat", "target": "ws://10.0.1.11:9000", "action": "drain"}),
            ("target", {"upstream": "chat", "target": "ws://10.0.1.12:9000", "action": "enable"}),
        ]
        only_itself(tab, told)


async def watching(tab: Tab, told: Told) -> None:
    """Open the page, and start a trace of the next session."""
    await opened(tab, told)
    await tab.until("!document.querySelector('#trace').hidden")
    await tab.click("#trace-start")
    await tab.until("document.querySelector('#trace-state').textContent === 'waiting for sessions'")


async def test_the_next_session_is_traced_from_its_head_to_its_end(tab: Tab) -> None:
    async with told_site() as told:
        await watching(tab, told)
        told.trace(
            {
                "kind": "session",
                "session": "1.7",
                "at": 0.0,
                "client": "192.0.2.7:4000",
                "dialect": "hixie-76",
                "route": SCRIPT,
            },
            {"kind": "session", "session": "1.8", "at": 0.0, "client": "192.0.2.8:4000"},
            *(
                {
                    "kind": "line",
                    "session": session,
                    "at": 0.25,
                    "peer": peer,
                    "way": way,
                    "text": SCRIPT,
                    "meaning": "m",
                }
                for session in ("1.7", "1.8")
                for peer in ("client", "upstream")
                for way in "><"
            ),
            {"kind": "lost", "items": 5000},
        )
        await tab.until("document.querySelectorAll('#trace-lines li').length === 6")
        told.trace({"kind": "end", "session": "1.7", "at": 2.5, "by": "client", "reason": "closed"})
        await tab.until("document.querySelector('#trace-state').textContent === 'over, after 1 session'")
        shown = [line.split("\n") for line in await tab.texts("#trace-lines li")]
        assert shown[0][:3] == ["0.000", "1.7", "begins"]
        assert [line[2] for line in shown[1:5]] == [
            "from the client", "to the client", "to the upstream", "from the upstream",
        ]  # fmt: skip
        assert shown[1][3:] == [SCRIPT, "m"]
        assert shown[5][-1] == "5,000 lines lost: they were not read in time"
        assert shown[6] == ["2.500", "1.7", "ends", "by client, closed"]
        await told.none_traces()
        only_itself(tab, told)


async def test_a_trace_of_many_sessions_is_stopped_by_hand_and_shows_its_last_lines(tab: Tab) -> None:
    async with told_site() as told:
        await opened(tab, told)
        await tab.until("!document.querySelector('#trace').hidden")
        await tab.run("document.querySelector('#trace-form [name=next]').click()")
        await tab.run("document.querySelector('#trace-start').focus()")
        await tab.press("Enter", 13, "\r")
        await tab.until("document.querySelector('#trace-state').textContent === 'waiting for sessions'")
        for number in range(600):
            told.trace({"kind": "session", "session": f"1.{number}", "at": 0.0, "client": "192.0.2.7:4000"})
        await tab.until("document.querySelector('#trace-state').textContent === '600 sessions'")
        assert await tab.run("document.querySelectorAll('#trace-lines li').length") == 500
        assert await tab.run("document.querySelector('#trace-box').scrollTop > 0"), "the last line is in sight"
        await tab.press("Enter", 13, "\r")
        await tab.until("document.querySelector('#trace-start').innerText === 'Start'")
        await told.none_traces()
        only_itself(tab, told)


async def test_a_trace_ends_with_its_page(tab: Tab) -> None:
    async with told_site() as told:
        await watching(tab, told)
        await tab.open("about:blank")
        await told.none_traces()


async def test_a_session_in_the_list_leads_to_a_trace_of_its_client(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 2)
        told.sessions[1] |= {"client": "[2001:db8::7]:4000", "dialect": "hixie-76"}
        await opened(tab, told)
        await tab.until("document.querySelectorAll('#sessions tr').length === 2")
        await tab.click("#sessions tr:nth-child(2) button:nth-of-type(2)")
        assert await tab.run("document.activeElement.id") == "trace-start"
        await tab.press("Enter", 13, "\r")
        await tab.until("document.querySelector('#trace-state').textContent === 'waiting for sessions'")
        wanted = {"client": "2001:db8::7", "dialect": "hixie-76", "route": "chat"}
        assert ("trace", wanted) in [each[:2] for each in told.asked]


async def test_why_a_trace_is_refused_is_said(tab: Tab) -> None:
    async with told_site() as told:
        await watching(tab, told)
        await tab.click("#trace-start")
        await tab.until("document.querySelector('#trace-state').textContent.startsWith('over')")
        told.refusal = "4 traces are running"
        await tab.click("#trace-start")
        await tab.until("document.querySelector('#trace-state').textContent === 'over: 4 traces are running'")


async def test_what_is_not_done_is_said(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 1)
        await opened(tab, told)
        await tab.click("#sessions button")
        told.refusal = "there is no session '1-0'"
        await tab.click("#confirm-yes")
        await tab.until("document.querySelector('#said').textContent !== ''")
        assert await tab.text("#said") == f"Not done: {told.refusal}"


async def test_a_page_that_may_only_look_has_no_buttons_for_more(tab: Tab) -> None:
    async with told_site(actions=False) as told:
        busy(told, 2)
        await opened(tab, told)
        await tab.until("document.querySelectorAll('#sessions tr').length === 2")
        assert await tab.run("document.querySelectorAll('tbody button').length") == 0
        assert await tab.run("document.querySelector('#trace').hidden")
        assert await tab.run("[...document.querySelectorAll('.acts')].every((each) => !each.offsetParent)")
        only_itself(tab, told)


async def test_thousands_of_sessions_are_shown_in_parts(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 5000)
        await opened(tab, told)
        assert await tab.text("#list-count") == "1 to 25 of 5,000"
        await tab.click("#after")
        await tab.until("document.querySelector('#list-count').textContent === '26 to 50 of 5,000'")
        assert await tab.run("document.querySelector('#sessions tr').dataset.key") == "1-25 1"
        await tab.click("#before")
        await tab.until("document.querySelector('#list-count').textContent === '1 to 25 of 5,000'")
        assert await tab.run("document.querySelectorAll('*').length < 3000"), "what a browser must handle is bounded"
        only_itself(tab, told)


async def test_the_list_is_filtered_as_soon_as_something_is_given(tab: Tab) -> None:
    async with told_site() as told:
        busy(told, 60)
        await opened(tab, told)
        await tab.run(
            "{const chosen = document.querySelector('select[name=dialect]'); chosen.value = 'hixie-76';"
            " chosen.dispatchEvent(new Event('input', {bubbles: true}));}"
        )
        await tab.until("document.querySelector('#list-count').textContent === '10, of 60 that are open'")
        assert {row.split()[1] for row in await tab.texts("#sessions tr")} == {"hixie-76"}
        only_itself(tab, told)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360], ids=["desk", "phone"])
async def test_nobody_is_shut_out(tab: Tab, width: int, dark: bool) -> None:
    async with told_site() as told:
        busy(told, 5)
        await tab.look(width, dark)
        await watching(tab, told)
        told.trace(
            {"kind": "session", "session": "1.7", "at": 0.0, "client": "192.0.2.7:4000", "dialect": "hixie-76"},
            {
                "kind": "line",
                "session": "1.7",
                "at": 0.25,
                "peer": "client",
                "way": ">",
                "text": "a" * 200,
                "meaning": "m",
            },
            {"kind": "line", "session": "1.7", "at": 0.25, "peer": "upstream", "way": ">", "text": "b", "meaning": "n"},
            {"kind": "lost", "items": 5},
        )
        await tab.until("document.querySelectorAll('#trace-lines li').length === 4")
        assert await tab.run("document.documentElement.scrollWidth <= innerWidth"), "nothing lies beside the page"
        for dialog in (False, True):
            if dialog:
                await tab.click("#sessions button")
            found = await tab.barriers()
            assert found == [], json.dumps(found, indent=2)
