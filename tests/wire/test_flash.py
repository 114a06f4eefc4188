"""The policy request of Flash Player, and the answer."""

import xml.etree.ElementTree as ElementTree

import pytest

from tests.dialects.vectors import vectors
from wsgateway.wire.flash import Grant, is_policy_request, policy

POLICY_REQUEST = b"<policy-file-request/>\0"


def test_the_policy_request_is_the_one_of_flash_player() -> None:
    (recorded,) = vectors("policy_request", "ok")
    assert recorded.wire == POLICY_REQUEST
    assert is_policy_request(recorded.wire) is True


@pytest.mark.parametrize("size", range(len(POLICY_REQUEST)))
def test_a_part_of_the_policy_request_decides_nothing(size: int) -> None:
    """The request may come in pieces; no bytes at all decide nothing either."""
    assert is_policy_request(POLICY_REQUEST[:size]) is None


def test_bytes_after_the_policy_request_do_not_matter() -> None:
    assert is_policy_request(POLICY_REQUEST + b"GET / HTTP/1.1\r\n") is True


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"\0",
        b" <policy-file-request/>\0",
        b"<p>",
        b"<Policy-file-request/>\0",
        b"<policy-file-request />\0",
        b"<policy-file-request/>\n",
        b"<policy-file-request/>GET / HTTP/1.1\r\n",
        b"<?xml version",
    ],
)
def test_anything_else_is_no_policy_request(data: bytes) -> None:
    assert is_policy_request(data) is False


def test_the_policy_of_a_grant_has_these_bytes() -> None:
    """The answer ends with the NUL that the player waits for."""
    assert policy([Grant("example.com", (8080,))]) == (
        b'<?xml version="1.0"?><cross-domain-policy>'
        b'<allow-access-from domain="example.com" to-ports="8080"/>'
        b"</cross-domain-policy>\0"
    )


def test_a_grant_may_name_several_ports_and_there_may_be_several_grants() -> None:
    assert policy([Grant("*.example.com", (80, 8080, 443)), Grant("*", (843,)), Grant("192.0.2.7", (1,))]) == (
        b'<?xml version="1.0"?><cross-domain-policy>'
        b'<allow-access-from domain="*.example.com" to-ports="80,8080,443"/>'
        b'<allow-access-from domain="*" to-ports="843"/>'
        b'<allow-access-from domain="192.0.2.7" to-ports="1"/>'
        b"</cross-domain-policy>\0"
    )


def test_a_policy_without_grants_allows_nothing() -> None:
    assert policy([]) == b'<?xml version="1.0"?><cross-domain-policy></cross-domain-policy>\0'


def test_a_policy_is_xml_of_the_same_form_as_that_of_websockify() -> None:
    """That of websockify leaves the NUL out, and opens all ports."""
    (theirs,) = vectors("policy_response", "deviation")
    ours = policy([Grant("*", (8080,))])
    assert theirs.status_reason == "no trailing NUL"
    assert ours.endswith(b"\0")
    told, expected = ElementTree.fromstring(ours.rstrip(b"\0")), ElementTree.fromstring(theirs.wire)
    assert told.tag == expected.tag == "cross-domain-policy"
    assert [row.tag for row in told] == [row.tag for row in expected] == ["allow-access-from"]
    assert [{**row.attrib, "to-ports": "*"} for row in told] == [row.attrib for row in expected]
