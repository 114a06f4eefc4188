"""The paths that a route takes."""

import pytest

from wsgateway.settings.routes import PathMatch


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/chat", "/chat"),
        ("/chat", "/chat/"),
        ("/chat", "/chat/x"),
        ("/chat", "/chat//x"),
        ("/chat/", "/chat"),
        ("/chat/", "/chat/"),
        ("/chat/", "/chat/x"),
        ("/a/b", "/a/b/c"),
        ("/", "/"),
        ("/", "/chat"),
        ("/", "//"),
    ],
)
def test_a_prefix_takes_whole_segments(prefix: str, path: str) -> None:
    assert PathMatch(prefix=prefix).matches(path)


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/chat", "/chatter"),
        ("/chat", "/cha"),
        ("/chat", "/"),
        ("/chat", "/Chat"),
        ("/chat", "/%63hat"),
        ("/chat", "//chat"),
        ("/chat", "/x/chat"),
        ("/chat/", "/chatter"),
        ("/a/b", "/a"),
    ],
)
def test_a_prefix_takes_nothing_else(prefix: str, path: str) -> None:
    assert not PathMatch(prefix=prefix).matches(path)


def test_an_exact_path_takes_itself_alone() -> None:
    match = PathMatch(exact="/chat")
    assert match.matches("/chat")
    assert not match.matches("/chat/")
    assert not match.matches("/chat/x")
    assert not match.matches("/cha")
    assert not match.matches("/")
