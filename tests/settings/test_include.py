"""Files that a configuration includes: their order, their places in what is reported, and their bounds."""

import os
from pathlib import Path

import pytest

from wsgateway.errors import SettingsError
from wsgateway.settings import include
from wsgateway.settings.load import load, parse, read

from .files import LISTENERS, ROUTES, UPSTREAMS

QUOTED = '"${WHICH:-echo}"'
UPSTREAM = "targets: [{url: 'ws://127.0.0.1:9000'}]"


class Folder:
    """A configuration that includes `routes.d/*.yaml`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "f.yaml"
        (folder / "routes.d").mkdir()
        self.write("f.yaml", "")

    def write(self, name: str, text: str, patterns: str = "[routes.d/*.yaml]") -> None:
        first = f"version: 1\ninclude: {patterns}\n{LISTENERS}"
        (self.folder / name).write_text(f"{first}{text}" if name == "f.yaml" else text)

    def includes(self, patterns: str) -> None:
        self.write("f.yaml", ROUTES + UPSTREAMS, patterns)

    def routes(self) -> list[str]:
        return [each.name for each in load(self.file).routes]

    def problems(self) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(self.file)
        return str(caught.value).replace(f"{self.folder}/", "").splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def route(name: str, upstream: str = "echo") -> str:
    return f"- {{name: {name}, match: {{path: {{exact: /{name}}}}}, upstream: {upstream}}}\n"


def test_routes_and_upstreams_of_other_files_come_in_the_order_of_the_names(folder: Folder) -> None:
    folder.write("f.yaml", f"routes:\n{route('own')}{UPSTREAMS}")
    folder.write("routes.d/20.yaml", f"routes:\n{route('third', 'chat')}upstreams: {{chat: {{{UPSTREAM}}}}}\n")
    folder.write("routes.d/10.yaml", f"routes:\n{route('first')}{route('second', 'chat')}")
    folder.write("routes.d/.hidden.yaml", "nothing")
    folder.write("routes.d/10.yaml.bak", "nothing")
    settings = load(folder.file)
    assert [each.name for each in settings.routes] == ["own", "first", "second", "third"]
    assert list(settings.upstreams) == ["echo", "chat"]
    assert settings.routes[2].upstream is settings.upstreams["chat"]


def test_all_routes_and_upstreams_may_be_in_other_files(folder: Folder) -> None:
    folder.write("routes.d/a.yaml", f"routes:\n{route('a')}")
    folder.write("routes.d/b.yaml", UPSTREAMS)
    assert folder.routes() == ["a"]


def test_patterns_come_in_their_order_and_a_file_comes_once(folder: Folder) -> None:
    for name in "abc":
        folder.write(f"routes.d/{name}.yaml", f"routes:\n{route(name)}")
    folder.includes("[routes.d/b.yaml, 'routes.d/?.yaml', 'routes.d/none-*.yaml']")
    assert folder.routes() == ["route-1", "b", "a", "c"]
    folder.includes(f"['{folder.folder}/routes.d/[ac].yaml']")
    assert folder.routes() == ["route-1", "a", "c"]


def test_names_in_an_included_file_are_relative_to_the_first_file(folder: Folder) -> None:
    target = "{url: 'wss://a', tls: {ca: ca.pem}}"
    folder.write("f.yaml", f"routes:\n{route('own')}")
    folder.write("routes.d/a.yaml", f"upstreams: {{echo: {{targets: [{target}]}}}}\n")
    found = read(folder.file).settings().upstreams["echo"].targets[0].tls.ca
    assert found == str(folder.folder / "ca.pem")


def test_mistakes_in_all_files_are_reported_each_with_its_file_and_line(folder: Folder) -> None:
    folder.write("f.yaml", f"workers: ten\nroutes:\n{route('own', 'ecco')}{UPSTREAMS}")
    folder.write("routes.d/b.yaml", f"# b\nroutes:\n{route('x', 'non')}upstreams:\n  chat: {{targets: []}}\n")
    folder.write("routes.d/a.yaml", "routes:\n- {name: y, upstream: echo, uptream: a}\n")
    assert folder.problems() == [
        "f.yaml:4:10: workers: 'ten' is not a number of workers; write one from 1 to 512, or auto",
        "f.yaml:6:55: routes[0].upstream: 'ecco' is not an upstream; did you mean 'echo'?",
        "routes.d/a.yaml:2:3: routes[1]: 'match' is missing",
        "routes.d/a.yaml:2:29: routes[1].uptream: this key is unknown; did you mean 'upstream'?",
        "routes.d/b.yaml:3:51: routes[2].upstream: 'non' is not an upstream; known are echo, chat",
        "routes.d/b.yaml:5:19: upstreams.chat.targets: it is empty, at least one member is needed",
    ]


def test_an_upstream_that_stands_twice_is_reported_with_both_places(folder: Folder) -> None:
    folder.includes("[routes.d/*.yaml]")
    folder.write("routes.d/a.yaml", f"upstreams:\n  chat: {{{UPSTREAM}}}\n  echo: {{{UPSTREAM}}}\n")
    folder.write("routes.d/b.yaml", f"# b\nupstreams: {{chat: {{{UPSTREAM}}}}}\n")
    assert folder.problems() == [
        f"routes.d/a.yaml:3:3: upstreams.echo: this upstream stands in {folder.folder}/f.yaml:5:13 already".replace(
            f"{folder.folder}/", ""
        ),
        "routes.d/b.yaml:2:13: upstreams.chat: this upstream stands in routes.d/a.yaml:2:3 already",
    ]


def test_a_name_of_a_route_that_stands_twice_is_reported_with_both_places(folder: Folder) -> None:
    folder.write("f.yaml", f"routes:\n{route('x')}{route('x')}{UPSTREAMS}")
    folder.write("routes.d/a.yaml", f"routes:\n{route('x')}{route('y')}")
    folder.write("routes.d/b.yaml", f"routes:\n{route('y')}")
    assert folder.problems() == [
        "f.yaml:6:10: routes[1].name: the name 'x' belongs to routes[0] already",
        "routes.d/a.yaml:2:10: routes[2].name: the name 'x' belongs to routes[0] already, in f.yaml:5:3",
        "routes.d/b.yaml:2:10: routes[4].name: the name 'y' belongs to routes[3] already, in routes.d/a.yaml:3:3",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 1\n", "routes.d/a.yaml:1:1: version: an included file has only routes and upstreams"),
        ("include: []\n", "routes.d/a.yaml:1:1: include: an included file has only routes and upstreams"),
        ("routes: {}\n", "routes.d/a.yaml:1:9: routes: a mapping is not a list"),
        ("upstreams: []\n", "routes.d/a.yaml:1:12: upstreams: a list is not a mapping"),
        ("- a\n", "routes.d/a.yaml:1:1: a list is not a mapping; write 'routes:' or 'upstreams:' in it"),
        ("routes: [\n", "routes.d/a.yaml:2:1: not YAML: the file ends inside brackets"),
        ("# nothing\n", "routes.d/a.yaml:1:1: the file is empty"),
        ("routes: []\nroutes: []\n", "routes.d/a.yaml:2:1: routes: this key stands twice, in line 1 and in line 2"),
    ],
)
def test_what_is_wrong_on_the_first_level_of_a_file_is_reported(folder: Folder, text: str, problem: str) -> None:
    folder.includes("[routes.d/*.yaml]")
    folder.write("routes.d/a.yaml", text)
    assert [each for each in folder.problems() if each.startswith("routes.d/")] == [problem]


@pytest.mark.parametrize(
    ("patterns", "problem"),
    [
        ("[none.yaml]", "f.yaml:2:11: include[0]: 'none.yaml' cannot be read: No such file or directory"),
        ("[routes.d]", "f.yaml:2:11: include[0]: 'routes.d' is not a file"),
        ("[fifo]", "f.yaml:2:11: include[0]: 'fifo' is not a file"),
        ("[f.yaml]", "f.yaml:2:11: include[0]: 'f.yaml' is this file itself; give the others a directory of their own"),
        (
            "[a, '*.yaml']",
            "f.yaml:2:14: include[1]: 'f.yaml' is this file itself; give the others a directory of their own",
        ),
        ("['none/*.yaml']", "f.yaml:2:11: include[0]: the directory 'none' cannot be read: No such file or directory"),
        (
            "['*/a.yaml']",
            "f.yaml:2:11: include[0]: '*/a.yaml' is not a pattern of names; only its last part may have *, ? or []",
        ),
        (
            "['${HOME}/a.yaml']",
            "f.yaml:2:11: include[0]: '${HOME}/a.yaml' is not a pattern of names; variables are not filled in here",
        ),
        ("[latin-1]", "latin-1:1:2: not UTF-8: the byte E9"),
    ],
)
def test_a_file_that_cannot_be_included_is_reported(folder: Folder, patterns: str, problem: str) -> None:
    folder.includes(patterns)
    os.mkfifo(folder.folder / "fifo")
    (folder.folder / "a").write_text("upstreams: {}\n")
    (folder.folder / "latin-1").write_bytes(b"#\xe9\n")
    assert folder.problems() == [problem]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("routes.d/*.yaml", "f.yaml:2:10: include: 'routes.d/*.yaml' is not a list; write"),
        ("[1]", "f.yaml:2:11: include[0]: 1 is not the name of a file"),
    ],
)
def test_a_key_of_another_form_is_reported(folder: Folder, key: str, problem: str) -> None:
    folder.includes(key)
    [found] = folder.problems()
    assert found.startswith(problem)


def test_files_and_bytes_are_limited(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.includes("[routes.d/*.yaml]")
    for name in "abc":
        folder.write(f"routes.d/{name}.yaml", f"routes:\n{route(name)}")
    size = sum(each.stat().st_size for each in (folder.folder / "routes.d").iterdir())
    monkeypatch.setattr(include, "MOST_FILES", 3)
    monkeypatch.setattr(include, "MOST_BYTES", size)
    assert len(folder.routes()) == 4
    monkeypatch.setattr(include, "MOST_BYTES", size - 1)
    assert folder.problems() == ["f.yaml:2:11: include[0]: more than 3 files or 16 MiB are included"]
    monkeypatch.setattr(include, "MOST_BYTES", size)
    monkeypatch.setattr(include, "MOST_FILES", 2)
    assert folder.problems() == ["f.yaml:2:11: include[0]: more than 2 files or 16 MiB are included"]


def test_variables_are_filled_in_there_too(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    folder.includes("[routes.d/*.yaml]")
    folder.write(
        "routes.d/a.yaml", f"routes:\n{route('a', '${WHICH:-echo}')}".replace("${", '"${').replace("o}", 'o}"')
    )
    assert load(folder.file).routes[1].upstream is not None
    folder.write("routes.d/b.yaml", "routes:\n- {match: {path: {exact: '${NOT_SET}'}}, upstream: echo}\n")
    assert folder.problems() == [
        "routes.d/b.yaml:2:26: routes[2].match.path.exact: the environment variable NOT_SET is not set; set it, or"
        " write ${NOT_SET:-default}, with a default"
    ]


def test_the_hash_of_a_configuration_covers_what_it_includes(folder: Folder) -> None:
    folder.includes("[routes.d/*.yaml]")
    seen = {read(folder.file).sha256}
    folder.write("routes.d/a.yaml", f"routes:\n{route('a')}")
    seen.add(read(folder.file).sha256)
    folder.write("routes.d/a.yaml", f"routes:\n{route('b')}")
    seen.add(read(folder.file).sha256)
    (folder.folder / "routes.d" / "a.yaml").rename(folder.folder / "routes.d" / "b.yaml")
    seen.add(read(folder.file).sha256)
    assert len(seen) == 4


def test_the_whole_of_a_configuration_means_the_same_without_its_files(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_PORT", "9001")
    upstream = "{chat: {targets: [{url: 'ws://127.0.0.1:${A_PORT}'}]}}"
    folder.includes("[routes.d/*.yaml]")
    assert read(folder.file).whole().included == ()
    folder.write("routes.d/a.yaml", f"routes:\n{route('a', 'chat')}upstreams: {upstream}\n")
    source = read(folder.file)
    settings, whole = source.settings(), source.whole()
    (folder.folder / "routes.d" / "a.yaml").unlink()
    assert "9001" not in whole.text
    again = parse(whole.text, whole.file, directory=whole.directory)
    assert (again.routes, again.upstreams, again.listeners) == (settings.routes, settings.upstreams, settings.listeners)
