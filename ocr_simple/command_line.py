"""A dataclass of options -> a command line with grouped help, and the check of its ranges.

Neither Keras nor TensorFlow is needed, so `--help` and mistakes are answered at once.
"""

import codecs
import dataclasses
import inspect
import io
import json
import logging
import os
import re
import sys
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import annotated_types
import tyro
from docstring_parser import parse_from_object
from tyro.conf import Positional

from ocr_simple.messages import escape_message
from ocr_simple.options import Group

T = TypeVar("T")

RENAMED = {  # options of earlier versions
    "--rnn": "use --context: conv (formerly none), attention (formerly transformer), lstm or gru",
    "--weight": "use --stroke-weight",
    "--letters": "write the letters in --alphabet",
    "--symbols": "write the symbols in --alphabet",
}
METAVARS: dict[Any, str] = {  # where tyro's are hard to read
    float | None: "FLOAT",
    int | None: "INT",
    str | None: "STR",
    Path | None: "FILE",
    tuple[str, ...]: "STR ...",
}
DATA_SUFFIXES = {
    ".tfrecords", ".tfrecord", ".tsv", ".csv", ".txt", ".json", ".jsonl", ".ndjson", ".gz", ".lmdb",
    ".mdb",
}  # fmt: skip
BOUNDS = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt)


def parse(
    options: type[T],
    arguments: Sequence[str] | None = None,
    prog: str | None = None,
    check: Callable[[T], None] | None = None,
) -> T:
    """The options that a command line gives, by default that of this process.

    options: a dataclass that inherits from groups. check: raises ValueError for options that
    cannot work. Exits with status 2 and a message for what cannot be parsed, is out of range or
    cannot work, and with 0 after `--help` or `--help-all`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    _prepare_process()
    for word in given:
        if instead := RENAMED.get(word.partition("=")[0]):
            print(f"{prog or sys.argv[0]}: {word}: {instead}", file=sys.stderr)
            raise SystemExit(2)
    short = bool({"-h", "--help"} & set(given)) and "--help-all" not in given
    given = ["--help" if word == "--help-all" else word for word in given]
    groups, description = groups_of(options), inspect.getdoc(options) or ""
    if short and (hidden := sum(len(_fields(group)) for group in groups if not group.shown)):
        description += f"\n\nOptions that are rarely needed ({hidden} more): --help-all"
    nested, flat = _nested(options, groups, short), (tyro.conf.OmitArgPrefixes,)
    try:
        parsed = tyro.cli(nested, args=given, prog=prog, description=description, config=flat)
    except BrokenPipeError:  # `--help | head` is done
        discard_output()
        raise SystemExit(0) from None
    values = {
        field.name: getattr(getattr(parsed, group.__name__), field.name)
        for group in groups
        for field in _fields(group)
    }
    if hasattr(options, "given"):
        values["given"] = _typed(groups, given)
    result = options(**values)
    try:
        _check_not_swallowed(result, given)
        check_ranges(result)
        if check:
            check(result)
    except (ValueError, OSError) as error:
        say(f"{prog or sys.argv[0]}: {error}", sys.stderr)
        raise SystemExit(2) from None
    return result


def _prepare_process() -> None:
    """Prepare standard output and Matplotlib's backend, so that a command can print its result."""
    escape_unencodable(sys.stdout)
    # matplotlib cannot be imported if this names no backend of its own; no window is opened here
    os.environ.pop("MPLBACKEND", None)


def escape_unencodable(stream: Any) -> None:
    """Let a stream write all text: what its encoding lacks becomes \\uXXXX, as JSON has it."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="json_escape")


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("json_escape", _json_escape)


def say(message: object, file: TextIO | None = None) -> None:
    """Print a message, by default on standard output.

    Names, labels and readings in it cannot control the terminal: see `escape_message`.
    """
    print(escape_message(str(message)), file=file)


class MessageFormatter(logging.Formatter):
    """Log messages, escaped as `say` does."""

    def format(self, record: logging.LogRecord) -> str:
        """The message of a record."""
        return escape_message(super().format(record))


def start_logging(level: int) -> None:
    """Show log messages on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(MessageFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler], level=level)


def _check_not_swallowed(options: Any, given: list[str]) -> None:
    """Raise ValueError if an option with a list of values seems to have taken an argument, too.

    In `--held-out none lines.tfrecords` the file would be one more value of --held-out.
    """
    hints = typing.get_type_hints(type(options), include_extras=True)
    positional = {n for n, hint in hints.items() if Positional in getattr(hint, "__metadata__", ())}
    if not positional:
        return
    for field in _fields(options):
        values = getattr(options, field.name)
        if field.name in positional or field.default == values or not isinstance(values, tuple):
            continue
        last = str(values[-1]) if len(values) > 1 else ""
        is_file = Path(last).suffix.lower() in DATA_SUFFIXES or Path(last).is_dir()
        if last in given and is_file and field.name != "fonts":
            name = option_name(field.name)
            raise ValueError(
                f"{last}: was taken as a value of {name}. If it is an argument, put it before that "
                f"option: ... {last} {name} {values[0]}"
            )


