"""A client of HTTP/2 for tests: h2 makes the frames, the test decides what is sent and when to read."""

import ssl
from pathlib import Path
from typing import Any, TypeVar

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from hyperframe.frame import Frame

from tests.net.certificates import Authority
from tests.peers import Peer
from tests.support import Running, Upstream

Kind = TypeVar("Kind", bound=Event)
Headers = list[tuple[str, str]]

GET: Headers = [(":method", "GET"), (":scheme", "https"), (":authority", "example.com"), (":path", "/")]
CONNECT: Headers = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":authority", "example.com"),
    (":path", "/chat"),
    ("sec-websocket-version", "13"),
]
# RFC 6455, 5.7: "Hello" in one frame, masked and not.
HELLO = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
HELLO_BACK = b"\x81\x05Hello"
ENHANCE_YOUR_CALM = 11
CLOSE = bytes.fromhex("88 82 37fa213d 3412")  # 1000


def listener(file: Path, http2: str = "", **more: str) -> str:
    """Return a listener with TLS that offers HTTP/2; `http2` is text for its section."""
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    certificate = f"[{{certificate: {file}, private_key: {file}}}]"
    return f"tls: {{certificates: {certificate}, http2: {{mode: offer, {http2}}}}}{rest}"


def method(name: str, path: str = "/", *headers: tuple[str, str]) -> Headers:
    """Return a plain request."""
    return [(":method", name), (":scheme", "https"), (":authority", "example.com"), (":path", path), *headers]


def speaking_http2(authority: Authority) -> ssl.SSLContext:
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class Client:
    """One connection. Data is read when the test waits for something, and kept until the test takes it."""

    def __init__(self, peer: Peer, generous: bool = True) -> None:
        """Connect. `generous`: data is acknowledged as soon as it has come."""
        self.peer = peer
        self.h2 = H2Connection(
            H2Configuration(client_side=True, header_encoding="latin-1", validate_outbound_headers=False)
        )
        self.events: list[Event] = []
        self.generous = generous
        self.closed = False
        self._bodies: dict[int, bytes] = {}

    @classmethod
    async def connect(cls, gateway: Running, authority: Authority, generous: bool = True) -> "Client":
        peer = await gateway.connect_tls(speaking_http2(authority))
        assert peer.tls is not None
        assert peer.tls.selected_alpn_protocol() == "h2"
        client = cls(peer, generous)
        client.h2.initiate_connection()
        await client.flush()
        return client

    async def flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            await self.peer.send(data)

    async def ask(self, headers: Headers, end: bool = True) -> int:
        """Begin a stream; return its number."""
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, headers, end_stream=end)
        await self.flush()
        return number

    async def session(self, upstream: Upstream) -> tuple[int, Peer]:
        """Open a session in a new stream; return the number of the stream, and the upstream's end."""
        number = await self.ask(CONNECT, end=False)
        behind, _ = await upstream.agree()
        assert (await self.response(number))[":status"] == "200"
        return number, behind

    async def say(self, number: int, data: bytes, end: bool = False) -> None:
        """Send data, which must fit into the windows."""
        self.h2.send_data(number, data, end_stream=end)
        await self.flush()

    async def upload(self, number: int, data: bytes, end: bool = True) -> None:
        """Send data as fast as the windows allow."""
        while data:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if room:
                await self.say(number, data[:room])
                data = data[room:]
            else:
                await self.hear()
        if end:
            await self.say(number, b"", end=True)

    async def answered_ping(self) -> None:
        """Send a ping and wait for its answer: then all bytes before it have been read."""
        self.h2.ping(b"answered")
        await self.flush()
        await self.event(PingAckReceived)

    async def reset(self, number: int) -> None:
        self.h2.reset_stream(number, 8)  # CANCEL
        await self.flush()

    async def hear(self) -> None:
        """Read once."""
        data = await self.peer.once()
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self.events.append(event)
            if isinstance(event, DataReceived):
                self._bodies[event.stream_id] = self._bodies.get(event.stream_id, b"") + event.data
                if self.generous:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        await self.flush()

    async def frame(self) -> Frame:
        """Return the next frame, without passing it to h2."""
        frame, size = Frame.parse_frame_header(memoryview(await self.peer.exactly(9)))
        frame.parse_body(memoryview(await self.peer.exactly(size)))
        return frame

    async def event(self, kind: type[Kind], number: int | None = None) -> Kind:
        """Return the next event of a kind, on this stream."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and (number is None or getattr(event, "stream_id", None) == number):
                    self.events.remove(event)
                    return event
            assert not self.closed, f"closed before any {kind.__name__} on {number}: {self.events}"
            await self.hear()

    async def response(self, number: int) -> dict[str, str]:
        """Return the head of the final response on a stream."""
        return fields(await self.event(ResponseReceived, number))

    async def body(self, number: int) -> bytes:
        """Return all data on a stream, to its end."""
        await self.event(StreamEnded, number)
        return self._bodies.pop(number, b"")

    async def exactly(self, number: int, count: int) -> bytes:
        """Return so many bytes of data on a stream."""
        while len(self._bodies.get(number, b"")) < count:
            assert not self.closed, f"closed before {count} bytes: {self.events}"
            await self.hear()
        data = self._bodies[number]
        self._bodies[number] = data[count:]
        return data[:count]

    async def code(self, number: int) -> int:
        """Return the code with which a stream has been reset."""
        return int((await self.event(StreamReset, number)).error_code or 0)

    async def until_closed(self) -> None:
        while not self.closed:
            await self.hear()


def fields(event: Any) -> dict[str, str]:
    """Return the header list of a response; none of ours has a name twice."""
    assert isinstance(event, ResponseReceived | InformationalResponseReceived)
    pairs = [(str(name), str(value)) for name, value in event.headers]
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


async def sent_away(client: Client, gateway: Running, code: int, why: str) -> None:
    """Check that the client gets the code, and the log the reason."""
    ended = await client.event(ConnectionTerminated)
    assert ended.error_code == code
    await client.until_closed()
    await client.peer.close()
    line = await gateway.lines.line("refused")
    assert (line["client"], line["why"]) == (client.peer.name, why)
