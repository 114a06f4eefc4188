"""The page of a real gateway in a real browser: what happens there is seen, and what is pressed is done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.openings import BY_DIALECT
from tests.page.browser import Tab
from tests.run.gateways import ADMIN, Gateway, supervised, whole
from tests.support import Upstream

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]
ACTIVE = 'admin: {bind: "127.0.0.1:0", actions: local}\n'
AGENT = b"<script>document.title='broken'</script>"


@asynccontextmanager
async def acting(file: Path, path: str = "/") -> AsyncIterator[tuple[Upstream, Gateway]]:
    """Run a gateway whose page may act, before an upstream."""

    def text(port: int) -> str:
        return whole(port, path=path).replace(ADMIN, ACTIVE)

    async with Upstream() as upstream, supervised(file, text(upstream.port)) as gateway:
        yield upstream, gateway


async def opened(tab: Tab, gateway: Gateway) -> str:
    """Open the page, and return its origin."""
    origin = f"http://{(await gateway.lines.line('admin pages'))['address']}"
    await tab.open(f"{origin}/")
    await tab.until("document.querySelector('#live').textContent === 'live'")
    return origin


async def test_sessions_come_and_are_closed_and_refusals_are_seen(tab: Tab, file: Path) -> None:
    async with acting(file, "/chat") as (upstream, gateway):
        origin = await opened(tab, gateway)
        await tab.until("document.querySelector('#workers tr')")
        assert await tab.text("#total") == "0"

        client = await gateway.connect(MODERN.request.replace(b"\r\nHost:", b"\r\nUser-Agent: " + AGENT + b"\r\nHost:"))
        behind, _ = await upstream.agree()
        await client.head()
        await tab.until("document.querySelector('#total').textContent === '1'")
        await tab.until("document.querySelectorAll('#sessions tr').length === 1")
        assert AGENT.decode() in await tab.text("#sessions tr")
        assert client.name in await tab.text("#sessions tr")

        await tab.click("#sessions button")
        await tab.click("#confirm-yes")
        assert await client.exactly(4) == MODERN.goodbye
        await client.close()
        await behind.close()
        await tab.until("document.querySelector('#said').textContent.includes('is closed')")
        assert (await gateway.lines.line("command"))["id"] == "1-1"
        await tab.until("document.querySelector('#total').textContent === '0'")

        refused = await gateway.connect(OLD.request)
        await refused.head()
        await tab.until("document.querySelectorAll('#refusals tr').length === 1")
        assert "route-missing" in await tab.text("#refusals tr")
        assert tab.console == []
        assert {url for url in tab.requested if not url.startswith(f"{origin}/")} == set()


async def test_a_target_is_drained_and_enabled_and_the_last_one_is_warned_of(tab: Tab, file: Path) -> None:
    async with acting(file) as (upstream, gateway):
        await opened(tab, gateway)
        await tab.until("document.querySelectorAll('#targets tr').length === 1")
        assert "up" in await tab.text("#targets tr")

        await tab.click("#targets button")
        await tab.click("#confirm-yes")
        await tab.until("document.querySelector('#targets tr').innerText.includes('drained')")
        await tab.until("document.querySelector('#said').textContent.includes('no target of behind is left')")
        refused = await gateway.connect(MODERN.request)
        assert (await refused.head()).startswith(b"HTTP/1.1 503 ")

        await tab.click("#targets button")
        await tab.until("document.querySelector('#targets button').innerText === 'Drain'")
        client = await gateway.connect(MODERN.request)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert [(line["action"], line["done"]) for line in gateway.lines.every("command")] == [
            ("drain", True),
            ("enable", True),
        ]
        assert tab.console == []


async def test_a_session_is_traced_without_its_secrets_and_its_payload(tab: Tab, file: Path) -> None:
    async with acting(file) as (upstream, gateway):
        await opened(tab, gateway)
        await tab.until("document.querySelector('#trace-form [value=rfc6455]')")
        await tab.run("document.querySelector('#trace-form [name=dialect]').value = 'rfc6455'")
        await tab.click("#trace-start")
        await tab.until("document.querySelector('#trace-state').textContent === 'waiting for sessions'")
        client = await gateway.connect(
            MODERN.request.replace(b"\r\nHost:", b"\r\nCookie: sid=secret\r\nAuthorization: secret\r\nHost:")
        )
        behind, _ = await upstream.agree()
        await client.head()
        await client.send(MODERN.written(MODERN.hello_back))
        assert await behind.frame() == (0x81, b"Hello")
        await client.close()
        await behind.close()
        await tab.until("document.querySelector('#trace-state').textContent === 'over, after 1 session'")
        shown = await tab.text("#trace-lines")
        for part in (
            "Cookie: ***",
            "Authorization: ***",
            "opcode 1: text, the last frame",
            "payload: 5 bytes",
            "by client",
        ):
            assert part in shown
        for part in ("secret", "Hello", "48 65 6c 6c 6f", "7f 9f 4d 51 58"):
            assert part not in shown
        (line,) = gateway.lines.every("command")
        assert (line["command"], line["dialect"], line["done"]) == ("trace", "rfc6455", True)
        assert line["page"].startswith("127.0.0.1:")
        assert tab.console == []
