"""Which sockets settings need, which are open already, and which listener has which."""

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.settings.files import LISTENERS, SMALL
from wsgateway.errors import SettingsError
from wsgateway.run.listening import Listening, Sockets, close, shares
from wsgateway.settings.basics import Address
from wsgateway.settings.load import parse
from wsgateway.settings.whole import Settings


def settings(*listeners: str) -> Settings:
    """Return settings with listeners at these addresses."""
    text = "\n".join(f"  - bind: [{binds}]" for binds in listeners)
    return parse(SMALL.replace(LISTENERS, f"listeners:\n{text}\n"), "f.yaml")


A, B = Address("127.0.0.1", 0), Address("127.0.0.2", 0)


def test_sockets_that_are_open_stay_and_only_missing_ones_are_opened() -> None:
    first = Listening({}).fitted(settings('"127.0.0.1:0"'))
    [[sock]] = first.shared().values()
    again = first.fitted(settings('"127.0.0.1:0"'))
    assert again.shared() == {A: [sock]}
    more = first.fitted(settings('"127.0.0.1:0", "127.0.0.2:0"'))
    assert more.shared() == {A: [sock], B: more.shared()[B]}
    moved = more.fitted(settings('"127.0.0.2:0"'))
    more.close_what_is_not_in(moved)
    assert sock.fileno() == -1
    [[other]] = moved.shared().values()
    assert other.fileno() >= 0
    moved.close()
    assert other.fileno() == -1


def test_if_one_socket_cannot_be_opened_no_new_one_is_and_the_old_ones_stay_open() -> None:
    held = Listening({}).fitted(settings('"127.0.0.1:0"'))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"^127.0.0.1:{port}: cannot listen: Address already in use$"):
            held.fitted(settings('"127.0.0.1:0"', f'"127.0.0.2:0", "127.0.0.1:{port}"'))
    # A socket that was left open would be a ResourceWarning, and an error here.
    [[sock]] = held.shared().values()
    assert sock.fileno() >= 0
    held.close()


def test_listeners_share_the_sockets_of_an_address_that_is_named_several_times() -> None:
    wanted = settings('"127.0.0.1:0", "127.0.0.2:0"', '"127.0.0.1:0"')
    sockets: Sockets = Listening({}).fitted(wanted).shared()
    assert {address: len(there) for address, there in sockets.items()} == {A: 2, B: 1}
    assert [(listener.name, sock) for listener, sock in shares(wanted, sockets)] == [
        ("listener-1", sockets[A][0]),
        ("listener-1", sockets[B][0]),
        ("listener-2", sockets[A][1]),
    ]
    close(sockets)


def test_a_host_with_several_addresses_is_shared_by_all_of_them() -> None:
    wanted = settings(*['"127.0.0.1:0"'] * 3)
    sockets: Sockets = {A: [socket.socket() for _ in range(6)]}
    shared = [sockets[A].index(sock) for _, sock in shares(wanted, sockets)]
    assert shared == [0, 1, 2, 3, 4, 5]
    assert [listener.name[-1] for listener, _ in shares(wanted, sockets)] == ["1", "1", "2", "2", "3", "3"]
    close(sockets)


def test_the_file_of_a_unix_socket_is_removed_when_its_owner_closes_the_socket(tmp_path: Path) -> None:
    one, two = tmp_path / "one.sock", tmp_path / "two.sock"
    both = Listening({}).fitted(settings(f'"unix:{one}", "unix:{two}"'))
    first = both.fitted(settings(f'"unix:{one}"'))
    both.close_what_is_not_in(first)
    assert (one.exists(), two.exists()) == (True, False)
    # A process that hands its sockets over leaves their files to the other.
    first.owns_files = False
    again = first.fitted(settings(f'"unix:{one}"'))
    again.close()
    assert one.exists()
    last = Listening({}).fitted(settings(f'"unix:{one}"'))
    last.close_listeners()
    assert not one.exists()


def test_a_new_socket_file_is_removed_if_another_address_cannot_be_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(SettingsError, match="Address already in use"):
            Listening({}).fitted(settings(f'"unix:{tmp_path / "one.sock"}", "127.0.0.1:{taken}"'))
    assert list(tmp_path.iterdir()) == []


async def test_a_socket_that_a_thread_opens_for_a_cancelled_configuration_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver takes longer than the caller waits. A socket that stays open would be a warning, so an error."""
    resolving, go_on, removed = threading.Event(), threading.Event(), threading.Event()
    getaddrinfo, unlink = socket.getaddrinfo, os.unlink

    def slow(host: Any, *rest: Any, **options: Any) -> Any:
        resolving.set()
        go_on.wait()
        return getaddrinfo("127.0.0.1", *rest, **options)

    def remove(path: str) -> None:
        unlink(path)
        removed.set()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(os, "unlink", remove)
    path = tmp_path / "s"
    held = Listening({}).fitted(settings(f'"unix:{tmp_path}/held"'))
    try:
        async with trio.open_nursery() as nursery:
            wanted = settings(f'"slow.example:0", "unix:{path}", "unix:{tmp_path}/held"')
            nursery.start_soon(held.fitted_beside, wanted)
            await trio.to_thread.run_sync(resolving.wait)
            assert not path.exists()
            nursery.cancel_scope.cancel()
        go_on.set()
        await trio.to_thread.run_sync(removed.wait)
        assert not path.exists()
        # What there was before is as it was.
        assert (tmp_path / "held").exists()
        assert [sock.fileno() >= 0 for _, sock in held.every()] == [True]
    finally:
        go_on.set()
        held.close()
