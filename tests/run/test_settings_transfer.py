"""Settings on their way to workers: they arrive as they were sent, and other tasks run meanwhile."""

import gc
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.e2e.programs import PATIENCE_SECONDS
from wsgateway.run.settings_transfer import ROUTES_AT_ONCE, VERSION, packed, unpacked, version_of
from wsgateway.settings.load import load, parse
from wsgateway.settings.whole import Settings

ROOT = Path(__file__).parent.parent.parent
COMPLETE = ROOT / "config" / "wsgateway.yaml"


def many(routes: int) -> Settings:
    lines = "".join(
        f"  - {{match: {{path: {{prefix: /r{each}}}, hosts: [h{each}.example]}}, upstream: e}}\n"
        for each in range(routes)
    )
    text = f'version: 1\nlisteners: [{{bind: ["127.0.0.1:1"]}}]\nroutes:\n{lines}'
    return parse(text + 'upstreams: {e: {targets: [{url: "ws://127.0.0.1:9"}]}}\n', "f.yaml")


async def test_unpacked_settings_are_equal_to_the_packed_ones() -> None:
    settings = load(COMPLETE)
    found = await unpacked(packed(settings))
    assert found == settings
    # And what is one thing stays one.
    assert found.routes[0].dialects[0] is settings.routes[0].dialects[0]
    assert found.routes[0].upstream is found.upstreams["chat"]


@pytest.mark.parametrize("routes", [1, ROUTES_AT_ONCE, ROUTES_AT_ONCE + 1, 95])
async def test_routes_keep_their_order(routes: int) -> None:
    settings = many(routes)
    assert (await unpacked(packed(settings))).routes == settings.routes


async def test_other_tasks_run_while_routes_are_unpacked() -> None:
    data = packed(many(10 * ROUTES_AT_ONCE))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await unpacked(data)
        nursery.cancel_scope.cancel()
    assert turns >= 5


async def test_unpacked_settings_are_not_tracked_by_the_garbage_collector() -> None:
    # It would stop all sessions for as long as that takes.
    data = packed(many(100 * ROUTES_AT_ONCE))
    passes = 0

    def count(phase: str, info: dict[str, int]) -> None:
        nonlocal passes
        passes += phase == "start"

    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(50, 1_000_000, 1_000_000)
    gc.callbacks.append(count)
    try:
        settings = await unpacked(data)
        young = [each for generation in (0, 1) for each in gc.get_objects(generation)]
        # More than 10,000 objects were made. Before the first and after the last of them, it may run as it likes.
        assert passes < 50
        assert gc.isenabled()
        assert gc.get_freeze_count() == 0
        assert not any(each is settings.routes[0] for each in young)
    finally:
        gc.callbacks.remove(count)
        gc.set_threshold(*before)


async def test_settings_that_cannot_be_unpacked_leave_the_collector_at_work() -> None:
    with pytest.raises(EOFError):
        await unpacked(packed(many(1))[:-4])
    assert gc.isenabled()


async def test_patterns_are_compiled_by_the_engine_of_the_worker() -> None:
    text = """\
version: 1
listeners: [{bind: ["127.0.0.1:1"]}]
routes: [{match: {path: {regex: "/room/[0-9]+"}}, upstream: e}]
upstreams: {e: {targets: [{url: "ws://127.0.0.1:9"}]}}
"""
    found = await unpacked(packed(parse(text, "f.yaml")))
    assert found.routes[0].match.path.matches("/room/12")
    assert not found.routes[0].match.path.matches("/room/x")


def test_the_version_is_that_of_the_code() -> None:
    # The same code says the same in every process; it is not only the number of the release.
    code = "from wsgateway.run.settings_transfer import VERSION; print(VERSION)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=PATIENCE_SECONDS, check=True
    )
    assert done.stdout == f"{VERSION}\n"
    assert re.fullmatch(r"[0-9a-f]{64}", VERSION)


def test_another_code_has_another_version(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("x = 1\n")
    one = version_of(tmp_path)
    (tmp_path / "model.py").write_text("x = 2\n")
    assert version_of(tmp_path) != one
