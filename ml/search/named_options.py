"""A search's options by name: what each may be, read from text, and where it acts.

The fields of a method's options say it themselves. A field's type is what it may be, and its marks are where it acts:
`Given[Count]` counts something of given solutions only. So `--set NAME=VALUE` knows every option that there is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ml.bounds import ABOVE_ZERO, AMOUNT, BELOW_ONE, FINITE, INSIDE, LENGTH, SHARE, WHOLE, Bounds
from ml.errors import MisstepError
from ml.said import Said

Kind = TypeVar("Kind")
GIVEN, FRESH = "given solutions", "fresh problems"


@dataclass(frozen=True, slots=True)
class With:
    """Acts only where another option has this value."""

    name: str
    value: bool = True


@dataclass(frozen=True, slots=True)
class By:
    """Is set by an option of the command, and not by its name."""

    option: str


Count = Annotated[int, ABOVE_ZERO]
Whole = Annotated[int, WHOLE]
Amount = Annotated[float, AMOUNT]
Length = Annotated[float, LENGTH]
Share = Annotated[float, SHARE]
BelowOne = Annotated[float, BELOW_ONE]
Inside = Annotated[float, INSIDE]
Number = Annotated[float, FINITE]
Given = Annotated[Kind, GIVEN]
Fresh = Annotated[Kind, FRESH]
ByModel = Annotated[Kind, By("--value-model")]
Aggregation = Literal["product", "minimum", "mean", "last", "maximum"]
Style = Annotated[Literal["prose", "code"] | None, By("--style and --continuation-style")]
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class NamedOption:
    """One option. kinds: what it may be, one or another. acts: on `GIVEN`, on `FRESH`, or on both."""

    name: str
    default: Any
    kinds: tuple[Any, ...]
    acts: tuple[str, ...]
    needs: tuple[With, ...]
    by: str | None

    def read(self, text: str) -> Any:
        """The value that the text says; raises ValueError."""
        for kind in self.kinds:
            try:
                return _read(kind, text)
            except ValueError:
                continue
        raise ValueError(self.expected)

    @property
    def expected(self) -> str:
        """What it may be, in words."""
        words = (text for kind in self.kinds for text in _words(kind))
        return reduce(lambda one, other: Said("%(one)s or %(other)s", one=one, other=other), words)

    @property
    def described(self) -> Said:
        return Said(
            "%(name)s (%(expected)s; default %(default)s)",
            name=self.name,
            expected=self.expected,
            default=as_text(self.default),
        )


def as_text(value: Any) -> str:
    """A value as `--set` takes it: 0.5, true, none, infinite."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def options_of(kind: Any) -> dict[str, NamedOption]:
    """Every option of a method, from its class or from an instance, whose values are the defaults then."""
    made = kind() if isinstance(kind, type) else kind
    hints = get_type_hints(type(made), include_extras=True)
    return {field.name: _option(field.name, hints[field.name], made) for field in fields(made)}


def settable(known: Mapping[str, NamedOption], acts_on: str) -> dict[str, NamedOption]:
    """Those of the options that can be set by name and act on this kind of input."""
    return {name: option for name, option in known.items() if option.by is None and acts_on in option.acts}


def idle_options(options: Any, acts_on: str) -> set[str]:
    """Those of a method's options that have no effect on this kind of input."""
    return {name for name, option in options_of(type(options)).items() if acts_on not in option.acts}


def read_settings(
    settings: Sequence[str], known: Mapping[str, NamedOption], where: str, otherwise: Collection[str] = ()
) -> dict[str, Any]:
    """What `NAME=VALUE` texts say. where: for whom these options are known, in words. otherwise: names that another
    argument has set. Raises MisstepError with every name, what it may be and its default.
    """
    chosen: dict[str, Any] = {}
    options = Said.joined(", ", [option.described for option in known.values()])
    listed = Said("%(where)s takes %(options)s", where=where, options=options)
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise MisstepError(
                Said(
                    "--set %(text)s, expected NAME=VALUE with a name that acts: %(listed)s",
                    text=text,
                    listed=listed,
                )
            )
        if name in chosen or name in otherwise:
            raise MisstepError(
                Said("%(name)s is set twice, expected one value: --set %(text)s", name=name, text=text)
            )
        try:
            chosen[name] = known[name].read(value)
        except ValueError:
            raise MisstepError(
                Said(
                    "--set %(text)s, expected %(expected)s: %(listed)s",
                    text=text,
                    expected=known[name].expected,
                    listed=listed,
                )
            ) from None
    return chosen


def refuse_what_waits(chosen: Collection[str], options: Any) -> None:
    """Raises MisstepError for an option that another, as it stands, keeps from acting."""
    known = options_of(type(options))
    for name in chosen:
        for need in known[name].needs if name in known else ():
            if getattr(options, need.name) is not need.value:
                expected = _said(need, known)
                raise MisstepError(
                    Said("--set %(name)s would not act, expected %(expected)s", name=name, expected=expected)
                )


def _said(need: With, known: Mapping[str, NamedOption]) -> str:
    by = known[need.name].by
    if by is not None:
        return by if need.value else Said("no %(option)s", option=by)
    return Said("--set %(option)s with it", option=f"{need.name}={as_text(need.value)}")


def _option(name: str, hint: Any, made: Any) -> NamedOption:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    acts = tuple(mark for mark in marks if mark in (GIVEN, FRESH)) or (GIVEN, FRESH)
    by = next((mark.option for mark in marks if isinstance(mark, By)), None)
    needs = tuple(mark for mark in marks if isinstance(mark, With))
    return NamedOption(name, getattr(made, name), _kinds(hint), acts, needs, by)


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a type: bounds of numbers, names, `bool`, `str` or None's type."""
    if get_origin(hint) is Annotated:
        plain, *marks = get_args(hint)
        bounds = tuple(mark for mark in marks if isinstance(mark, Bounds))
        return bounds or _kinds(plain)
    if get_origin(hint) is Literal or hint in (bool, str, NoneType):
        return (hint,)
    return tuple(kind for part in get_args(hint) for kind in _kinds(part))


def _read(kind: Any, text: str) -> Any:
    if isinstance(kind, Bounds):
        return kind.read(text)
    if kind is bool and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if kind is NoneType and text.lower() == "none":
        return None
    if text in get_args(kind):
        return text
    raise ValueError


def _words(kind: Any) -> tuple[str, ...]:
    if isinstance(kind, Bounds):
        return (Said(kind.words),)
    if kind in (bool, NoneType):
        return (Said("true or false") if kind is bool else "none",)
    return tuple(map(str, get_args(kind)))
