"""Environment variables in the values of a file: what they become, and that their values are shown to nobody."""

import json
import pickle
from pathlib import Path

import pytest

from wsgateway.cli import main
from wsgateway.settings.environment import fill
from wsgateway.settings.findings import Filled, seen
from wsgateway.settings.load import Source, parse, single

from .files import LISTENERS, ROUTES, SMALL, UPSTREAMS, messages, report

SECRET = "fU7xW2pQ9z"
ENVIRONMENT = {"NAME": "value", "EMPTY": "", "SPACED": "a b: c"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${NAME}", "value"),
        ("a${NAME}b", "avalueb"),
        ("${NAME}${NAME}", "valuevalue"),
        ("${SPACED}", "a b: c"),
        ("${EMPTY}", ""),
        ("${NAME:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${NONE:-other}", "other"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-$b c}", "a:-$b c"),
        ("$${NAME}", "${NAME}"),
        ("$${", "${"),
        ("$$${NAME}", "$${NAME}"),
        ("$NAME $ {NAME} {NAME} $$", "$NAME $ {NAME} {NAME} $$"),
    ],
)
def test_a_variable_becomes_its_value(text: str, filled: str) -> None:
    data = {"a": [text], "b": {text: 1}}
    assert fill(data, ENVIRONMENT) == []
    assert data == {"a": [filled], "b": {text: 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "the environment variable NONE is not set; set it, or write ${NONE:-default}, with a default"),
        *(
            (
                wrong,
                "${ does not begin a variable here; write ${NAME}, ${NAME:-default}, or $${ for the characters ${",
            )
            for wrong in ("${", "${NAME", "${}", "${1}", "${NAME-x}", "${NAME:+x}", "a ${ NAME}", "${NAME} ${")
        ),
        ("${HALF}", "the value of the environment variable HALF is not UTF-8"),
    ],
)
def test_what_cannot_be_filled_in_is_a_mistake(text: str, message: str) -> None:
    data = {"a": [1, text]}
    [finding] = fill(data, {"NAME": "value", "HALF": "\udcff"})
    assert (finding.path, finding.message) == (("a", 1), message)
    assert data == {"a": [1, text]}


def test_a_variable_that_is_not_set_is_one_mistake_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    text = f'version: 1\n{LISTENERS}{ROUTES}upstreams: {{echo: {{targets: [{{url: "${{NOT_SET}}"}}]}}}}\nworkers: ten\n'
    assert report(text) == [
        "f.yaml:4:36: upstreams.echo.targets[0].url: the environment variable NOT_SET is not set; set it, or write"
        " ${NOT_SET:-default}, with a default",
        "f.yaml:5:10: workers: 'ten' is not a number of workers; write one from 1 to 512, or auto",
    ]


def test_numbers_words_durations_and_sizes_may_be_variables_in_quotes_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "FOUR": "4",
        "TRUE": "true",
        "NAP": "5",
        "SIZE": "2MiB",
        "NONE": "none",
        "WORD": "hash",
    }.items():
        monkeypatch.setenv(name, value)
    for quote in ("", '"'):
        settings = parse(
            f"""\
version: 1
workers: {quote}${{FOUR}}{quote}
listeners:
- bind: ["127.0.0.1:8080"]
  max_connections: {quote}${{FOUR}}{quote}
routes:
- match:
    path: {{prefix: /}}
    upgrade: {quote}${{TRUE}}{quote}
  upstream: echo
  invalid_utf8: {quote}${{UNSET_WORD:-close}}{quote}
  timeouts:
    close: {quote}${{NAP}}s{quote}
    idle: {quote}${{NONE}}{quote}
  limits:
    message_size: {quote}${{SIZE}}{quote}
upstreams:
  echo:
    targets:
    - url: {quote}ws://127.0.0.1:900${{FOUR}}{quote}
      weight: {quote}${{FOUR}}{quote}
""",
            "f.yaml",
        )
        [route], [target] = settings.routes, settings.upstreams["echo"].targets
        assert (settings.workers, settings.listeners[0].max_connections) == (4, 4)
        assert (route.match.upgrade, route.invalid_utf8) == (True, "close")
        assert (route.timeouts.close_seconds, route.timeouts.idle_seconds) == (5.0, None)
        assert route.limits.message_bytes == 2 * 1024 * 1024
        assert (target.url.port, target.weight) == (9004, 4)


def test_a_text_of_digits_stays_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITS", "0123")
    route = "routes: [{match: {path: {prefix: /}}, upstream: echo, headers: {set: {X-Key: '${DIGITS}'}}}]\n"
    [made] = parse(f"version: 1\n{LISTENERS}{UPSTREAMS}{route}", "f.yaml").routes
    assert made.headers.set == (("X-Key", "0123"),)


def test_a_name_cannot_be_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    assert messages(SMALL.replace("routes: [{", "routes: [{name: 'a-${SECRET}', ")) == [
        "routes[0].name: 'a-${SECRET}' cannot be a name, which stands in the log, and no variable does"
    ]


