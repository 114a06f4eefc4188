"""Addresses to listen on, and addresses of targets."""

import re

import pytest

from wsgateway.settings.addresses import address, bind_address, domain, port, target_url
from wsgateway.settings.basics import Address, UnixAddress, Url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:8080", "::1", 8080),
        ("[::]:65535", "::", 65535),
        ("[2001:DB8:0:0::1]:80", "2001:db8::1", 80),
        ("localhost:8080", "localhost", 8080),
        ("ws-1.example.com:80", "ws-1.example.com", 80),
        ("ws.example.com.:80", "ws.example.com.", 80),
        ("chat_1:80", "chat_1", 80),
        ("10.example.com:80", "10.example.com", 80),
        (f"{'a' * 63}.b:80", f"{'a' * 63}.b", 80),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    found = address(text)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (8080, "8080 is not an address; write it in quotes, as '127.0.0.1:8080' or '[::1]:8080'"),
        (None, "an empty value is not an address; write it in quotes, as '127.0.0.1:8080' or '[::1]:8080'"),
        ("localhost", "'localhost' has no port; write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080"),
        ("[::1]", "'[::1]' has no port; write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080"),
        ("", "'' has no port; write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080"),
        (":80", "':80' has no host; for every address of this machine write 0.0.0.0:80 or [::]:80"),
        ("*:80", "'*:80' has no host; for every address of this machine write 0.0.0.0:80 or [::]:80"),
        ("8080", "'8080' has no host; for every address of this machine write 0.0.0.0:8080 or [::]:8080"),
        ("::1:80", "'::1:80' has too many colons; an IPv6 address stands in brackets, as in [::1]:8080"),
        ("[]:80", "'[]:80' has a host that is not an IP address: ''"),
        ("[::g]:80", "'[::g]:80' has a host that is not an IP address: '::g'"),
        ("[127.0.0.1]:80", "'[127.0.0.1]:80' has a host that is not an IP address: '127.0.0.1'"),
        ("[fe80::1%eth0]:80", "'[fe80::1%eth0]:80' has a host that is not an IP address: 'fe80::1%eth0'"),
        ("127.1:80", "'127.1:80' has a host that is not an IP address: '127.1'"),
        ("300.0.0.1:80", "'300.0.0.1:80' has a host that is not an IP address: '300.0.0.1'"),
        ("a b:80", "'a b:80' has a host that is neither an IP address nor a name: 'a b'"),
        ("-a:80", "'-a:80' has a host that is neither an IP address nor a name: '-a'"),
        ("a..b:80", "'a..b:80' has a host that is neither an IP address nor a name: 'a..b'"),
        ("caf\u00e9:80", "'caf\u00e9:80' has a host that is neither an IP address nor a name: 'caf\u00e9'"),
        ("a\n:80", "'a\\n:80' has a host that is neither an IP address nor a name: 'a\\n'"),
        ("a:", "'a:' has port '', which is not a number from 0 to 65535"),
        ("a:65536", "'a:65536' has port '65536', which is not a number from 0 to 65535"),
        ("a:-1", "'a:-1' has port '-1', which is not a number from 0 to 65535"),
        ("a:http", "'a:http' has port 'http', which is not a number from 0 to 65535"),
        ("a:8\u0661", "'a:8\u0661' has port '8\u0661', which is not a number from 0 to 65535"),
        ("a:80\n", "'a:80\\n' has port '80\\n', which is not a number from 0 to 65535"),
    ],
)
def test_other_values_are_no_address_and_are_refused_with_the_reason(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        address(value)


def test_a_label_or_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="neither an IP address nor a name"):
        address("a" * 64 + ":80")
    with pytest.raises(ValueError, match="neither an IP address nor a name"):
        address("a." * 127 + ":80")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("ws://10.0.1.11:9000", "10.0.1.11", 9000),
        ("ws://chat.internal", "chat.internal", 80),
        ("ws://chat.internal/", "chat.internal", 80),
        ("ws://[::1]", "::1", 80),
        ("ws://[::1]:9000/", "::1", 9000),
        ("WS://Chat:1", "Chat", 1),
    ],
)
def test_a_target_is_a_host_and_a_port_80_if_not_given(url: str, host: str, port: int) -> None:
    assert target_url(url) == Url(host, port, url)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ftp://x", "'ftp://x' is not an address that begins with ws://, wss://, http:// or https://"),
        ("x:9000", "'x:9000' is not an address that begins with ws://, wss://, http:// or https://"),
        ("ws:/x", "'ws:/x' is not an address that begins with ws://, wss://, http:// or https://"),
        (" ws://x", "' ws://x' is not an address that begins with ws://, wss://, http:// or https://"),
        ("", "'' is not an address that begins with ws://, wss://, http:// or https://"),
        (None, "an empty value is not an address that begins with ws://, wss://, http:// or https://"),
        (9000, "9000 is not an address that begins with ws://, wss://, http:// or https://"),
        ("ws://", "'ws://' has no host"),
        (
            "ws:///x",
            "'ws:///x' has a path; none is allowed but /, as paths come from the client; a route may rewrite them",
        ),
        ("ws://:9000", "'ws://:9000' has no host"),
        (
            "ws://x/y",
            "'ws://x/y' has a path; none is allowed but /, as paths come from the client; a route may rewrite them",
        ),
        (
            "ws://x//",
            "'ws://x//' has a path; none is allowed but /, as paths come from the client; a route may rewrite them",
        ),
        ("ws://x?a", "'ws://x?a' has a query or a fragment; these are not allowed, a query comes from the client"),
        ("ws://x/#", "'ws://x/#' has a query or a fragment; these are not allowed, a query comes from the client"),
        ("ws://x\n", "'ws://x\\n' has a host that is neither an IP address nor a name: 'x\\n'"),
        ("ws://[::1", "'ws://[::1' has too many colons; an IPv6 address stands in brackets, as in [::1]:8080"),
        ("ws://x:0", "'ws://x:0' has port '0', which is not a number from 1 to 65535"),
        ("ws://x:", "'ws://x:' has port '', which is not a number from 1 to 65535"),
    ],
)
def test_other_values_are_no_url_and_are_refused_with_the_reason(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        target_url(value)


@pytest.mark.parametrize("url", ["ws://u:secret@x", "wss://u:secret@x", "http://u:secret@x/?y", "ws://secret@"])
def test_a_password_in_a_url_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(ValueError, match="a user or password is not allowed in the address of a target") as caught:
        target_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/run/ws.sock", "ws.sock", "../a b:80", f"/{'x' * 106}", "caf\u00e9"])
def test_a_listener_may_have_a_unix_socket(path: str) -> None:
    found = bind_address(f"unix:{path}")
    assert found == UnixAddress(path)
    assert str(found) == f"unix:{path}"


def test_a_listener_has_an_address_otherwise() -> None:
    assert bind_address("[::1]:80") == Address("::1", 80)
    with pytest.raises(ValueError, match=r"^'/run/ws\.sock' has no port; write HOST:PORT"):
        bind_address("/run/ws.sock")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("unix:", "'unix:' has no name of a file; write unix:PATH, as in unix:/run/wsgateway/ws.sock"),
        ("unix:/run/", "'unix:/run/' has no name of a file; write unix:PATH, as in unix:/run/wsgateway/ws.sock"),
        ("unix:\0a", "'unix:\\x00a' has no name of a file; write unix:PATH, as in unix:/run/wsgateway/ws.sock"),
        (f"unix:/{'x' * 107}", "a path of 108 bytes, a Unix socket has 107 at most"),
        ("unix:/" + "\u00e9" * 54, "a path of 109 bytes, a Unix socket has 107 at most"),
    ],
)
def test_a_wrong_unix_socket_is_refused(value: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"{re.escape(message)}$"):
        bind_address(value)


