"""Declare the keys of the configuration: each once, in its section, with all that is to be known of it.

A section is a frozen dataclass. Its fields are keys of the file, each made by `key`, or values that the program fills
in. Everything else comes from these declarations: `reader` reads a file by them, `example`, `json_schema` and
`reference` print them, and the program reads its settings from instances of the same classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin

T = TypeVar("T")
Reload = Literal["at once", "new sessions", "restart"]
"""from when on a reload changes what a key says: at once, for sessions that begin after it, or at the next start"
" only"""
FIRST: Final = "0.1.0"
"""the version that the first keys came with"""


class _Required:
    """Stand for the default of a key that the file must have."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()
_SECTIONS: set[type] = set()


@dataclass(frozen=True, slots=True)
class Key:
    """Describe one key of the file. All values are written as in the file."""

    description: str
    name: str
    default: Any = REQUIRED
    """REQUIRED: there is none; None: the key is left out"""
    values: Mapping[str, str] = field(default_factory=dict)
    """the words that the key may have for a value, with their meaning, where these need one"""
    example: Any = None
    """a value that is not the default. Of a mapping of sections: the first name; of sections that extend another: keys
    of that"""
    shown: bool = False
    """whether the example file has the example in effect, and not in a comment"""
    more: Any = None
    """what the example file has behind the first member of a list or mapping of sections"""
    unit: str = ""
    """what a number counts"""
    reload: Reload | None = None
    """None: as the key that its section stands under"""
    since: str = FIRST
    old_names: tuple[str, ...] = ()
    """names that are still read, and warned of"""
    field: str = ""
    """the name of the attribute"""
    type: Any = None
    """the annotation of the attribute"""

    @property
    def required(self) -> bool:
        """Whether the file must have it."""
        return self.default is REQUIRED


def key(description: str = "", *, name: str = "", default: Any = REQUIRED, **more: Any) -> Any:
    """Declare a field of a section as a key of the file; the arguments are those of `Key`.

    Without a name the key is called as the field. Without a description it has that of the section which is its value:
    the docstring of the class. `default` and `example` are written as in the file, as "10s".
    """
    return Key(description, name, default, **more)


@dataclass_transform(frozen_default=True, field_specifiers=(key, field))
def section(cls: type[T] | None = None, /, *, kw_only: bool = False) -> Any:
    """Make a class a section: a frozen dataclass with slots, which is made of a mapping of the file.

    If it has a method `check(given)`, that is called with the names of the fields that the file has, and raises
    ValueError for values that do not go together.
    """
    if cls is None:
        return partial(section, kw_only=kw_only)
    for name, annotation in get_annotations(cls).items():
        declared = cls.__dict__.get(name)
        if isinstance(declared, Key):
            described = declared.description or " ".join(str(marks(annotation)[0].__doc__).split())
            declared = replace(declared, description=described, name=declared.name or name, field=name, type=annotation)
            default = {} if declared.required else {"default": _parsed(annotation, declared.default)}
            setattr(cls, name, field(metadata={"key": declared}, **default))
    made = dataclass(frozen=True, slots=True, kw_only=kw_only)(cls)
    _SECTIONS.add(made)
    return made


@cache
def keys_of(kind: Any) -> tuple[Key, ...]:
    """Return the keys of a section: its own in their order, and then those that it has from another section."""
    own = get_annotations(kind)
    keys = [each.metadata["key"] for each in fields(kind) if "key" in each.metadata]
    return tuple(sorted(keys, key=lambda each: each.field not in own))


def own_keys(kind: Any) -> tuple[Key, ...]:
    """Return the keys of a section without those that it has from another."""
    own = get_annotations(kind)
    return tuple(each for each in keys_of(kind) if each.field in own)


def is_section(kind: Any) -> bool:
    """Return whether a type is a section."""
    return isinstance(kind, type) and kind in _SECTIONS


# -- how values are written ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """Mark a type with the function that reads its values, and with what a text of the file must look like."""

    read: Callable[[Any], Any]
    """takes whatever the file holds; raises ValueError with a message for its author"""
    word: str
    """what a value is called: a duration"""
    schema: Mapping[str, Any]
    """JSON Schema of the text"""
    bounds: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class InDirectory:
    """Mark a type, behind `Written`, whose values are files: they are put below the directory that the caller gives."""

    place: Callable[[Any, Any], Any]
    """takes a directory and a value that was read"""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Mark a type whose values are made of values of another type."""

    kind: Any
    of: Callable[[Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Mark a tuple that is a list in the file, or a mapping, of so many members, at least."""

    least: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """Mark a whole number with its bounds, which are allowed, too."""

    least: int
    most: int | None = None


List = Annotated[tuple[T, ...], Members()]
AtLeastOne = Annotated[tuple[T, ...], Members(least=1)]


def without_none(annotation: Any) -> Any:
    """Return a type without the None that stands for a key that is left out."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    others = tuple(each for each in get_args(annotation) if each is not NoneType)
    return others[0] if len(others) == 1 else annotation


def marks(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without its marks, and the marks."""
    annotation = without_none(annotation)
    return (annotation.__origin__, annotation.__metadata__) if get_origin(annotation) is Annotated else (annotation, ())


def section_in(annotation: Any) -> Any:
    """Return the section that values of a type are, or are lists or mappings of. None: they are something else."""
    kind, several = marks(annotation)
    for mark in several:
        if isinstance(mark, Written):
            return None
        if isinstance(mark, Made):
            return section_in(mark.kind)
    if is_section(kind):
        return kind
    if get_origin(kind) in (tuple, dict):
        return section_in(get_args(kind)[0 if get_origin(kind) is tuple else -1])
    return None


def _parsed(annotation: Any, written: Any) -> Any:
    """Return the value that a default stands for. It is not checked: a test loads a file that has all defaults."""
    kind, several = marks(annotation)
    if written is None:
        return () if isinstance(next(iter(several), None), Members) else None
    if is_section(kind):
        return kind()
    for mark in several:
        match mark:
            case Written():
                return mark.read(written)
            case Made():
                return mark.of(_parsed(mark.kind, written))
            case Members():
                return tuple(_parsed(get_args(kind)[0], each) for each in written)
    return written
