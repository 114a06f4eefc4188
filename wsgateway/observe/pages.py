"""The admin pages for programs."""

import json
from collections.abc import Awaitable, Callable

from wsgateway.observe.admin import Page, Pages, Visit
from wsgateway.observe.http_server import Reply
from wsgateway.observe.metrics import CONTENT_TYPE, exposition
from wsgateway.observe.status import Status


def pages(status: Callable[[], Awaitable[Status]]) -> Pages:
    """Return these pages; `status` returns the status of the gateway."""

    async def metrics(_: Visit) -> Reply:
        return Reply(exposition(await status()), CONTENT_TYPE)

    async def live(_: Visit) -> Reply:
        return Reply(b"alive\n")

    async def ready(_: Visit) -> Reply:
        now = await status()
        if now["ready"]:
            return Reply(b"ready\n")
        why = "draining" if now["draining"] else f"not serving: {now['not_serving']}"
        return Reply(f"{why}\n".encode(), status=503)

    async def whole(_: Visit) -> Reply:
        return Reply(json.dumps(await status()).encode() + b"\n", "application/json")

    return {"/metrics": Page(metrics), "/health/live": Page(live), "/health/ready": Page(ready), "/status": Page(whole)}
