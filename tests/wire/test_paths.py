"""The paths that may lead out of a route, and the form in which paths are compared."""

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire.paths import check_path, normalised, rest_after

# To some server each of them is /chat/../admin, or something as bad.
LEADING_OUT = [
    "/chat/../admin", "/chat/..", "/..", "/.", "/./x", "/chat/./x", "/chat/.", "//..//x",
    # With a backslash (IIS), and in escapes.
    "/chat/..\\admin", "/chat\\..\\admin", "/chat%5c..%5Cadmin", "/chat/..%2fadmin", "/chat%2F..",
    "/chat/%2e%2e/admin", "/chat/.%2E/admin", "/chat/%2e/x", "%2f..",
    # With parameters, which Tomcat, Jetty and Spring remove before or after they resolve the dots.
    "/chat/..;/admin", "/chat/..;x=1/admin", "/chat/..;x=1;y", "/chat/.;/x", "/chat/%2e%2e;/admin", "/chat/..%3b/admin",
    "/chat/..%3bx/admin", "/chat/a;x=%2f..%2fadmin", "/;/../x", "/chat/..%253bx",
    # Decoded twice.
    "/chat/%252e%252e/admin", "/chat/%252e./admin", "/chat/.%252E%2fadmin", "/chat%252f..%252fadmin", "/chat/%2%65./x",
    "/chat/%25%32%65%25%32%65/admin", "/chat/..%255cadmin",
]  # fmt: skip
OVERLONG = [
    "/chat/%c0%ae%c0%ae/admin", "/chat/%C0%AE", "/chat/..%c0%afadmin", "/chat/..%c1%9cadmin", "/a%c0%ae.txt",
    "/chat/%e0%80%ae%e0%80%ae/", "/chat%e0%80%af", "/chat%E0%81%9C", "/chat%f0%80%80%ae", "/chat%f0%80%80%af",
    "/chat%f0%80%81%9c", "/chat%f8%80%80%80%ae", "/chat%fc%80%80%80%80%af", "/chat%fc%80%80%80%81%9c",
    "/chat/%25c0%25ae", "/chat/%c0%25ae",
]  # fmt: skip
NUL = ["/chat/..%00", "/chat/%00", "/%00admin", "/chat/a%00.txt", "/chat/%2500"]
GOOD = [
    "/", "/chat", "/chat/", "//", "/chat//x", "/...", "/chat/.../x", "/.well-known/x", "/chat/..x", "/chat/x..", "/a.b",
    "/chat/. ", "/chat;..", "/chat;v=../x".replace("../", "..x/"), "/chat;jsessionid=1.2", "/a;x/b;y", "/chat/;",
    "/caf%C3%A9", "/caf%E9", "/%C0", "/%c0x%ae", "/%C0%41", "/%C1", "/%c3%80%c2%ae", "/100%", "/%", "/%zz/%4", "/%25",
    "/%2525", "/a%2Fb", "/%252F", "/a%5Cb", "/%E2%80%AE", "/%2e%2e%2e", "/x%2e%2e", "/%252e%252e%252e",
    "/%25252e%25252e/three-times",
]  # fmt: skip


@cases(("path", "why"), [
    *((path, "a segment that is . or ..") for path in LEADING_OUT),
    *((path, "an overlong form of a dot or a slash") for path in OVERLONG),
    *((path, "a NUL") for path in NUL if ".." not in path),
], [*LEADING_OUT, *OVERLONG, *(path for path in NUL if ".." not in path)])  # fmt: skip
def test_a_path_that_may_lead_out_of_its_route_is_refused(path: str, why: str) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        check_path(path)
    assert refusal.value.status == 400
    assert why in str(refusal.value)


@cases("path", NUL, NUL)
def test_a_path_with_a_nul_is_refused(path: str) -> None:
    with pytest.raises(HttpRefusal):
        check_path(path)


@cases("path", GOOD, GOOD)
def test_a_path_that_only_resembles_such_a_path_passes(path: str) -> None:
    check_path(path)


@cases(("path", "expected"), [
    ("/", "/"),
    ("/chat", "/chat"),
    ("/%61dmin", "/admin"),
    ("/%61%64%6D%69%6e", "/admin"),
    ("//admin", "/admin"),
    ("/a///b//", "/a/b/"),
    ("/%7Euser/%2D%5F%2e%30%5A", "/~user/-_.0Z"),
    # Reserved characters keep their meaning, and no character is decoded twice.
    ("/a%2fb%3b%3F%23", "/a%2Fb%3B%3F%23"),
    ("/%2561dmin", "/%2561dmin"),
    ("/%2%361", "/%261"),
    ("/caf%c3%a9", "/caf%C3%A9"),
    ("/100%", "/100%"),
    ("/%zz%4", "/%zz%4"),
    ("/a;x=1/b", "/a;x=1/b"),
])  # fmt: skip
def test_paths_are_compared_in_one_form(path: str, expected: str) -> None:
    assert normalised(path) == expected


@cases(("path", "prefix", "rest"), [
    ("/chat/room", "/chat", "/room"),
    ("/chat", "/chat", ""),
    ("/chat/", "/chat", "/"),
    ("/chatter", "/chat", None),
    ("/cha", "/chat", None),
    ("/x/chat", "/chat", None),
    ("/%63hat/r%6Fom", "/chat", "/r%6Fom"),
    ("//chat//room", "/chat", "//room"),
    ("/a//b/c", "/a/b", "/c"),
    ("/a%2Fb/c", "/a/b", None),
    ("/caf%c3%a9/x", "/caf%C3%A9", "/x"),
    ("/chat%2Froom", "/chat", None),
    ("/%2563hat", "/chat", None),
])  # fmt: skip
def test_a_prefix_is_found_in_a_path_as_it_was_sent(path: str, prefix: str, rest: str | None) -> None:
    assert rest_after(path, prefix) == rest
