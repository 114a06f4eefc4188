"""The keys of processes: workers, sockets of systemd, admin pages and the control socket."""

import pytest

from wsgateway.settings.addresses import admin_address, bind_address
from wsgateway.settings.basics import Address, SystemdSocket, UnixAddress
from wsgateway.settings.load import parse
from wsgateway.settings.process import Admin, Census

from .files import ROUTES, SMALL, UPSTREAMS, report


def listening(*binds: str) -> str:
    """Return a file with a listener on these, in its sixth line from column 10 on."""
    return f"version: 1\n\n{ROUTES}{UPSTREAMS}listeners:\n- bind: [{', '.join(binds)}]\n"


@pytest.mark.parametrize(("written", "workers"), [("1", 1), ("16", 16), ("512", 512), ("auto", None)])
def test_workers_are_a_number_or_auto(written: str, workers: int | None) -> None:
    assert parse(f"{SMALL}workers: {written}\n", "f.yaml").workers == workers


def test_by_default_one_process_serves_and_there_are_no_admin_pages() -> None:
    settings = parse(SMALL, "f.yaml")
    assert settings.workers == 1
    assert settings.admin.bind is None


@pytest.mark.parametrize(
    ("written", "seen"), [("0", "0"), ("513", "513"), ("true", "true"), ("many", "'many'"), ("1.5", "'1.5'")]
)
def test_a_wrong_number_of_workers_is_reported_with_its_place(written: str, seen: str) -> None:
    assert report(f"{SMALL}workers: {written}\n") == [
        f"f.yaml:5:10: workers: {seen} is not a number of workers; write one from 1 to 512, or auto"
    ]


def test_a_listener_may_have_sockets_of_systemd() -> None:
    found = parse(listening("systemd:web", "127.0.0.1:0", "systemd:wsgateway.socket"), "f.yaml").listeners[0].bind
    assert found == (SystemdSocket("web"), Address("127.0.0.1", 0), SystemdSocket("wsgateway.socket"))
    assert [str(bind_address(str(each))) for each in found] == [
        "systemd:web",
        "127.0.0.1:0",
        "systemd:wsgateway.socket",
    ]


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
        ("unix:/run/wsgateway/admin.sock", UnixAddress("/run/wsgateway/admin.sock")),
    ],
)
def test_admin_pages_are_on_this_machine(written: str, where: Address | UnixAddress) -> None:
    assert parse(f'{SMALL}admin: {{bind: "{written}"}}\n', "f.yaml").admin == Admin(where)
    assert admin_address(written) == where
    assert str(where) == written


@pytest.mark.parametrize("written", ["0.0.0.0:9901", "[::]:9901", "10.0.0.1:9901", "admin.example:9901"])
def test_admin_pages_that_other_machines_can_reach_need_allowed_networks(written: str) -> None:
    assert report(f'{SMALL}admin: {{bind: "{written}"}}\n') == [
        f"f.yaml:5:8: admin: {written} can be reached from other machines, and the pages have no password;"
        " name in allow the networks that may connect, or bind 127.0.0.1:PORT, [::1]:PORT or unix:PATH"
    ]
    found = parse(f'{SMALL}admin: {{bind: "{written}", allow: [10.0.0.0/8]}}\n', "f.yaml").admin
    assert found is not None
    asking = ["127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3", "::ffff:127.0.0.1", "192.0.2.7", "fd00::1"]
    assert [ip for ip in asking if found.admits(ip)] == asking[:5]


@pytest.mark.parametrize("written", ["unix", "10.0.0.1/8", "everybody"])
def test_an_allowed_network_is_a_network(written: str) -> None:
    [line] = report(f'{SMALL}admin: {{allow: ["{written}"]}}\n')
    assert line.startswith(f"f.yaml:5:17: admin.allow[0]: '{written}' is no network, as 10.0.0.0/8 or 192.0.2.7")


def test_a_socket_in_the_file_system_has_a_path_that_fits() -> None:
    [line] = report(f'{SMALL}admin: {{bind: "unix:/{"a" * 107}"}}\n')
    assert line.startswith("f.yaml:5:15: admin.bind: 'unix:")
    assert line.endswith(" has a path of 108 bytes, a Unix socket has 107 at most")
    path = "/" + "a" * 106
    assert parse(f'{SMALL}admin: {{bind: "unix:{path}"}}\n', "f.yaml").admin == Admin(UnixAddress(path))


def test_a_socket_in_the_file_system_is_relative_to_the_file() -> None:
    assert parse(f'{SMALL}admin: {{bind: "unix:admin.sock"}}\n', "/etc/w/f.yaml").admin == Admin(
        UnixAddress("/etc/w/admin.sock")
    )


# -- the census --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "census"),
    [
        ("", Census("auto", 34_560_000.0)),
        ("census: {file: auto, keep: 1d}", Census("auto", 86_400.0)),
        ("census: {file: none}", Census(None, 34_560_000.0)),
        ("census: {file: ./auto}", Census("/etc/w/auto", 34_560_000.0)),
        ("census: {file: /var/lib/a.sqlite}", Census("/var/lib/a.sqlite", 34_560_000.0)),
    ],
)
def test_the_census_is_in_a_file_or_in_memory(written: str, census: Census) -> None:
    assert parse(f"{SMALL}{written}\n", "/etc/w/f.yaml").census == census


# -- what is held back so that a message leaves as one frame ----------------------------------------------------------


def test_by_default_messages_of_64_kib_are_joined_in_64_mib_and_fragments_are_kept() -> None:
    settings = parse(SMALL, "f.yaml")
    assert settings.join_memory_bytes == 64 * 1024 * 1024
    [route] = settings.routes
    assert route.upstream is not None
    assert (route.limits.join_bytes, route.fragments, route.upstream.fragments) == (65536, "keep", "keep")


def test_the_limits_of_joining_can_be_set() -> None:
    text = SMALL.replace("upstreams: {", "upstreams: {more: {targets: [{url: ws://10.0.0.1}], fragments: join}, ")
    settings = parse(f"{text}defaults: {{fragments: join, limits: {{join: 0B}}}}\njoin_memory: 16MiB\n", "f.yaml")
    assert settings.join_memory_bytes == 16 * 1024 * 1024
    assert (settings.routes[0].limits.join_bytes, settings.routes[0].fragments) == (0, "join")
    assert settings.upstreams["more"].fragments == "join"


@pytest.mark.parametrize(
    ("written", "control"),
    [
        ("auto", "auto"),
        ("none", None),
        ("unix:/run/ws.sock", UnixAddress("/run/ws.sock")),
        ("unix:ws.sock", UnixAddress("/etc/ws/ws.sock")),
    ],
)
def test_the_control_socket_is_a_unix_socket_or_none(written: str, control: UnixAddress | str | None) -> None:
    assert parse(f"{SMALL}control: {written}\n", "/etc/ws/f.yaml").control == control
    assert parse(SMALL, "f.yaml").control == "auto"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("127.0.0.1:80", "'127.0.0.1:80' is not a control socket; write unix:PATH, auto or none"),
        ("true", "true is not a control socket; write unix:PATH, auto or none"),
        ("'unix:'", "'unix:' has no name of a file; write unix:PATH, as in unix:/run/wsgateway/ws.sock"),
    ],
)
def test_any_other_value_is_not_a_control_socket(written: str, why: str) -> None:
    assert report(f"{SMALL}control: {written}\n") == [f"f.yaml:5:10: control: {why}"]
