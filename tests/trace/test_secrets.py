"""Heads without their secrets."""

import pytest

from wsgateway.trace.secrets import concealed

NAMES = ("token", "Password")


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n", b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nCookie: a=b; c=d\r\n\r\n", b"GET / HTTP/1.1\r\nCookie: ***\r\n\r\n"),
        (b"GET / HTTP/1.1\r\ncookie2:a\r\nA: b\r\n\r\n", b"GET / HTTP/1.1\r\ncookie2: ***\r\nA: b\r\n\r\n"),
        (b"HTTP/1.1 101 A\r\nSet-Cookie: a=b\r\n\r\n", b"HTTP/1.1 101 A\r\nSet-Cookie: ***\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nAuthorization: Basic YTpi\r\n\r\n", b"GET / HTTP/1.1\r\nAuthorization: ***\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nPROXY-AUTHORIZATION : a\r\n\r\n", b"GET / HTTP/1.1\r\nPROXY-AUTHORIZATION : ***\r\n\r\n"),
        (
            b"GET / HTTP/1.1\r\nCookie: a=b;\r\n c=d\r\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nCookie: ***\r\n ***\r\nA: b\r\n\r\n",
        ),
        (b"GET /?token=a&b=c HTTP/1.1\r\n\r\n", b"GET /?token=***&b=c HTTP/1.1\r\n\r\n"),
        (b"GET /?b=c&TOKEN=a%20 HTTP/1.1\r\n\r\n", b"GET /?b=c&TOKEN=*** HTTP/1.1\r\n\r\n"),
        (b"GET /?%74oken=a HTTP/1.1\r\n\r\n", b"GET /?%74oken=*** HTTP/1.1\r\n\r\n"),
        (b"GET /?a?token=a HTTP/1.1\r\n\r\n", b"GET /?a?token=*** HTTP/1.1\r\n\r\n"),
        (b"GET /?b=c;password=a HTTP/1.1\r\n\r\n", b"GET /?b=c;password=*** HTTP/1.1\r\n\r\n"),
        (b"GET /?tokens=a&atoken=b HTTP/1.1\r\n\r\n", b"GET /?tokens=a&atoken=b HTTP/1.1\r\n\r\n"),
        (b"A: ws://b/?token=c#d\r\n\r\n", b"A: ws://b/?token=***#d\r\n\r\n"),
        (b"GET / HTTP/1.1\nCookie: a=b\n\n", b"GET / HTTP/1.1\nCookie: ***\n\n"),
        (b"\xff: \xfe\r\n\r\n", b"\xff: \xfe\r\n\r\n"),
    ],
)
def test_secrets_are_hidden_and_nothing_else(head: bytes, shown: bytes) -> None:
    assert concealed(head, NAMES) == shown
