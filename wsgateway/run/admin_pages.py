"""The admin pages of a running gateway, which a reload may move to another address."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import trio

from wsgateway.census.chart import Chart
from wsgateway.observe.admin import AdminServer
from wsgateway.observe.log import Log
from wsgateway.observe.pages import pages
from wsgateway.observe.status import Status
from wsgateway.page.site import ACTIONS, Answer, PageSite, into
from wsgateway.page.view import sections
from wsgateway.run.commander import Commander
from wsgateway.run.listening import Listening
from wsgateway.run.requests import ControlRequest, Fact, Item, Send
from wsgateway.serve.bind import address_of
from wsgateway.settings.whole import Settings

# Charts change once in a minute, and to make them costs as much as all else that is shown.
CHART_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Behind:
    """The functions of a gateway for its pages."""

    status: Callable[[], Awaitable[Status]]
    charts: Callable[[], Awaitable[dict[str, Chart]]]
    commander: Commander


class AdminPages:
    """Serve the admin pages in the caller's nursery, for one configuration after the other."""

    def __init__(self, behind: Behind, nursery: trio.Nursery, log: Log) -> None:
        self._behind = behind
        self._nursery = nursery
        self._log = log
        self._scope = trio.CancelScope()
        self._charted = -CHART_SECONDS
        self._charts: dict[str, Chart] = {}

    def serve(self, settings: Settings, listening: Listening) -> None:
        """Serve at the address of these settings, and no longer at the last one. Serve nothing if they have none."""
        self.stop()
        if settings.admin.bind is None:
            return
        socks = listening.own("admin")
        for sock in socks:
            self._log.info("admin pages", address=str(address_of(sock)))
        self._scope = trio.CancelScope()
        actions = filter(self._behind.commander.can, ACTIONS if settings.admin.actions == "local" else ())
        site = PageSite(self._look, self._ask, list(actions), self._log)
        every = {**site.pages, **pages(self._behind.status)}
        self._nursery.start_soon(AdminServer(every, settings.admin, self._log).run, socks, self._scope)

    def stop(self) -> None:
        """Accept no more clients. Those that have connected before are still answered, and their streams end."""
        self._scope.cancel()

    async def _look(self) -> Mapping[str, object]:
        """Return all that the page for browsers shows."""
        status = await self._behind.status()
        refusals: list[Item] = []
        await self._ask("refusals", {}, {}, into(refusals))
        if trio.current_time() - self._charted >= CHART_SECONDS:
            self._charts = await self._behind.charts()
            self._charted = trio.current_time()
        return {**sections(status, refusals), "chart": self._charts}

    async def _ask(self, command: str, arguments: dict[str, Fact], who: Mapping[str, object], send: Send) -> Answer:
        answer = await self._behind.commander.perform(ControlRequest(command, arguments), who, send)
        return Answer(answer.ok, answer.findings, answer.facts)
