"""Hang-ups of peers: when they are reported, and as what."""

import errno
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.support import PATIENCE_SECONDS
from wsgateway.net.hangups import HangupWatcher


@contextmanager
def connected(family: socket.AddressFamily) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield both ends of a connection."""
    if family == socket.AF_UNIX:
        ours, theirs = socket.socketpair()
    else:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            theirs = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def half_close(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def say_and_half_close(sock: socket.socket) -> None:
    sock.sendall(bytes(1000))
    sock.shutdown(socket.SHUT_WR)


def say_and_close(sock: socket.socket) -> None:
    sock.sendall(bytes(1000))
    sock.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


WAYS = {
    "half-closed": (half_close, False),
    "half-closed behind bytes": (say_and_half_close, False),
    "closed behind bytes": (say_and_close, False),
    "closed": (socket.socket.close, False),
    "reset": (reset, True),
}


@pytest.mark.parametrize(("way", "is_reset"), WAYS.values(), ids=WAYS)
async def test_each_way_to_hang_up_is_reported_once_and_nothing_is_read(way: object, is_reset: bool) -> None:
    assert callable(way)
    hangups, told = HangupWatcher(), []
    with connected(socket.AF_INET) as (ours, theirs):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangups.run)
            with hangups.watched(ours, told.append):
                await wait_all_tasks_blocked()
                assert told == []
                way(theirs)
                with trio.fail_after(PATIENCE_SECONDS):
                    while not told:
                        await trio.lowlevel.checkpoint()
                for _ in range(10):
                    await trio.lowlevel.checkpoint()
            assert told == [is_reset]
            if "say" in getattr(way, "__name__", ""):
                assert ours.recv(2000) == bytes(1000)
            nursery.cancel_scope.cancel()


async def test_the_end_of_a_unix_socket_is_reported_too() -> None:
    hangups, told = HangupWatcher(), []
    with connected(socket.AF_UNIX) as (ours, theirs):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangups.run)
            with hangups.watched(ours, told.append):
                say_and_half_close(theirs)
                while not told:
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert told == [False]


async def test_a_hangup_before_or_after_a_watch_is_reported_in_the_next_one() -> None:
    hangups, first, second = HangupWatcher(), [], []
    with connected(socket.AF_INET) as (ours, theirs):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangups.run)
            with hangups.watched(ours, first.append):
                await wait_all_tasks_blocked()
            half_close(theirs)
            await wait_all_tasks_blocked()
            with hangups.watched(ours, second.append):
                while not second:
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert (first, second) == ([], [False])


async def test_each_of_many_hangups_is_reported_for_its_own_connection() -> None:
    hangups, told = HangupWatcher(), []
    with connected(socket.AF_INET) as one, connected(socket.AF_INET) as two:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hangups.run)
            with hangups.watched(one[0], lambda reset: told.append(("one", reset))):
                with hangups.watched(two[0], lambda reset: told.append(("two", reset))):
                    half_close(two[1])
                    while not told:
                        await trio.lowlevel.checkpoint()
                reset(one[1])
                while len(told) < 2:
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert told == [("two", False), ("one", True)]


class Exhausted:
    """Return an epoll object with no room for more watches, as when the machine's limit is reached (ENOSPC)."""

    def register(self, fd: int, events: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def unregister(self, fd: int) -> None:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


async def test_a_connection_that_cannot_be_watched_is_never_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "epoll", Exhausted)
    hangups, told = HangupWatcher(), []
    with connected(socket.AF_INET) as (ours, theirs), hangups.watched(ours, told.append):
        half_close(theirs)
        await wait_all_tasks_blocked()
    assert told == []
