"""Helpers that probe a server, and what tests compare: the lines of a transcript without what differs each time."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from tests.dialects.families import COVERED, FRAMES, HIXIE, MORE, TWO_KEYS
from tests.net.certificates import Authority
from tests.support import PATIENCE_SECONDS
from wsgateway.probe.client import ProbeRequest, Report, probe
from wsgateway.trace.transcript import Line


async def ask(probe_request: ProbeRequest) -> tuple[Report, list[Line]]:
    """Return the report of a probe and its transcript."""
    lines: list[Line] = []
    with trio.fail_after(PATIENCE_SECONDS):
        report = await probe(probe_request, lines.append)
    print(*lines, report, sep="\n")
    return report, lines


def written(line: Line) -> str:
    """Return a line with a bar before its meaning, if it has one."""
    return (
        f"{line.direction} {line.text} | {line.meaning}" if line.meaning else f"{line.direction} {line.text}".rstrip()
    )


def behind_the_handshake(dialect: str, lines: list[Line]) -> list[str]:
    """Return the lines after both heads, and after the proof where there is one. Masked bytes are written as xx."""
    end = max(at for at, line in enumerate(lines) if (line.direction, line.text) == ("<", ""))
    behind = lines[end + 1 :]
    if dialect in TWO_KEYS:
        assert behind.pop(0).meaning.startswith("the proof: MD5 of ")
    return [_hidden(dialect, line) for line in behind]


def _hidden(dialect: str, line: Line) -> str:
    masked = line.meaning.startswith(("payload: ", "the key of ")) if dialect in FRAMES else dialect in COVERED
    if line.direction != ">" or not masked:
        return written(line)
    meaning = re.sub("from which comes .*", "from which comes its mask", line.meaning)
    return written(Line(">", re.sub("[0-9a-f]{2}", "xx", line.text), meaning))


def talk(text: str) -> list[str]:
    """Return the lines of a text, without its margins. A line that begins with dots belongs to the one before."""
    return [line.strip() for line in re.sub(r"\n +\.\.\.", "", text).splitlines() if line.strip()]


_HIXIE = """
    > 00 | a text begins
    > 48 65 6c 6c 6f | text 'Hello'
    > ff | the text ends
    < 00 | a text begins
    < 48 65 6c 6c 6f | text 'Hello'
    < ff | the text ends
"""
_COVERED = """
    > xx xx xx xx | the key of a mask over the frame
    > xx | under the mask 84: FIN, opcode 4: text, the last frame of its message
    > xx | under the mask 05: length 5
    > xx xx xx xx xx | payload: 'Hello'
    < 84 | FIN, opcode 4: text, the last frame of its message
    < 05 | length 5
    < 48 65 6c 6c 6f | payload: 'Hello'
    > xx xx xx xx | the key of a mask over the frame
    > xx | under the mask 81: FIN, opcode 1: close
"""
HELLO = {
    "hixie-75": talk(f"""
        {_HIXIE}
        = the probe closes the connection: this dialect has no closing frame
        = the server closed the connection
    """),
    "hixie-76": talk(f"""
        {_HIXIE}
        > ff | a frame that has a length
        > 00 | a length of 0: FF 00 is the closing frame
        < ff | a frame that has a length
        < 00 | a length of 0: FF 00 is the closing frame
    """),
    "hybi-04": talk(f"""
        {_COVERED.replace("over the frame", "over the frame, from which comes its mask")}
        > xx | under the mask 00: length 0
        < 81 | FIN, opcode 1: close
        < 00 | length 0
    """),
    "hybi-05": talk(f"""
        {_COVERED}
        > xx | under the mask 01: length 1
        > xx | payload: 'C'
        < 81 | FIN, opcode 1: close
        < 01 | length 1
        < 53 | payload: 'S'
    """),
    "hybi-06": talk(f"""
        {_COVERED}
        > xx | under the mask 02: length 2
        > xx xx | payload: 1000
        < 81 | FIN, opcode 1: close
        < 02 | length 2
        < 03 e8 | payload: 1000
    """),
    **dict.fromkeys(
        MORE,
        talk("""
            > 04 | MORE is 0, opcode 4: text, the last frame of its message
            > 05 | length 5
            > 48 65 6c 6c 6f | payload: 'Hello'
            < 04 | MORE is 0, opcode 4: text, the last frame of its message
            < 05 | length 5
            < 48 65 6c 6c 6f | payload: 'Hello'
            > 01 | MORE is 0, opcode 1: close
            > 00 | length 0
            < 01 | MORE is 0, opcode 1: close
            < 00 | length 0
        """),
    ),
    **dict.fromkeys(
        FRAMES,
        talk("""
            > 81 | FIN, opcode 1: text, the last frame of its message
            > 85 | MASK, length 5
            > xx xx xx xx | the key of the mask
            > xx xx xx xx xx | payload: 'Hello'
            < 81 | FIN, opcode 1: text, the last frame of its message
            < 05 | length 5
            < 48 65 6c 6c 6f | payload: 'Hello'
            > 88 | FIN, opcode 8: close
            > 82 | MASK, length 2
            > xx xx xx xx | the key of the mask
            > xx xx | payload: 1000
            < 88 | FIN, opcode 8: close
            < 02 | length 2
            < 03 e8 | payload: 1000
        """),
    ),
}
"""Behind the handshake of each dialect: Hello, its echo, and both goodbyes."""
PINGLESS = HIXIE


@asynccontextmanager
async def tls_before(port: int, authority: Authority) -> AsyncIterator[int]:
    """Yield the port of a proxy that ends TLS in front of a server without it."""
    async with trio.open_nursery() as nursery:
        handler = partial(_pass_on, port)
        [listener] = await nursery.start(
            partial(trio.serve_ssl_over_tcp, handler, 0, authority.server, host="127.0.0.1")
        )
        yield listener.transport_listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def _pass_on(port: int, client: trio.SSLStream[trio.SocketStream]) -> None:
    async with client, await trio.open_tcp_stream("127.0.0.1", port) as behind, trio.open_nursery() as nursery:
        nursery.start_soon(_upwards, client, behind)
        async for data in behind:
            await client.send_all(data)
        nursery.cancel_scope.cancel()


async def _upwards(client: trio.SSLStream[trio.SocketStream], behind: trio.SocketStream) -> None:
    try:
        async for data in client:
            await behind.send_all(data)
    except trio.BrokenResourceError:
        pass  # gone without a goodbye, or never come: the server behind hears of an end
    await behind.send_eof()