def wrong(file: str) -> list[str]:
    """Return the problems of a file in which there is a mistake at a variable; its value must not be among them."""
    found = messages(file)
    assert found
    assert not any(SECRET.lower() in each.lower() or SECRET[:5].lower() in each.lower() for each in found)
    return found


def at(line: str) -> str:
    return f"{SMALL}{line}\n"


MISTAKES = {
    at("workers: '${SECRET}'"): "workers: '${SECRET}' is not a number of workers; write one from 1 to 512, or auto",
    at("shutdown: {drain: '${SECRET}'}"): "shutdown.drain: '${SECRET}' is not a duration; write it as 10s, 500ms,"
    " 2m, 1h or 30d",
    at("shutdown: {drain: '${FIVE}'}"): "shutdown.drain: '${FIVE}' has no unit; write ${FIVE}s (or with ms, m, h or d)",
    at("logging: {level: '${SECRET}'}"): "logging.level: '${SECRET}' is unknown; known are",
    at("logging: {value_length: '${SECRET}'}"): "logging.value_length: '${SECRET}' is not a whole number",
    at("logging: {value_length: '${FIVE}'}"): "logging.value_length: ${FIVE} is too small",
    at("admin: {bind: '${SECRET}'}"): "admin.bind: '${SECRET}' has no port",
    SMALL.replace("ws://127.0.0.1:9000", "ws://user:${SECRET}@a"): "upstreams.echo.targets[0].url: a user or password",
    SMALL.replace("ws://127.0.0.1:9000", "ws://${SECRET}!:80"): "upstreams.echo.targets[0].url: 'ws://${SECRET}!:80'",
    SMALL.replace("ws://127.0.0.1:9000", "${LONG}"): "upstreams.echo.targets[0].url: '${LONG}' is not an address",
    SMALL.replace("upstream: echo", "upstream: '${SECRET}'"): "routes[0].upstream: '${SECRET}' is not an upstream",
    SMALL.replace("upstream: echo", "upstream: echo, match: '${SECRET}'"): "routes[0].match: ",
}


@pytest.mark.parametrize("file", MISTAKES)
def test_a_mistake_in_a_value_does_not_show_it(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("FIVE", "5")
    monkeypatch.setenv("LONG", SECRET * 20)
    assert any(each.startswith(MISTAKES[file]) for each in wrong(file)), wrong(file)


def test_a_mistake_whose_words_have_a_piece_of_the_value_is_told_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", f"ws://a.b:{SECRET}")
    assert wrong(SMALL.replace("ws://127.0.0.1:9000", "${SECRET}")) == [
        "upstreams.echo.targets[0].url: '${SECRET}' stands for a value that is not allowed here"
    ]


def test_a_file_that_cannot_be_read_is_named_as_the_configuration_has_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    file = tmp_path / "f.yaml"
    tls = "tls: {certificates: [{certificate: '${SECRET}/a.pem', private_key: a.key}]}"
    file.write_text(SMALL.replace('bind: ["127.0.0.1:8080"]', f'bind: ["127.0.0.1:8080"], {tls}'))
    assert main(["check", str(file)]) == 1
    assert capfd.readouterr().err.endswith(
        ": listeners[0].tls.certificates[0].certificate: '${SECRET}/a.pem' cannot be read: No such file or directory\n"
    )


def test_explain_shows_a_target_as_the_file_has_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    file = tmp_path / "f.yaml"
    file.write_text(SMALL.replace("127.0.0.1:9000", "${SECRET}.example:9000"))
    assert main(["explain", str(file), "ws://a/"]) == 0
    assert "  upstream echo: ws://${SECRET}.example:9000 in rfc6455\n" in capfd.readouterr().out
    [target] = parse(file.read_text(), "f.yaml").upstreams["echo"].targets
    assert (target.url.host, target.url.port) == (f"{SECRET}.example", 9000)


def test_a_filled_text_is_a_text_that_is_shown_as_the_file_has_it() -> None:
    text = Filled(SECRET, "${SECRET}", (SECRET,))
    assert text == SECRET
    assert (repr(text), seen(text), f"{text}") == ("'${SECRET}'", "'${SECRET}'", SECRET)
    again = pickle.loads(pickle.dumps(text))
    assert (again, repr(again), again.values) == (SECRET, "'${SECRET}'", (SECRET,))
    assert json.dumps(text) == f'"{SECRET}"'


def test_a_hash_of_the_configuration_has_no_value_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("f.yaml", SMALL.replace("9000", "${A_PORT}"))
    monkeypatch.setenv("A_PORT", "1")
    before = source.sha256, source.settings().upstreams["echo"].targets[0].url.port
    monkeypatch.setenv("A_PORT", "2")
    assert (source.sha256, source.settings().upstreams["echo"].targets[0].url.port) == (before[0], before[1] + 1)


def test_the_addresses_of_a_command_line_have_no_variables() -> None:

    [listener] = single("unix:/tmp/${A_NAME}", "ws://a").settings().listeners
    assert str(listener.bind[0]) == "unix:/tmp/${A_NAME}"
