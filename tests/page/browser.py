"""A real browser, driven by its DevTools protocol: what the page shows, says on the console and requests."""

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import trio
from websockets.trio.client import ClientConnection, connect

from tests.e2e.programs import tool

# More than anything here needs on a busy machine with two cores.
PATIENCE_SECONDS = 60.0
_MOST_BYTES = 64 * 1024 * 1024

# Resolves as soon as an expression is true, which is tried whenever the page changes.
_WATCH = """
new Promise((resolve) => {
  const look = () => { if (EXPRESSION) { watch.disconnect(); resolve(true); } };
  const watch = new MutationObserver(look);
  watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  look();
})
"""


class Tab:
    """One tab. What it says on the console, and the addresses that it requests, are noted from its beginning on."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}
        self.session = ""
        self.console: list[str] = []
        self.requested: list[str] = []
        self.loaded = trio.Event()

    async def listen(self) -> None:
        """Read what the browser says."""
        while True:
            said = json.loads(await self._socket.recv())
            if "id" in said:
                self._answers.pop(said["id"]).send_nowait(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case "Runtime.consoleAPICalled":
                self.console.append(f"{params['type']}: {params['args']}")
            case "Runtime.exceptionThrown":
                self.console.append(f"exception: {params['exceptionDetails']}")
            case "Log.entryAdded":
                self.console.append(
                    f"{params['entry']['level']}: {params['entry']['text']} {params['entry'].get('url')}"
                )
            case "Page.loadEventFired":
                self.loaded.set()

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        number = next(self._numbers)
        self._answers[number], answer = trio.open_memory_channel[dict[str, Any]](1)
        said = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps({**said, "sessionId": self.session} if self.session else said))
        with trio.fail_after(PATIENCE_SECONDS):
            answered = await answer.receive()
        assert "error" not in answered, f"{method}: {answered}"
        return answered["result"]

    async def open(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        self.loaded = trio.Event()
        await self.call("Page.navigate", url=url)
        with trio.fail_after(PATIENCE_SECONDS):
            await self.loaded.wait()

    async def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, or of its promise."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        try:
            await self.run(_WATCH.replace("EXPRESSION", expression))
        except trio.TooSlowError:
            body = await self.run("document.body.innerText")
            raise AssertionError(f"never true: {expression}; the page says:\n{body}\n{self.console}") from None

    async def text(self, selector: str) -> str:
        """Return the text of an element as a person sees it."""
        text: str = await self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return text

    async def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that match."""
        every = f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)"
        found: list[str] = await self.run(every)
        return found

    async def click(self, selector: str) -> None:
        """Press an element."""
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

    async def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key of the keyboard, where the focus is."""
        facts = {"key": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **facts, **({"text": text} if text else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **facts)

    async def look(self, width: int, dark: bool, height: int = 900) -> None:
        """Have a window of this width, on a system that is light or dark."""
        phone = width < 600
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def barriers(self) -> list[Any]:
        """Return what axe-core finds that shuts people out: rule, impact, and the first element."""
        axe = await trio.Path(tool("axe-core"), "axe.min.js").read_text()
        await self.run(axe)
        found: list[Any] = await self.run(
            "axe.run().then((found) => found.violations.map(({id, impact, nodes}) => [id, impact, nodes[0].html]))"
        )
        return found

    async def photograph(self, file: Path) -> None:
        """Write a picture of the whole page."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        await trio.Path(file).write_bytes(b64decode(answer["data"]))


@asynccontextmanager
async def new_tab(address: str) -> AsyncIterator[Tab]:
    """Yield a tab of a browser whose DevTools listen at an address; it knows nothing of other tabs."""
    async with (
        connect(address, max_size=_MOST_BYTES, ping_interval=None, compression=None) as socket,
        trio.open_nursery() as nursery,
    ):
        tab = Tab(socket)
        nursery.start_soon(tab.listen)
        context = await tab.call("Target.createBrowserContext", disposeOnDetach=True)
        made = await tab.call("Target.createTarget", url="about:blank", **context)
        attached = await tab.call("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        tab.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.call(f"{domain}.enable")
        yield tab
        nursery.cancel_scope.cancel()
