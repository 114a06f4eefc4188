"""Write configuration files: the complete one, with every key, its default and its meaning, and the smallest one."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

from wsgateway.settings.declare import Key, keys_of, marks, own_keys, section_in
from wsgateway.settings.load import smallest
from wsgateway.settings.whole import Settings

_COLUMNS = 120
# A comment behind a value has so many lines at most; a longer one stands above its key.
_LINES_BEHIND = 2
# A comment begins at this column at most.
_LAST_COLUMN = 48
_EDITOR = "# yaml-language-server: $schema=wsgateway.schema.json\n"
_HEAD = """\
# The complete configuration of wsgateway: every key with its default, as `wsgateway example` prints it. Only what
# `wsgateway example --minimal` prints is required. A key in a comment is left out by default, and shows an example.
#
# Durations and sizes carry a unit, as in 500ms, 10s, 2m, 1h, 30d and in 64B, 16KiB, 1MiB, 2GiB. A bare number is an
# error, and so is a key that is unknown or stands twice; `wsgateway check FILE` reports all errors, each with its line.
# Names of files are relative to the directory of this file; certificates and keys are PEM.
# For editors: `wsgateway schema > wsgateway.schema.json`.

"""
# A space at which no line ends.
_SPACE = "\0"
# What a text may consist of to need no quotes. Numbers and truths are not texts.
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./%-]*")
_OTHER = re.compile(r"[0-9]+(?:\.[0-9]+)?|true|false|null|yes|no|on|off", re.IGNORECASE)


def complete_example() -> str:
    """Return the complete configuration file. What is not in a comment is what a file without these keys means."""
    return f"{_EDITOR}{_HEAD}" + "".join(f"{line}\n" for line in _section(keys_of(Settings), _COLUMNS))


def minimal_example(bind: str = "127.0.0.1:8080", url: str = "ws://127.0.0.1:9000") -> str:
    """Return the smallest configuration file, for an address to listen on and a target."""
    return _EDITOR + "".join(f"{line}\n" for line in _block(smallest(bind, url), 2))


def flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(flow, value))}]"
        case dict():
            return f"{{{', '.join(f'{flow(name)}: {flow(each)}' for name, each in value.items())}}}"
        case str() if not _PLAIN.fullmatch(value) or _OTHER.fullmatch(value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def _block(value: Any, levels: int) -> Iterator[str]:
    """Yield the lines of a mapping, so many levels below which have lines of their own."""
    for name, each in value.items():
        if not levels or not isinstance(each, dict | list):
            yield f"{flow(name)}: {flow(each)}"
        elif isinstance(each, dict):
            yield f"{flow(name)}:"
            yield from _deeper(_block(each, levels - 1))
        else:
            yield f"{flow(name)}:"
            for member in each:
                yield from _deeper(_item(_block(member, 0)))


def _item(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a member of a list. Comments at its beginning stand before the dash."""
    begun = False
    for line in lines:
        first = not begun and not line.startswith("#")
        begun = begun or first
        yield f"{'- ' if first else '  '}{line}" if line else ""


def _deeper(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {line}" if line else ""


def _commented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"# {line}".rstrip()


# -- the complete file -------------------------------------------------------------------------------------------


def _section(keys: tuple[Key, ...], width: int) -> Iterator[str]:
    """Yield the lines of the keys of a section, in so many columns."""
    lines = {each.name: _line(each) for each in keys if section_in(each.type) is None}
    column = max((len(line) for line in lines.values() if len(line) < _LAST_COLUMN), default=0) + 2
    after_block = False
    for at, each in enumerate(keys):
        behind = _behind(lines[each.name], each, column, width) if each.name in lines else []
        if at and (after_block or not behind):
            yield ""
        after_block = not behind
        if behind:
            yield from behind
        else:
            yield from _above(each, width)
            yield from [lines[each.name]] if each.name in lines else _with_members(each, width)


def _line(key: Key) -> str:
    """Return a key and its value: the default if there is one, else the example."""
    line = f"{key.name}: {flow(key.example if _shows_example(key) else key.default)}"
    return f"# {line}" if _is_off(key) else line


def _shows_example(key: Key) -> bool:
    return key.required or key.shown or key.default is None


def _is_off(key: Key) -> bool:
    """Return whether a key stands in a comment, since it is left out by default."""
    return key.default is None and not key.shown


def _behind(line: str, key: Key, column: int, width: int) -> list[str]:
    """Return a line with its comment behind it, on a second line too if need be; nothing if it is too long for that."""
    words = "; ".join(f"{word}: {meaning}" for word, meaning in key.values.items())
    comment = _wrapped(" ".join(filter(None, [_text(key), words and f"{words}."])), width - column - 2)
    if len(line) > column - 2 or len(comment) > _LINES_BEHIND:
        return []
    return [f"{each:{column}}# {text}" for each, text in zip((line, ""), comment, strict=False)]


def _above(key: Key, width: int) -> Iterator[str]:
    """Yield the comment of a key, in lines of its own."""
    for line in _wrapped(_text(key), width - 2):
        yield f"# {line}"
    for word, meaning in key.values.items():
        lines = _wrapped(f"{word}: {meaning}", width - 6)
        yield f"#   {lines[0]}"
        yield from (f"#     {each}" for each in lines[1:])


def _text(key: Key) -> str:
    """Return the description of a key; with an example, if the key is shown with its default."""
    texts = [key.description]
    kind, _ = marks(key.type)
    if get_origin(kind) is Literal and not key.values:
        texts.append(f"One of {', '.join(get_args(kind))}.")
    if key.example is not None and not _shows_example(key) and section_in(key.type) is None:
        texts.append("Example: " + flow(key.example).replace(" ", _SPACE))
    return " ".join(texts)


def _wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text."""
    lines = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
    return [line.replace(_SPACE, " ") for line in lines]


def _with_members(key: Key, width: int) -> Iterator[str]:
    """Yield the lines of a key that has a section for a value, or several."""
    kind = section_in(key.type)
    own = own_keys(kind)
    off = key.default in (None, []) or all(map(_is_off, own))
    within = width - 4 if off else width - 2
    if isinstance(key.more, dict):
        others = [line for name, each in key.more.items() for line in ("", f"{name}:", *_deeper(_block(each, 0)))]
        lines = [f"{key.example}:", *_deeper(_section(own, within - 2)), *others]
    elif get_origin(marks(key.type)[0]) is tuple:
        others = [line for each in key.more or () for line in ("", *_item(_block(each, 0)))]
        lines = [*_item([*_section(own, within - 2), *_extended(key)]), *others]
    else:
        lines = list(_section(own, within))
    lines = [f"{key.name}:", *_deeper(lines)]
    yield from _commented(lines) if off else lines


def _extended(key: Key) -> Iterator[str]:
    """Yield the example of keys that a section has from another, in comments."""
    if key.example is not None:
        yield ""
        yield "# Any key of `defaults`, where this one differs. For example:"
        yield from _commented(_block(key.example, 0))
