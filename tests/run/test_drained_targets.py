"""Targets that an operator drains: they get no new sessions, keep those that they have, and stay drained."""

from contextlib import AsyncExitStack

import pytest

from tests.openings import BY_DIALECT, opened
from tests.support import Running, Upstream, serving_text

MODERN = BY_DIALECT["rfc6455"]
_TEXT = """\
version: 1
listeners: [{{name: public, bind: ["127.0.0.1:0"]}}]
routes: [{{name: all, match: {{path: {{prefix: /}}}}, upstream: behind}}]
upstreams:
  behind:
    targets: [{targets}]
    {more}
"""


def two(first: Upstream, second: Upstream, more: str = "queue: {timeout: 1s}") -> str:
    targets = ", ".join(f'{{url: "ws://127.0.0.1:{each.port}"}}' for each in (first, second))
    return _TEXT.format(targets=targets, more=more)


def url(upstream: Upstream) -> str:
    return f"ws://127.0.0.1:{upstream.port}"


def states(gateway: Running) -> dict[str, str]:
    pools = gateway.service.status()["pools"]  # type: ignore[typeddict-item]
    return {target["url"]: target["state"] for target in pools["behind"]["targets"]}


async def test_a_drained_target_keeps_its_sessions_and_gets_no_new_ones() -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(Upstream()) for _ in range(2)]
        gateway = await stack.enter_async_context(serving_text(two(first, second)))
        session = await opened(first, gateway, MODERN)
        await opened(second, gateway, MODERN)
        gateway.service.drain_targets([("behind", url(first))])
        assert states(gateway) == {url(first): "drained", url(second): "up"}
        for _ in range(3):
            await opened(second, gateway, MODERN)
        assert first.nobody_came()
        await session.works()

        gateway.service.drain_targets([])
        assert states(gateway) == {url(first): "up", url(second): "up"}
        await opened(first, gateway, MODERN)


async def test_a_drained_target_is_used_for_nobody_also_if_no_other_is_up() -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(Upstream()) for _ in range(2)]
        gateway = await stack.enter_async_context(serving_text(two(first, second)))
        gateway.service.drain_targets([("behind", url(first))])
        second.stop()
        client = await gateway.connect(MODERN.request)
        assert (await client.rest()).startswith(b"HTTP/1.1 502 ")
        assert first.nobody_came()


async def test_if_all_targets_are_drained_the_client_is_told_so_at_once() -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(Upstream()) for _ in range(2)]
        gateway = await stack.enter_async_context(serving_text(two(first, second)))
        gateway.service.drain_targets([("behind", url(first)), ("behind", url(second)), ("other", url(second))])
        client = await gateway.connect(MODERN.request)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"503 Service Unavailable: upstream-drained\n")
        line = await gateway.lines.line("refused")
        assert line["why"] == "all targets of behind are drained"
        gateway.service.drain_targets([("behind", url(second))])
        await opened(first, gateway, MODERN)


async def test_a_session_that_ends_makes_its_target_no_candidate_again() -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(Upstream()) for _ in range(2)]
        gateway = await stack.enter_async_context(serving_text(two(first, second)))
        session = await opened(first, gateway, MODERN)
        gateway.service.drain_targets([("behind", url(first))])
        await session.ends()
        await gateway.lines.line("session")
        for _ in range(3):
            await opened(second, gateway, MODERN)
        assert first.nobody_came()


@pytest.mark.parametrize("more", ["queue: {timeout: 1s}", "max_connections: 7"])
async def test_a_target_stays_drained_when_a_reload_keeps_or_changes_its_upstream(more: str) -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(Upstream()) for _ in range(2)]
        gateway = await stack.enter_async_context(serving_text(two(first, second)))
        gateway.service.drain_targets([("behind", url(first))])
        gateway.reload(two(first, second, more))
        assert states(gateway) == {url(first): "drained", url(second): "up"}
        for _ in range(3):
            await opened(second, gateway, MODERN)
        assert first.nobody_came()
