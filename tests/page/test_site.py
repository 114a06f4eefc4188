"""The page and its requests, over real connections: what is answered, and to whom nothing is."""

import json
import re
from pathlib import Path

import h11
import pytest
import trio

from tests.page.sites import Told, session, told_site
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS
from wsgateway import page
from wsgateway.page.live import MOST_STREAMS
from wsgateway.page.site import SESSIONS_SHOWN

MOST_BYTES = 60_000
FILES = ("/", "/app.js", "/parts.js", "/trace.js", "/style.css", "/icon.svg")


async def connected(told: Told, own: str = "127.0.0.1") -> Peer:
    return Peer(await trio.open_tcp_stream("127.0.0.1", told.port, local_address=own))


async def asked(told: Told, line: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of the answer. Names of headers have `_` for `-`."""
    host = headers.pop("Host", f"127.0.0.1:{told.port}")
    sent = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    with trio.fail_after(PATIENCE_SECONDS):
        peer = await connected(told)
        await peer.send(f"{line} HTTP/1.1\r\nHost: {host}\r\n{sent}\r\n".encode())
        said = await peer.rest()
        await peer.close()
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.receive_data(said)
    connection.receive_data(b"")
    answer = connection.next_event()
    assert isinstance(answer, h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    return answer.status_code, {name.decode(): value.decode() for name, value in answer.headers}, body


async def events(peer: Peer, told: Told, **headers: str) -> None:
    """Ask for the events."""
    sent = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    await peer.send(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{told.port}\r\n{sent}\r\n".encode())


async def token(told: Told, own: str = "127.0.0.1") -> str:
    """Return the token that a page gets."""
    with trio.fail_after(PATIENCE_SECONDS):
        peer = await connected(told, own)
        await events(peer, told)
        said = (await peer.until(b"]}}\n\n")).decode()
        await peer.close()
    found = re.search(r'"token": "([^"]*)"', said)
    assert found, said
    return found[1]


async def test_all_files_together_are_small() -> None:
    async with told_site() as told:
        sizes = [len((await asked(told, f"GET {file}"))[2]) for file in FILES]
    assert min(sizes) > 0
    assert sum(sizes) < MOST_BYTES


async def test_the_files_are_what_browsers_take_them_for() -> None:
    kinds = ("text/html", *["text/javascript"] * 3, "text/css", "image/svg+xml")
    async with told_site() as told:
        for file, kind in zip(FILES, kinds, strict=True):
            status, headers, _ = await asked(told, f"GET {file}")
            assert status == 200
            assert headers["content-type"].partition(";")[0] == kind
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"


async def test_the_policy_allows_nothing_but_own_files() -> None:
    async with told_site() as told:
        _, headers, body = await asked(told, "GET /")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|\*|https?:|data:", policy)
    assert not re.search(rb"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=\"app.js\"></script>)", body)


def test_no_file_puts_texts_into_the_page_as_html() -> None:
    folder = Path(page.__file__).parent
    script = "".join(file.read_text() for file in folder.glob("*.js"))
    assert "textContent" in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", script)


async def test_sessions_are_listed_in_parts_the_oldest_first() -> None:
    async with told_site() as told:
        told.sessions = [session(number) for number in range(60)]
        ids, after = list[str](), ""
        for before in (0, 25, 50):
            status, _, body = await asked(told, f"GET /sessions?after={after.replace(' ', '%20')}")
            listed = json.loads(body)
            assert status == 200
            assert (listed["before"], listed["matching"], listed["open"]) == (before, 60, 60)
            ids += [each["id"] for each in listed["rows"]]
            after = listed["end"]
        assert ids == [f"1-{number}" for number in range(60)]
        assert {arguments["limit"] for _, arguments, _ in told.asked} == {SESSIONS_SHOWN}


async def test_a_part_of_the_list_ends_at_the_last_session_of_each_process() -> None:
    async with told_site() as told:
        # Two processes list as many as the part may have, each the oldest first.
        told.sessions = [session(at, id=f"{process}-{at}", since=at) for process in (1, 2) for at in range(20)]
        _, _, body = await asked(told, "GET /sessions?after=3-7")
        listed = json.loads(body)
        assert len(listed["rows"]) == SESSIONS_SHOWN
        assert listed["end"] == "3-7 1-12 2-11"


async def test_a_list_is_filtered_by_what_is_given_and_by_nothing_else() -> None:
    async with told_site() as told:
        await asked(told, "GET /sessions?dialect=hixie-76&client=10.0.0.0%2F8&route=&agent=Old%20one&all=true&id=1-1")
        (asked_for,) = told.asked
        assert asked_for[1] == {
            "dialect": "hixie-76", "client": "10.0.0.0/8", "agent": "Old one", "limit": SESSIONS_SHOWN,
        }  # fmt: skip


async def test_a_filter_that_says_nothing_is_refused_with_the_reason() -> None:
    async with told_site() as told:
        told.refusal = "client: 'x' is neither an address nor a network"
        status, _, body = await asked(told, "GET /sessions?client=x")
        assert (status, body.decode()) == (400, f"{told.refusal}\n")


# -- actions -----------------------------------------------------------------------------------------------------------


async def act(told: Told, what: str = "close?id=1-7", **headers: str) -> tuple[int, bytes]:
    status, _, body = await asked(told, f"POST /do/{what}", Content_Length="0", **headers)
    return status, body


async def test_the_page_itself_may_act_and_the_gateway_learns_who_asks() -> None:
    async with told_site() as told:
        right = {"Origin": told.origin, "Wsgateway_Token": await token(told)}
        assert await act(told, **right) == (200, b'{"closed": 1, "findings": []}')
        assert (await act(told, "target?action=drain&upstream=chat&target=ws%3A%2F%2Fa", **right))[0] == 200
        (close, target) = told.asked
        assert close[:2] == ("close", {"id": "1-7"})
        assert target[:2] == ("target", {"action": "drain", "upstream": "chat", "target": "ws://a"})
        assert re.fullmatch(r"127\.0\.0\.1:\d+", str(close[2]["page"]))


async def test_what_the_gateway_refuses_is_told() -> None:
    async with told_site() as told:
        right = {"Origin": told.origin, "Wsgateway_Token": await token(told)}
        told.refusal = "there is no session '1-7'"
        assert await act(told, **right) == (409, b"there is no session '1-7'\n")


WRONG: list[dict[str, str]] = [
    {"Origin": ""},
    {"Origin": "null"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Wsgateway_Token": ""},
    {"Wsgateway_Token": "A" * 43},
    {"Wsgateway_Token": "\xe9"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_nobody_else_may_act_and_the_log_says_who_tried(wrong: dict[str, str]) -> None:
    async with told_site() as told:
        right = {"Origin": told.origin, "Wsgateway_Token": await token(told), "Sec_Fetch_Site": "same-origin"}
        headers = {name: value for name, value in {**right, **wrong}.items() if value}
        assert (await act(told, **headers))[0] == 403
        assert told.asked == []
        (line,) = told.lines.every("control refused")
        assert (line["command"], line["reason"]) == ("close", "control-denied")
        assert line["page"].startswith("127.0.0.1:")
        assert (await act(told, **right))[0] == 200, "with all that is right it would have been done"


async def test_nothing_is_done_by_get_or_by_another_name() -> None:
    async with told_site() as told:
        right = {"Origin": told.origin, "Wsgateway_Token": await token(told)}
        status, headers, _ = await asked(told, "GET /do/close?id=1-7", **right)
        assert (status, headers["allow"]) == (405, "POST")
        assert (await act(told, "reload", **right))[0] == 404
        host = f"evil.example:{told.port}"
        assert (await act(told, Host=host, **{**right, "Origin": f"http://{host}"}))[0] == 421
        assert told.asked == []


async def test_a_gateway_that_allows_nothing_gives_no_token() -> None:
    async with told_site(actions=False) as told:
        assert await token(told) == ""
        status, body = await act(told, Origin=told.origin)
        assert (status, body) == (403, b"the configuration allows no actions (admin.actions: none)\n")
        assert told.asked == []


async def test_each_process_has_a_token_of_its_own() -> None:
    async with told_site() as one, told_site() as other:
        first, second = await token(one), await token(other)
        assert first != second
        assert min(len(first), len(second)) >= 43
        assert await token(one) == first
        assert (await act(other, Origin=other.origin, Wsgateway_Token=first))[0] == 403


# -- events ------------------------------------------------------------------------------------------------------------


async def test_a_page_of_another_site_gets_no_list_and_no_events() -> None:
    async with told_site() as told:
        for path in ("/sessions", "/live"):
            for site in ("cross-site", "same-site"):
                assert (await asked(told, f"GET {path}", Sec_Fetch_Site=site))[0] == 403
            assert (await asked(told, f"GET {path}", Host="evil.example"))[0] == 421
        assert told.asked == []


async def test_only_so_many_browsers_look_at_once_and_others_are_told() -> None:
    async with told_site() as told:
        with trio.fail_after(PATIENCE_SECONDS):
            looking = [await connected(told) for _ in range(MOST_STREAMS)]
            for peer in looking:
                await events(peer, told)
                await peer.until(b"}\n\n")
            assert (await asked(told, "GET /live"))[0] == 503
            assert (await asked(told, "GET /sessions"))[0] == 200, "all else goes on"
            await looking[0].close()
            head = b" 503 "
            while b" 503 " in head:  # until the gateway has noticed
                peer = await connected(told)
                await events(peer, told)
                head = await peer.head()
                looking.append(peer)
            assert head.startswith(b"HTTP/1.1 200 ")
            for each in looking[1:]:
                await each.close()


async def test_a_stream_ends_with_the_server() -> None:
    async with told_site() as told:
        peer = await connected(told)
        await events(peer, told)
        await peer.until(b"}\n\n")
    await peer.rest()
    await peer.close()
