"""A dataclass of options -> a command line with grouped help, and the check of its ranges.

Neither Keras nor TensorFlow is needed, so `--help` and mistakes are answered at once.
"""

import dataclasses
import sys
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

import annotated_types
import tyro

from ocr_simple.options import Group

T = TypeVar("T")


def parse(options: type[T], arguments: Sequence[str] | None = None, prog: str | None = None) -> T:
    """The options that a command line gives, or those of `sys.argv`.

    options: a dataclass that inherits from groups. Exits with status 2 and a message for what
    cannot be parsed or is out of range, and with 0 after `--help` or `--help-all`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    every = "--help-all" in given
    given = ["--help" if word == "--help-all" else word for word in given]
    groups = groups_of(options)
    hidden = sum(len(dataclasses.fields(g)) for g in groups if not g.shown)
    short = not every and bool({"-h", "--help"} & set(given))
    defaults = {field.name: _default(field) for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    fields: list[tuple[str, Any, Any]] = []
    for group in groups:
        own = {f.name: defaults[f.name] for f in dataclasses.fields(group)}  # type: ignore[arg-type]
        kind: Any = tyro.conf.Suppress[group] if short and not group.shown else group
        fields.append((group.__name__, kind, dataclasses.field(default=group(**own))))
    about = (options.__doc__ or "").strip()
    if hidden and short:
        about += f"\n\n--help-all lists {hidden} more options."
    parsed = tyro.cli(
        tyro.conf.OmitArgPrefixes[dataclasses.make_dataclass(options.__name__, fields)],
        args=given,
        prog=prog,
        description=about,
    )
    values = {}
    for group in groups:
        found = getattr(parsed, group.__name__)
        values |= {f.name: getattr(found, f.name) for f in dataclasses.fields(group)}  # type: ignore[arg-type]
    result = options(**values)
    try:
        check_ranges(result)
    except ValueError as error:
        print(f"{prog or sys.argv[0]}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    return result


def groups_of(options: type) -> list[type[Group]]:
    """The groups that a class of options inherits from: those that `--help` shows first.

    A group gives way to one that extends it.
    """
    groups = [c for c in reversed(options.__mro__) if Group in c.__bases__ or _extends_one(c)]
    leaves = [g for g in groups if not any(g is not o and issubclass(o, g) for o in groups)]
    return sorted(leaves, key=lambda group: not group.shown)


def _extends_one(kind: type) -> bool:
    return len(kind.__bases__) == 1 and Group in kind.__bases__[0].__bases__


def _default(field: dataclasses.Field) -> Any:
    return (
        field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    )


def check_ranges(options: Any, error: type[Exception] = ValueError) -> None:
    """Raise `error` for the first option outside the range that is declared beside it."""
    hints = typing.get_type_hints(type(options), include_extras=True)
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        bounds = [b for b in _metadata(hints[field.name]) if isinstance(b, _BOUNDS)]
        if value is None or all(_inside(value, bound) for bound in bounds):
            continue
        range_ = " and ".join(_in_words(bound) for bound in bounds)
        raise error(f"{field.name} {value}: give a number {range_}")


_BOUNDS = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt)


def _metadata(hint: Any) -> tuple:
    return getattr(hint, "__metadata__", ())


def _inside(value: Any, bound: Any) -> bool:
    match bound:
        case annotated_types.Ge():
            return value >= bound.ge
        case annotated_types.Gt():
            return value > bound.gt
        case annotated_types.Le():
            return value <= bound.le
        case _:
            return value < bound.lt


def _in_words(bound: Any) -> str:
    match bound:
        case annotated_types.Ge():
            return f"of at least {bound.ge}"
        case annotated_types.Gt():
            return f"over {bound.gt}"
        case annotated_types.Le():
            return f"of at most {bound.le}"
        case _:
            return f"under {bound.lt}"
