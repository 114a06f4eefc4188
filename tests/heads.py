"""Heads of HTTP, written and read without the code under test."""

import base64
import hashlib


def head_of(start: str, *lines: str) -> bytes:
    """Return a head: its first line and its headers, text of bytes (Latin-1)."""
    return "".join(f"{line}\r\n" for line in [start, *lines, ""]).encode("latin-1")


def fields(head: bytes) -> list[tuple[str, str]]:
    """Return the headers of a head, in order; names in lower case."""
    lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def values(head: bytes, name: str) -> list[str]:
    """Return all values of a header, whose name is in lower case."""
    return [value for each, value in fields(head) if each == name]


def switching(request: bytes, *headers: str) -> bytes:
    """Return the 101 that a server of RFC 6455 answers to the head of a request."""
    [key] = values(request, "sec-websocket-key")
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    accept = f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}"
    return head_of("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", accept, *headers)
