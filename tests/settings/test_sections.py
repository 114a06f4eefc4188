"""The schema as it describes itself: to operators, to editors, and to those who look for a key."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from wsgateway.settings.base import Section
from wsgateway.settings.schema import File, choices, known_keys


def sections(kind: type[Section] = Section) -> Iterator[type[Section]]:
    """Every section, those too that have the keys of another."""
    for each in kind.__subclasses__():
        yield each
        yield from sections(each)


def fields() -> list[tuple[str, FieldInfo]]:
    """Every field of every section."""
    return [(f"{kind.__name__}.{key}", info) for kind in sections() for key, info in kind.model_fields.items()]


@pytest.mark.parametrize(("key", "info"), fields())
def test_every_key_is_described_in_a_sentence(key: str, info: FieldInfo) -> None:
    assert info.description is not None, key
    assert info.description.endswith(".")


def test_the_schema_can_be_told_to_an_editor() -> None:
    schema: dict[str, Any] = File.model_json_schema()
    assert schema["properties"]["version"]["const"] == 1
    assert schema["$defs"]["TimeoutsSection"]["properties"]["handshake"]["type"] == "string"
    assert schema["$defs"]["HeadSection"]["properties"]["head_size"]["type"] == "string"
    dialect = schema["$defs"]["UpstreamSection"]["properties"]["dialect"]
    assert (dialect["type"], dialect["default"]) == ("string", "rfc6455")
    assert schema["$defs"]["GrantSection"]["properties"]["ports"]["items"]["type"] == "integer"
    for section in ("DefaultsSection", "RouteSection"):
        properties = schema["$defs"][section]["properties"]
        assert (properties["dialects"]["type"], properties["dialects"]["items"]["type"]) == ("array", "string")
        assert properties["location_scheme"]["enum"] == ["auto", "ws", "wss"]
        assert properties["unprefixed_headers"]["type"] == "boolean"


def test_the_keys_of_a_section_are_those_of_the_file() -> None:
    assert known_keys(("listeners", 0, "limits")) == ["head_size", "headers"]
    assert known_keys(("listeners", 0, "flash_policy", "allow", 1)) == ["domain", "ports"]
    assert known_keys(("upstreams", "echo", "targets", 0)) == [
        "url", "tls", "weight", "backup", "max_connections", "srv",
    ]  # fmt: skip
    assert known_keys(("listeners", 0, "tls", "certificates", 0)) == ["hosts", "certificate", "private_key"]
    assert (
        known_keys(("defaults", "binary")) == known_keys(("routes", 2, "binary")) == ["encode", "decode", "text_only"]
    )


def test_only_a_section_has_keys() -> None:
    with pytest.raises(AssertionError):
        known_keys(("listeners", 0, "bind"))


def test_the_choices_of_a_key_are_those_of_the_file() -> None:
    assert choices(("logging", "format")) == ("text", "json")
    assert choices(("routes", 0, "binary", "decode")) == ("none", "base64", "latin-1", "hex")
    assert choices(("listeners", 0, "tls", "minimum")) == ("1.0", "1.1", "1.2", "1.3")
    assert choices(("listeners", 0, "flash_policy", "mode")) == ("none", "inline", "only")
