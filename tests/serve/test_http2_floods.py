"""Frames of HTTP/2 without content are limited by a rate; those with a reason are not."""

import pytest
import trio
from h2.events import RemoteSettingsChanged, SettingsAcknowledged
from hyperframe.frame import (
    DataFrame,
    ExtensionFrame,
    Frame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.net.certificates import Authority
from tests.serve.exchanging import serving_http
from tests.support import Upstream, serving

from .http2 import ENHANCE_YOUR_CALM, GET, HELLO, HELLO_BACK, Client, listener, method, sent_away


def settings() -> Frame:
    return SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535})


def priority() -> Frame:
    return PriorityFrame(1, depends_on=0, stream_weight=1)


FLOODS = {
    "pings": PingFrame(opaque_data=b"12345678"),
    "settings": settings(),
    "priorities": priority(),
    "empty data": DataFrame(1),
    "padding alone": DataFrame(1, pad_length=9, flags=["PADDED"]),
    "answers to no ping": PingFrame(opaque_data=b"12345678", flags=["ACK"]),
    "resets of a stream that is over": RstStreamFrame(1),
    "frames of no known kind": ExtensionFrame(0x77, 0),
}


@pytest.mark.parametrize("frame", FLOODS.values(), ids=FLOODS.keys())
async def test_frames_that_only_make_work_are_held_to_a_rate(frame: Frame, authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "control_rate: 20/h")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.ask(method("POST"), end=False)
        await client.peer.send(frame.serialize() * 19)  # the client's first settings count as one
        await client.peer.send(frame.serialize())
        await sent_away(
            client,
            gateway,
            ENHANCE_YOUR_CALM,
            "HTTP/2: more than 20 in 3600 s resets, pings, settings and the like",
        )


@pytest.mark.parametrize("number", [0, 1], ids=["connection", "stream"])
async def test_window_updates_that_no_data_explains_are_held_to_a_rate(number: int, authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "control_rate: 20/h")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.ask(method("POST"), end=False)
        await client.event(SettingsAcknowledged)
        update = WindowUpdateFrame(number, window_increment=1).serialize()
        await client.peer.send(update * (100 + 18))  # the client's first settings count as one
        await client.answered_ping()
        await client.peer.send(update)
        why = "HTTP/2: more than 20 in 3600 s resets, pings, settings and the like"
        await sent_away(client, gateway, ENHANCE_YOUR_CALM, why)


async def test_acknowledgements_of_no_settings_are_held_to_a_rate(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "control_rate: 20/h")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.event(RemoteSettingsChanged)  # h2 acknowledges it
        await client.peer.send(SettingsFrame(flags=["ACK"]).serialize() * 18)
        await client.answered_ping()
        await client.peer.send(SettingsFrame(flags=["ACK"]).serialize())
        why = "HTTP/2: more than 20 in 3600 s resets, pings, settings and the like"
        await sent_away(client, gateway, ENHANCE_YOUR_CALM, why)


async def test_a_long_download_through_a_small_window_is_no_flood(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "control_rate: 20/h")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        size = 10 * 1024 * 1024
        async with trio.open_nursery() as nursery:
            nursery.start_soon(behind.send, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            while size:
                size -= len(await client.exactly(number, min(size, 64 * 1024)))


async def test_many_small_messages_are_no_flood(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "control_rate: 20/h")
    async with Upstream() as upstream, serving(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority, generous=False)
        number, behind = await client.session(upstream)
        for _ in range(10):
            await client.say(number, HELLO * 100)
            await behind.exactly(len(HELLO * 100))
            for _ in range(100):  # one frame for each, whose windows the client opens again at once
                await behind.send(HELLO_BACK)
                await client.exactly(number, len(HELLO_BACK))
                client.h2.increment_flow_control_window(7)
                client.h2.increment_flow_control_window(7, number)
                await client.flush()
        assert not client.closed


async def test_resets_are_held_to_a_rate(authority: Authority) -> None:
    offered = listener(authority.issue("localhost"), "control_rate: 20/h")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        for _ in range(20):
            await client.reset(await client.ask(GET))
        why = "HTTP/2: more than 20 in 3600 s resets, pings, settings and the like"
        await sent_away(client, gateway, ENHANCE_YOUR_CALM, why)
