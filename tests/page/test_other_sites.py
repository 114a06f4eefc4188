"""Pages of other sites in a real browser: they can neither read anything of the page nor do anything by it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.page.browser import Tab
from tests.page.conftest import EVIL, OTHER
from tests.page.sites import Told, session, told_site
from tests.page.test_site import token
from wsgateway.observe.http_server import HttpConnection, Reply, accept

# Tries to read a path, and returns what it got, or which error.
READ = """
fetch(PATH, OPTIONS).then(
  async (got) => `${got.type} ${got.status} ${(await got.text()).slice(0, 60)}`,
  (error) => `${error}`,
)
"""
# Whether an element with this address loads.
LOADS = """
new Promise((resolve) => {
  const made = document.createElement(KIND);
  made.onload = () => resolve(true);
  made.onerror = () => resolve(false);
  made.src = PATH;
  document.body.append(made);
})
"""


def trying(path: str, options: str = "{}") -> str:
    return READ.replace("PATH", f"'{path}'").replace("OPTIONS", options)


def loading(kind: str, path: str) -> str:
    return LOADS.replace("KIND", f"'{kind}'").replace("PATH", f"'{path}'")


@asynccontextmanager
async def other_site(told: Told) -> AsyncIterator[str]:
    """Yield the origin of another site, with an empty page."""

    async def serve(sock: socket.socket) -> None:
        connection = HttpConnection(sock)
        if await connection.request() is not None:
            await connection.reply(Reply(b"<!doctype html><title>other</title><body>", "text/html"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, listener, serve, trio.Semaphore(16), nursery, told.lines.log())
            yield f"http://{OTHER}:{listener.getsockname()[1]}"
            nursery.cancel_scope.cancel()


async def test_a_name_that_leads_to_this_machine_gets_nothing(tab: Tab) -> None:
    async with told_site() as told:
        told.sessions = [session(1)]
        right = await token(told)
        # What the browser takes for one site, whoever answers: as after a change of the name's address.
        await tab.open(f"http://{EVIL}:{told.port}/")
        assert "Host must be an address" in await tab.text("body")
        for path in ("/", "/app.js", "/live", "/sessions"):
            assert (await tab.run(trying(path))).startswith("basic 421 Host must be")
        for name in ("close?id=1-1", "target?action=drain"):
            options = f"{{method: 'POST', headers: {{'Wsgateway-Token': '{right}'}}}}"
            assert (await tab.run(trying(f"/do/{name}", options))).startswith("basic 421 Host must be")
        assert told.asked == []


async def test_another_site_reads_nothing_and_does_nothing(tab: Tab) -> None:
    async with told_site() as told, other_site(told) as origin:
        told.sessions = [session(1)]
        right = await token(told)
        await tab.open(f"{origin}/")
        for path in ("/", "/live", "/sessions"):
            assert await tab.run(trying(f"{told.origin}{path}")) == "TypeError: Failed to fetch"
        # Without an answer that it may read, a page can still send.
        close = f"{told.origin}/do/close?id=1-1"
        assert not (await tab.run(trying(close, "{method: 'POST', mode: 'no-cors'}"))).startswith("basic")
        with_token = f"{{method: 'POST', headers: {{'Wsgateway-Token': '{right}'}}}}"
        assert await tab.run(trying(close, with_token)) == "TypeError: Failed to fetch"
        assert told.asked == []


@pytest.mark.parametrize(("kind", "path"), [("script", "/app.js"), ("img", "/icon.svg")])
async def test_another_site_cannot_have_a_file_of_the_page(tab: Tab, kind: str, path: str) -> None:
    async with told_site() as told, other_site(told) as origin:
        await tab.open(f"{origin}/")
        assert await tab.run(loading(kind, f"{told.origin}{path}")) is False
        await tab.open(f"{told.origin}/")
        assert await tab.run("document.querySelector('h1').innerText.startsWith('wsgateway')"), "it is there"


async def test_another_site_cannot_have_the_page_in_a_frame(tab: Tab) -> None:
    async with told_site() as told, other_site(told) as origin:
        await tab.open(f"{origin}/")
        await tab.run(loading("iframe", f"{told.origin}/"))
        assert f"{told.origin}/app.js" not in tab.requested
