"""The keys of processes: how many serve, where systemd's sockets are used, and where the admin pages are."""

import pytest

from wsgateway.settings.addresses import admin, bind
from wsgateway.settings.load import parse
from wsgateway.settings.model import Address, SystemdSocket, UnixSocket

from .files import LISTENERS, ROUTES, SMALL, UPSTREAMS, report


def listening(*binds: str) -> str:
    """A file with a listener on these, in its sixth line from column 10 on."""
    return f"version: 1\n\n{ROUTES}{UPSTREAMS}listeners:\n- bind: [{', '.join(binds)}]\n"


@pytest.mark.parametrize(("written", "workers"), [("1", 1), ("16", 16), ("512", 512), ("auto", None)])
def test_workers_are_a_number_or_as_many_as_there_are_cores(written: str, workers: int | None) -> None:
    assert parse(f"{SMALL}workers: {written}\n", "f.yaml").workers == workers


def test_by_default_one_process_serves_and_there_are_no_admin_pages() -> None:
    settings = parse(SMALL, "f.yaml")
    assert settings.workers == 1
    assert settings.admin is None


@pytest.mark.parametrize(
    ("written", "seen"), [("0", "0"), ("513", "513"), ("true", "true"), ("many", "'many'"), ("1.5", "'1.5'")]
)
def test_a_wrong_number_of_workers_is_told_with_its_place(written: str, seen: str) -> None:
    assert report(f"{SMALL}workers: {written}\n") == [
        f"f.yaml:5:10: workers: {seen} is no number of workers; write one from 1 to 512, or auto"
    ]


def test_a_listener_may_have_sockets_of_systemd() -> None:
    found = parse(listening("systemd:web", "127.0.0.1:0", "systemd:wsgateway.socket"), "f.yaml").listeners[0].bind
    assert found == (SystemdSocket("web"), Address("127.0.0.1", 0), SystemdSocket("wsgateway.socket"))
    assert [str(bind(str(each))) for each in found] == ["systemd:web", "127.0.0.1:0", "systemd:wsgateway.socket"]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "caf\u00e9", "a" * 256])
def test_a_socket_of_systemd_has_a_name_that_systemd_allows(name: str) -> None:
    [line] = report(listening(f"'systemd:{name}'"))
    assert line.startswith("f.yaml:6:10: listeners[0].bind[0]: 'systemd:")
    assert line.endswith(" names no socket; write systemd:NAME, as FileDescriptorName= has it")


def test_one_name_of_systemd_belongs_to_one_listener() -> None:
    assert report(listening("systemd:web", "systemd:web")) == [
        "f.yaml:6:23: listeners[0].bind[1]: 'systemd:web' is bound by listeners[0].bind[0] already"
    ]


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("127.0.0.1:9901", Address("127.0.0.1", 9901)),
        ("127.1.2.3:0", Address("127.1.2.3", 0)),
        ("[::1]:9901", Address("::1", 9901)),
        ("localhost:9901", Address("localhost", 9901)),
        ("unix:/run/wsgateway/admin.sock", UnixSocket("/run/wsgateway/admin.sock")),
    ],
)
def test_admin_pages_are_on_this_machine(written: str, where: Address | UnixSocket) -> None:
    found = parse(f'{SMALL}admin: {{bind: "{written}"}}\n', "f.yaml").admin
    assert found == where
    assert str(found) == written
    assert admin(str(found)) == found


@pytest.mark.parametrize("written", ["0.0.0.0:9901", "[::]:9901", "10.0.0.1:9901", "admin.example:9901"])
def test_admin_pages_that_others_could_reach_are_refused(written: str) -> None:
    assert report(f'{SMALL}admin: {{bind: "{written}"}}\n') == [
        f"f.yaml:5:15: admin.bind: '{written}' can be reached by others, and the admin pages ask nobody who they are;"
        " allowed are 127.0.0.1:PORT, [::1]:PORT, localhost:PORT and unix:/PATH"
    ]


@pytest.mark.parametrize("path", ["", "admin.sock", "/" + "a" * 107])
def test_a_socket_in_the_file_system_has_a_path_that_fits(path: str) -> None:
    [line] = report(f'{SMALL}admin: {{bind: "unix:{path}"}}\n')
    assert line.startswith("f.yaml:5:15: admin.bind: 'unix:")
    assert line.endswith(" is not a socket; write unix:/PATH, with a path of at most 107 bytes")


def test_the_longest_path_fits() -> None:
    path = "/" + "a" * 106
    assert parse(f'{SMALL}admin: {{bind: "unix:{path}"}}\n', "f.yaml").admin == UnixSocket(path)


def test_admin_pages_have_an_address_of_their_own() -> None:
    assert report(f'version: 1\n{LISTENERS}{ROUTES}{UPSTREAMS}admin: {{bind: "127.0.0.1:8080"}}\n') == [
        "f.yaml:5:15: admin.bind: '127.0.0.1:8080' is bound by listeners[0].bind[0] already"
    ]
