"""The origins that may connect."""

import pytest

from wsgateway.policy.origins import origin_allowed
from wsgateway.settings.defaults import Origins


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("*", "https://app.example.com"),
        ("*", "what a browser never says"),
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com", "HTTPS://App.Example.COM"),
        # The default port of a scheme may be given or not.
        ("https://app.example.com", "https://app.example.com:443"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("ws://app.example.com", "ws://app.example.com:80"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("https://*.example.com", "https://app.example.com"),
        ("https://*.example.com", "https://a.b.example.com:443"),
        ("https://*.example.com:8443", "https://app.example.com:8443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://192.0.2.7", "http://192.0.2.7"),
        ("file://", "file://"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_that_is_allowed(pattern: str, origin: str) -> None:
    assert origin_allowed(Origins(("https://other.example", pattern)), origin)


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("https://app.example.com", "http://app.example.com"),
        ("https://app.example.com", "https://app.example.com:8443"),
        ("https://app.example.com:8443", "https://app.example.com"),
        ("https://app.example.com", "https://app.example.com.evil.example"),
        ("https://app.example.com", "https://evil.example/https://app.example.com"),
        ("https://app.example.com", "https://app.example.com@evil.example"),
        ("https://app.example.com", "https://evil.example@app.example.com"),
        ("https://app.example.com", "https://app.example.com/"),
        ("https://app.example.com", "https://app.example.com?x=y"),
        ("https://app.example.com", "https://app.example.com#x"),
        ("https://app.example.com", "app.example.com"),
        ("https://app.example.com", "//app.example.com"),
        ("https://app.example.com", ""),
        ("https://app.example.com", "https://app.example.com:x"),
        ("https://app.example.com", "https://app.example.com:99999"),
        ("https://app.example.com", "https://[::1"),
        ("https://app.example.com", "https://app.example.com, https://evil.example"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "https://app.example.com.evil.example"),
        ("https://*.example.com", "http://app.example.com"),
        ("https://*.example.com", "https://evil.example\\.example.com"),
        ("https://*.example.com", "https://evil.example, https://a.example.com"),
        ("https://*.example.com", "https://evil.example .example.com"),
        ("https://*.example.com", "https://app.exam\tple.com"),
        ("file://", "file:///etc"),
    ],
)
def test_an_origin_that_is_not_allowed(pattern: str, origin: str) -> None:
    assert not origin_allowed(Origins((pattern,)), origin)


def test_an_empty_list_allows_no_origin() -> None:
    assert not origin_allowed(Origins(()), "https://app.example.com")


def test_a_client_without_an_origin_is_decided_by_missing_alone() -> None:
    assert origin_allowed(Origins((), missing="allow", opaque="refuse"), None)
    assert not origin_allowed(Origins(("*",), missing="refuse"), None)


def test_the_origin_null_is_decided_by_opaque_alone() -> None:
    assert origin_allowed(Origins((), missing="refuse", opaque="allow"), "null")
    assert not origin_allowed(Origins(("*",), opaque="refuse"), "null")


def test_only_the_word_itself_is_the_origin_null() -> None:
    assert not origin_allowed(Origins(("https://app.example.com",), opaque="allow"), "NULL")
    assert not origin_allowed(Origins(("https://app.example.com",), opaque="allow"), "null, null")
