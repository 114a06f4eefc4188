"""The admin pages of a running gateway, which a reload may move to another address."""

from collections.abc import Awaitable, Callable

import trio

from wsgateway.observe.admin import AdminServer
from wsgateway.observe.log import Log
from wsgateway.observe.pages import pages
from wsgateway.observe.status import Status
from wsgateway.run.listening import Listening
from wsgateway.serve.bind import address_of
from wsgateway.settings.whole import Settings


class AdminPages:
    """Serve the admin pages in the caller's nursery, for one configuration after the other."""

    def __init__(self, status: Callable[[], Awaitable[Status]], nursery: trio.Nursery, log: Log) -> None:
        self._status = status
        self._nursery = nursery
        self._log = log
        self._scope = trio.CancelScope()

    def serve(self, settings: Settings, listening: Listening) -> None:
        """Serve at the address of these settings, and no longer at the last one. Serve nothing if they have none."""
        self.stop()
        if settings.admin.bind is None:
            return
        socks = listening.own("admin")
        for sock in socks:
            self._log.info("admin pages", address=str(address_of(sock)))
        self._scope = trio.CancelScope()
        self._nursery.start_soon(AdminServer(pages(self._status), settings.admin, self._log).run, socks, self._scope)

    def stop(self) -> None:
        """Accept no more clients. Those that have connected before are still answered."""
        self._scope.cancel()
