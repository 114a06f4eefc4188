"""A reload does not stop the relay: a worker serves while it reads settings, packed or as text."""

import os
import signal
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import trio

from tests.support import configuration
from wsgateway.run.listening import Listening
from wsgateway.run.messages import Configure, End, Outcome, Refused, Serving, Up
from wsgateway.run.process import Order, WorkerProcess
from wsgateway.run.settings_transfer import VERSION, packed
from wsgateway.settings.load import Source, parse

from .gateways import supervised, whole


def order(do: Literal["serve", "reload"], text: str, listening: Listening, version: str = VERSION) -> Order:
    """Return an order with these settings packed, and with `text` for another version."""
    settings = parse(configuration(9), "f.yaml")
    told, sockets = listening.description(settings)
    message = Configure(do=do, file="f.yaml", text=text, directory="/", version=version, workers=1, sockets=told)
    return Order(message, tuple(sockets), packed(settings))


@pytest.mark.parametrize(
    ("version", "text", "answer"),
    [
        (VERSION, "this is not read", Serving),
        ("0.0 other", configuration(9), Serving),
        ("0.0 other", "version: 2\n", Refused),
    ],
)
async def test_a_worker_uses_packed_settings_of_its_own_version_and_the_text_of_others(
    version: str, text: str, answer: type[Outcome]
) -> None:
    listening = Listening({}).fitted(parse(configuration(9), "f.yaml"))
    worker = await WorkerProcess.start(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.listen)
        assert await worker.answer() == Up()
        found = await worker.carry_out(order("serve", text, listening, version=version))
        assert isinstance(found, answer)
        if answer is Serving:
            again = await worker.carry_out(order("reload", text, listening, version=version))
            assert again == Serving()
        nursery.cancel_scope.cancel()
    listening.close()


async def test_a_worker_ends_at_once_although_a_file_of_its_next_configuration_hangs(tmp_path: Path) -> None:
    fifo = tmp_path / "ws.pem"
    os.mkfifo(fifo)
    tls = f"tls: {{certificates: [{{certificate: {fifo}, private_key: {fifo}}}]}}"
    settings = parse(configuration(9, listener=tls), "f.yaml")
    listening = Listening({}).fitted(parse(configuration(9), "f.yaml"))
    worker = await WorkerProcess.start(1)
    ended = ""

    async def listen() -> None:
        nonlocal ended
        ended = await worker.listen()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        assert await worker.answer() == Up()
        assert await worker.carry_out(order("serve", "", listening)) == Serving()
        await worker.send(replace(order("reload", "", listening), attached=packed(settings)))
        # As long as it has a writer who writes nothing, nobody comes to its end; it is opened with its reader.
        writer = await trio.to_thread.run_sync(os.open, fifo, os.O_WRONLY)
        await worker.send(Order(End()))
    os.close(writer)
    listening.close()
    assert ended == "with status 0"


async def test_the_supervisor_goes_on_while_a_file_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file on a disk that does not answer: the reload waits, and the admin pages do not.
    begun, go_on = threading.Event(), threading.Event()
    async with supervised(file, whole(9)) as gateway:
        settings = Source.settings

        def slow(self: Source, read_files: bool = False) -> Any:
            begun.set()
            go_on.wait()
            return settings(self, read_files)

        monkeypatch.setattr(Source, "settings", slow)
        gateway.signal(signal.SIGHUP)
        await trio.to_thread.run_sync(begun.wait)
        assert await gateway.ask("/health/ready") == (200, b"ready\n")
        assert not gateway.count("reloaded")
        go_on.set()
        await gateway.lines.line("reloaded")
        begun.clear()
        go_on.clear()
        gateway.signal(signal.SIGHUP)
        await trio.to_thread.run_sync(begun.wait)
        gateway.signal(signal.SIGTERM)
        await gateway.ended.wait()
        assert gateway.failure is None
    go_on.set()


async def test_the_supervisor_goes_on_while_a_name_to_listen_on_is_resolved(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A resolver that does not answer: the reload waits, and neither admin pages nor sessions nor the end do.
    begun, go_on = threading.Event(), threading.Event()
    getaddrinfo = socket.getaddrinfo

    def slow(host: Any, *rest: Any, **options: Any) -> Any:
        if host not in ("one.example", "two.example"):
            return getaddrinfo(host, *rest, **options)
        begun.set()
        go_on.wait()
        return getaddrinfo("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        async with supervised(file, whole(9)) as gateway:
            gateway.write(whole(9).replace('"127.0.0.1:0"', '"127.0.0.1:0", "one.example:0"', 1))
            gateway.signal(signal.SIGHUP)
            await trio.to_thread.run_sync(begun.wait)
            assert await gateway.ask("/health/ready") == (200, b"ready\n")
            assert not gateway.count("reloaded")
            go_on.set()
            await gateway.lines.line("reloaded")
            assert gateway.count("listening") == 2

            begun.clear()
            go_on.clear()
            gateway.write(whole(9).replace('"127.0.0.1:0"', '"two.example:0"', 1))
            gateway.signal(signal.SIGHUP)
            await trio.to_thread.run_sync(begun.wait)
            gateway.signal(signal.SIGTERM)
            await gateway.ended.wait()
            assert gateway.failure is None
    finally:
        go_on.set()