def discard_output() -> None:
    """Drop what is still to be printed: the reader of a pipe has gone, and the flush would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def groups_of(options: type) -> list[type[Group]]:
    """The groups of a class of options; those that `--help` shows come first.

    Of a group and a class that extends it, only the latter.
    """
    groups = [c for c in reversed(options.__mro__) if Group in c.__bases__ or _extends_group(c)]
    last = [g for g in groups if not any(issubclass(o, g) for o in groups if o is not g)]
    return sorted(last, key=lambda group: not group.shown)


def _extends_group(kind: type) -> bool:
    return len(kind.__bases__) == 1 and Group in kind.__bases__[0].__bases__


def _nested(options: type, groups: list[type[Group]], short: bool) -> Any:
    """A dataclass with a field for each group, which tyro makes a section of the help."""
    defaults = {field.name: field.default for field in _fields(options)}
    kinds = [kind for kind in reversed(options.__mro__) if issubclass(kind, Group)]
    docs = [doc for kind in kinds for doc in parse_from_object(kind).params]
    about = {doc.arg_name: doc.description or "" for doc in docs}  # the last class that explains it
    sections: list[tuple[str, Any, Any]] = []
    for group in groups:
        section: Any = _section(group, defaults, about)
        if group is options:  # its docstring describes the command
            section.__doc__ = ""
        default = dataclasses.field(default=section())
        section = Annotated[section, tyro.conf.arg(name=_title(group))]
        if short and not group.shown:
            section = tyro.conf.Suppress[section]  # type: ignore[misc]
        sections.append((group.__name__, section, default))
    return dataclasses.make_dataclass(options.__name__, sections)


def _section(group: type[Group], defaults: dict[str, Any], about: dict[str, str]) -> type:
    """A copy of a group with these defaults, its options' docstrings as paragraphs."""
    hints = typing.get_type_hints(group, include_extras=True)
    types = typing.get_type_hints(group)
    fields: list[tuple[str, Any, Any]] = []
    for field in _fields(group):
        given, aliases = getattr(hints[field.name], "__metadata__", ()), _aliases(hints[field.name])
        settings: dict[str, Any] = {"help": " ".join(about[field.name].split())}
        if defaults[field.name] in ((), None, ""):
            settings["help_behavior_hint"] = ""  # no "(default: None)"
        if types[field.name] in METAVARS and not any(getattr(i, "metavar", None) for i in given):
            settings["metavar"] = METAVARS[types[field.name]]
        if aliases:  # tyro lists the name last, and help should list it before its aliases
            settings["name"] = aliases[-1].removeprefix("--")
            settings["aliases"] = [option_name(field.name), *aliases[:-1]]
        hint: Any = Annotated[hints[field.name], tyro.conf.arg(**settings)]
        fields.append((field.name, hint, dataclasses.field(default=defaults[field.name])))
    section = dataclasses.make_dataclass(group.__name__, fields, frozen=True)
    section.__doc__ = group.__doc__
    return section


def _title(group: type[Group]) -> str:
    """ModelOptions -> model; its section is headed "model options"."""
    words = re.findall("[A-Z][a-z]*", group.__name__.removesuffix("Options").removesuffix("Option"))
    return group.title or " ".join(words).lower()


def option_name(field: str) -> str:
    """A field's option as it is typed: batch_size -> --batch-size."""
    return "--" + field.replace("_", "-")


def _aliases(hint: Any) -> list[str]:
    """The other names of an option, such as --job-dir, by the type of its field."""
    metadata = getattr(hint, "__metadata__", ())
    return [alias for item in metadata for alias in getattr(item, "aliases", None) or ()]


def _typed(groups: Sequence[type[Group]], arguments: Sequence[str]) -> frozenset[str]:
    """The fields of the groups whose options are among the arguments."""
    words = {word.partition("=")[0].replace("_", "-") for word in arguments}
    return frozenset(
        name
        for group in groups
        for name, hint in typing.get_type_hints(group, include_extras=True).items()
        if {option_name(name), option_name(f"no_{name}"), *_aliases(hint)} & words
    )


def arguments_of(options: Any, kind: type) -> list[str]:
    """The arguments that give the options of a kind: those that differ from its defaults.

    options: an instance of that dataclass, or of one that extends it.
    """
    default, arguments = kind(), []
    for field in _fields(kind):
        value = getattr(options, field.name)
        if value == getattr(default, field.name) or not field.compare:
            continue
        name = option_name(field.name)
        if isinstance(value, bool):
            arguments.append(name if value else name.replace("--", "--no-", 1))
        elif isinstance(value, tuple):
            arguments += [name, *map(str, value)]
        elif str(value).startswith("-"):
            arguments.append(f"{name}={value}")
        else:
            arguments += [name, str(value)]
    return arguments


def _fields(options: Any) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(options)


def check_ranges(options: Any, error: type[Exception] = ValueError) -> None:
    """Raise `error` for the first option outside the range that is declared beside it."""
    hints = typing.get_type_hints(type(options), include_extras=True)
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        metadata = getattr(hints[field.name], "__metadata__", ())
        bounds = [item for item in metadata if isinstance(item, BOUNDS)]
        if value is None or all(_inside(value, bound) for bound in bounds):
            continue
        raise error(f"{option_name(field.name)} {value}: give a number {_in_words(bounds)}")


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


def _in_words(bounds: list[Any]) -> str:
    match bounds:
        case [annotated_types.Ge(), annotated_types.Le()]:
            return f"from {bounds[0].ge} to {bounds[1].le}"
        case [annotated_types.Ge()]:
            return f"of at least {bounds[0].ge}"
        case [annotated_types.Gt()]:
            return f"over {bounds[0].gt}"
        case [annotated_types.Le()]:
            return f"of at most {bounds[0].le}"
        case [annotated_types.Lt()]:
            return f"under {bounds[0].lt}"
        case _:
            return " and ".join(_in_words([bound]) for bound in bounds)