@pytest.mark.parametrize(
    ("bound", "text"), [(Address("127.0.0.1", 80), "127.0.0.1:80"), (Address("::1", 80), "[::1]:80")]
)
def test_an_address_prints_as_it_is_written(bound: Address, text: str) -> None:
    assert str(bound) == text


# -- who may connect by Flash, and where ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("*", "*"),
        ("example.com", "example.com"),
        ("*.example.com", "*.example.com"),
        ("*.example.com.", "*.example.com."),
        ("localhost", "localhost"),
        ("Example.COM", "example.com"),
        ("*.Example.COM", "*.example.com"),
        ("set_top_1.example", "set_top_1.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
    ],
)
def test_a_domain_is_a_name_in_any_case_an_address_or_a_star(value: str, read: str) -> None:
    assert domain(value) == read


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "an empty value"),
        (7, "7"),
        (True, "true"),
        (["a"], "a list"),
        ("", "''"),
        ("**", "'**'"),
        ("*x", "'*x'"),
        ("a.*", "'a.*'"),
        ("*.", "'*.'"),
        ("*.*", "'*.*'"),
        ("a b", "'a b'"),
        ("a, b", "'a, b'"),
        ("example.com/", "'example.com/'"),
        ("example.com/x", "'example.com/x'"),
        ("caf\u00e9.fr", "'caf\u00e9.fr'"),
        ("10.0.1", "'10.0.1'"),
        ("10.0.0.1.", "'10.0.0.1.'"),
        ("http://example.com", "'http://example.com'"),
        ("example.com:80", "'example.com:80'"),
        ("[::1]", "'[::1]'"),
        ("::g", "'::g'"),
        # An IP address has nothing below it.
        ("*.10.0.0.1", "'*.10.0.0.1'"),
        ("*.::1", "'*.::1'"),
        # Python's addresses have scopes, which hold anything but a %.
        ("fe80::1%eth0", "'fe80::1%eth0'"),
    ],
)
def test_a_wrong_domain_is_refused_with_the_right_form(value: object, shown: str) -> None:
    message = f"{shown} is not a domain; write a name, *.NAME, an IP address, or * alone, without scheme, port or path"
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        domain(value)


FOR_XML = ['"', "'", "<", ">", "&", "&amp;", "a\0", "a\n", '*" to-ports="*', "\u202e"]


@pytest.mark.parametrize("value", FOR_XML)
def test_a_domain_has_no_character_that_xml_escapes(value: str) -> None:
    for written in (value, f"{value}.example.com", f"*.{value}", f"::{value}"):
        with pytest.raises(ValueError, match="is not a domain"):
            domain(written)


@pytest.mark.parametrize("value", FOR_XML)
def test_a_domain_has_no_such_character_as_the_scope_of_an_address(value: str) -> None:
    with pytest.raises(ValueError, match="is not a domain"):
        domain(f"fe80::1%{value}")


@pytest.mark.parametrize("value", [1, 80, 843, 8080, 65535])
def test_a_port_is_a_number(value: int) -> None:
    assert port(value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-1, "-1"),
        (65536, "65536"),
        (True, "true"),
        (False, "false"),
        (None, "an empty value"),
        ("80", "'80'"),
        ("*", "'*'"),
        ("8080-8090", "'8080-8090'"),
        ([80], "a list"),
    ],
)
def test_a_wrong_port_is_refused_with_the_reason(value: object, shown: str) -> None:
    with pytest.raises(ValueError, match=rf"\A{re.escape(shown)} is not a port; write a number from 1 to 65535\Z"):
        port(value)
