"""How the page looks and works in a real browser, for everybody."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.page.browser import Tab
from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS
from wsgateway.observe.log import Log


@asynccontextmanager
async def showing(log: Log) -> AsyncIterator[Demo]:
    """Yield a demo. It is there as long as a browser needs, and the browser says if that is too long."""
    demo = Demo(0, log)
    async with trio.open_nursery() as nursery:
        serves = trio.Event()
        nursery.start_soon(demo.run, lambda _: serves.set())
        await serves.wait()
        yield demo
        nursery.cancel_scope.cancel()


async def opened(tab: Tab, demo: Demo) -> None:
    """Open the page, and wait until every dialect was tried."""
    await tab.open(f"http://{demo.gateway}/")
    through = f"{len(DIALECTS)} of {len(DIALECTS)} through the gateway"
    await tab.until(f"document.querySelector('#summary').textContent.includes('{through}')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360], ids=["desk", "phone"])
async def test_nobody_is_shut_out(tab: Tab, log: Log, width: int, dark: bool) -> None:
    async with showing(log) as demo:
        await tab.look(width, dark)
        await opened(tab, demo)
        assert await tab.run("document.documentElement.scrollWidth <= innerWidth"), "nothing lies beside the page"
        found = await tab.barriers()
        assert found == [], json.dumps(found, indent=2)
        assert tab.console == []
        assert {url for url in tab.requested if not url.startswith(f"http://{demo.gateway}/")} == set()
