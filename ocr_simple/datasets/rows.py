"""Annotation files: the path and the label that each row means.

`parse` recognises the layout by the content, not by the name:

- rows of a path and a label, separated by a tab, a comma or a space, with quoted labels as ICDAR
  writes them (word_1.png, "say \\"hi\\"");
- CSV and TSV whose header names the two columns;
- JSON ({"1.jpg": "text"}) and JSON Lines ({"file_name": "1.jpg", "text": "text"});
- what `inference.py --format tsv` prints.

Whether the images exist is not looked at here. Rows end at LF or CR LF alone: other characters
that end a line in Unicode can be part of a label.
"""

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ocr_simple.datasets.annotation_text import read_text
from ocr_simple.datasets.entries import quoted
from ocr_simple.errors import DatasetError
from ocr_simple.images import EXTENSIONS
from ocr_simple.local_files import numbered_rows
from ocr_simple.messages import counted

PATH_COLUMNS = (
    "file_name", "filename", "file", "image_path", "image", "img_path", "img", "filepath",
    "file_path", "image_name", "image_file", "path", "name",
)  # fmt: skip
LABEL_COLUMNS = (
    "text", "label", "labels", "words", "word", "transcription", "transcript", "plate_text",
    "ground_truth", "gt", "sentence", "annotation",
)  # fmt: skip
CONFIDENCE = re.compile(r"[01]\.\d{5}")  # as inference.py --format tsv writes it
ESCAPE = re.compile(r"\\(\\|[abfnrtv]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
BOXES = re.compile(r"\d{2,5}(?:, *\d{2,5}){7},|\d+(?: [01]?\.\d+){4}$")  # of ICDAR, of YOLO
THREE = "columns; a path and a label are two"
MARK_QUOTE = "put a cell that contains quotes in quotes, and double the quotes inside it"
LONGEST_ROW = 1 << 16  # characters
MOST_JSON = 1 << 25  # characters of one JSON value, which takes up to thirty times the memory
BOX_COLUMNS = (  # names of columns that together are the place of a line in a page
    {"xmin", "ymin", "xmax", "ymax"}, {"x_min", "y_min", "x_max", "y_max"},
    {"x1", "y1", "x2", "y2"}, {"x0", "y0", "x1", "y1"}, {"x", "y", "w", "h"},
    {"x", "y", "width", "height"}, {"left", "top", "width", "height"},
    {"left", "top", "right", "bottom"}, {"bbox"}, {"bboxes"}, {"box"}, {"boxes"}, {"polygon"},
    {"points"}, {"region_shape_attributes"},
)  # fmt: skip
SEPARATOR_LINE = re.compile(r'"?sep=.?"?')  # tells Excel what separates columns


class Split(NamedTuple):
    """One way to read a row."""

    name: str  # of the image's file
    label: str
    kind: str  # what separates the two, for messages
    fault: str = ""  # why it cannot be meant


class Row(NamedTuple):
    """A row of an annotation file."""

    number: int  # from 1
    splits: list[Split]  # the ways to read it, the most likely first


class Rows(NamedTuple):
    """What is in an annotation file."""

    rows: list[Row]
    layout: str = ""  # for messages; empty: by the kind of its splits
    notes: tuple[str, ...] = ()  # what else there is to say about it


def parse(path: Path) -> Rows:
    """The rows of an annotation file. Raises DatasetError if it cannot be one."""
    text = read_text(path)
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        numbered = _json_lines(path, text)
        return Rows([Row(n, [_of_json(path, n, item)]) for n, item in numbered], "JSON Lines")
    if suffix == ".json" or text.lstrip().startswith(("{", "[{")):
        return _parse_json(path, text)
    if "\r" in text and "\n" not in text:
        raise DatasetError(f"{path}: its rows end in CR; save it with the line endings LF or CR LF")
    text = text.replace("\r\n", "\n").replace("\r", " ")
    for number, line in numbered_rows(text):
        _refuse_long_row(path, number, line)
    top = next(_lines(text))
    if SEPARATOR_LINE.fullmatch(top.strip()):
        text = text.replace(top, "\n", 1)
    _, first = next(numbered_rows(text), (0, ""))
    if columns := _header(path, first):
        return _with_header(path, text, *columns)
    is_csv = suffix == ".csv"  # elsewhere a label may have commas
    rows = [Row(number, _splits(line, is_csv)) for number, line in numbered_rows(text)]
    for row in rows:
        for split in row.splits:
            refuse_boxes(split.label, f"{path}:{row.number}")
    return Rows(rows)


def _lines(text: str) -> Iterator[str]:
    """The rows of a text, blank ones too, each with LF at its end. They are not kept in memory."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    yield f"{text[start:]}\n"


def _refuse_long_row(path: Path, number: int, row: str) -> None:
    """Raise DatasetError for a row that is too long to be a path and a label."""
    if len(row) > LONGEST_ROW:
        raise DatasetError(
            f"{path}:{number}: a row of {len(row):,} characters, over the limit of "
            f"{LONGEST_ROW:,}; write one row for each image"
        )


def refuse_boxes(label: str, place: str) -> None:
    """Raise DatasetError for a label that is the boxes of lines in a page."""
    if label.startswith('[{"') or BOXES.match(label):
        raise DatasetError(
            f"{place}: the label {quoted(label)} looks like boxes, for text detection; "
            "cut the lines out of the images, and label each with its text"
        )
    if _is_json_object(label):
        raise DatasetError(
            f"{place}: the label {quoted(label)} is JSON, as an annotation tool writes it; write "
            "the text alone"
        )


def _is_json_object(label: str) -> bool:
    try:
        return label.startswith('{"') and isinstance(json.loads(label), dict)
    except (ValueError, RecursionError):
        return False


def _refuse_box_columns(names: list[str], place: str) -> None:
    """Raise DatasetError if columns are the place of a line in a page."""
    for columns in BOX_COLUMNS:
        if columns <= set(names):
            shown = ", ".join(name for name in names if name in columns)
            raise DatasetError(
                f"{place}: the columns {shown} look like boxes, for text detection; cut the "
                "lines out of the images. If that is done, remove these columns"
            )


# --- rows of a path and a label ---------------------------------------------------------------


def _splits(line: str, is_csv: bool) -> list[Split]:
    """The ways to read a row without a header.

    is_csv: whether a comma can only separate columns, and does so before a space.
    """
    splits = []
    row = line.strip()
    if "\t" in line.lstrip():
        splits.append(_at_tab(line.lstrip()))
    if is_csv and "," in row:
        splits.append(_at_comma(row, is_csv))
    if " " in row:
        name, label = row.split(" ", 1)
        splits.append(Split(name, label.strip(), "spaces"))
    if "," in row and not is_csv:
        splits.append(_at_comma(row, is_csv))
    if ";" in row:
        splits.append(_at_semicolon(row, is_csv))
    fault = f"no label for {quoted(row)}; add a tab and the label after the path"
    return [*splits, Split(row, "", "nothing", fault)]


def _at_tab(row: str) -> Split:
    name, *cells = (cell.strip() for cell in row.split("\t"))
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    if len(cells) == 1:
        return Split(name, cells[0], "tabs")
    if CONFIDENCE.fullmatch(cells[1]) and cells[2:] in ([], ["sure"], ["unsure"]):
        return Split(_unescape(name), _unescape(cells[0]), "readings")
    fault = (
        f"has {len(cells) + 1} {THREE}: remove the others, or add a header that names all columns"
    )
    return Split(name, cells[0], "tabs", fault)


def _unescape(text: str) -> str:
    return ESCAPE.sub(lambda found: found[0].encode().decode("unicode_escape"), text)


def _at_comma(row: str, is_csv: bool) -> Split:
    more = f"has more than two {THREE}: put a label with commas in quotes, or use a tab"
    if row.startswith('"'):
        cells, fault = _cells(row)
        cells = _without_empty_end(cells, 2)
        if len(cells) > 2:
            fault = more
        return Split(cells[0].strip(), cells[1].strip() if cells[1:] else "", "commas", fault)
    name, label = (cell.strip() for cell in row.split(",", 1))
    if not label.startswith('"'):
        if is_csv:  # spreadsheets write empty cells at the end
            label = label.rstrip(", ")
        return Split(name, label, "commas", more if is_csv and "," in label else "")
    cells, fault = _cells(label)
    cells = _without_empty_end(cells, 1)
    if len(cells) > 1:
        fault = more
    return Split(name, cells[0], "commas", fault)


def _at_semicolon(row: str, is_csv: bool) -> Split:
    """As spreadsheets write CSV where a comma is the decimal point."""
    cells, fault = _cells(row, ";")
    cells = _without_empty_end(cells, 2)
    if not is_csv:
        fault = "separated by a semicolon; put a tab or a comma between path and label"
    elif len(cells) > 2:
        fault = f"has more than two {THREE}: put a label with semicolons in quotes"
    return Split(cells[0].strip(), cells[1].strip() if cells[1:] else "", "semicolons", fault)


def _without_empty_end(cells: list[str], least: int) -> list[str]:
    """Cells without the empty ones at the end, but not fewer than `least`."""
    while len(cells) > least and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _cells(text: str, separator: str = ",") -> tuple[list[str], str]:
    """(cells, which may be quoted, of a row; what is wrong with them).

    A quote inside of them is written twice, or after a backslash as ICDAR does.
    """
    escape = "\\" if '\\"' in text else None
    try:
        reader = csv.reader(
            [text], delimiter=separator, skipinitialspace=True, escapechar=escape, strict=True
        )
        return next(reader), ""
    except csv.Error as error:
        fault = f"cannot be read as CSV ({error}); double each quote inside a quoted cell"
        return [text.split(separator, 1)[0].strip('"')], fault


# --- with a header ----------------------------------------------------------------------------


def _columns(names: list[str], place: str) -> tuple[int, int] | None:
    """(index of the path's column, index of the label's); None if no column is a path's.

    place: of the file, for a message; empty: the names of a JSON object. Raises DatasetError if it
    is not clear which is which.
    """
    plain = [name.strip().lower().replace(" ", "_") for name in names]
    if any(name in PATH_COLUMNS for name in plain):
        _refuse_box_columns(plain, place)
    found = []
    for wanted, what in ((PATH_COLUMNS, "file_name"), (LABEL_COLUMNS, "text")):
        places = [i for i, name in enumerate(plain) if name in wanted]
        if not places and what == "file_name":
            return None
        if len(places) != 1:
            kind = "path" if what == "file_name" else "label"
            reason = f"no {kind} among the columns {', '.join(names)}; name one of them {what}"
            if places:
                several = " and ".join(names[i].strip() for i in places)
                reason = f"{several} could both be the {kind}; remove or rename all but one"
            raise DatasetError(f"{place}: {reason}" if place else reason)
        found.append(places[0])
    return found[0], found[1]


def _header(path: Path, first: str) -> tuple[str, int, int] | None:
    """(separator, column of the path, column of the label) that a first row names."""
    if Path(re.split("[\t,;]", first)[0].strip('" ')).suffix.lower() in EXTENSIONS:
        return None  # the row of an image, whose label may be such a word: 1.png⇥Name
    for separator in "\t,;":
        try:
            names = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:  # a cell of over 100,000 characters
            continue
        if len(names) > 1 and (columns := _columns(names, str(path))):
            return separator, *columns
    return None


def _with_header(path: Path, text: str, separator: str, name: int, label: int) -> Rows:
    reader = csv.reader(_lines(text), delimiter=separator, skipinitialspace=True, strict=True)
    rows: list[Row] = []
    names: list[str] = []
    several: list[tuple[int, int]] = []  # first and last line of each row of several lines
    end = 0  # the last line that was read before a row
    try:
        for cells in reader:
            start, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = cells
                continue
            fault = ""
            cells = _without_empty_end(cells, len(names))
            if len(cells) != len(names):
                fault = f"has {counted(len(cells), 'column')}, but the header has {len(names)}; "
                if len(cells) > len(names):
                    fault += "put a label that has the separator in quotes"
                else:
                    fault += "also write the separators of empty cells"
            cells = [cell.strip() for cell in cells] + [""] * (len(names) - len(cells))
            if start < end:
                several.append((start, end))
                if "\n" in cells[name] + cells[label]:
                    fault = f"the path or the label has {end - start + 1:,} rows. A quote opens "
                    fault += f"here and closes in row {end:,}: {MARK_QUOTE}"
            rows.append(Row(start, [Split(cells[name], cells[label], "", fault)]))
            refuse_boxes(cells[label], f"{path}:{start}")
    except csv.Error as error:
        row = next(itertools.islice(_lines(text), end, None)).strip()
        raise DatasetError(
            f"{path}:{end + 1}: cannot be read as CSV from here on ({error}), {quoted(row)}: "
            f"{MARK_QUOTE}"
        ) from error
    notes = ()
    if several:
        first, last = several[0]
        notes = (
            f"entries of several rows, because a quoted cell has line breaks: {len(several):,} "
            f"(first: rows {first:,} to {last:,}); if these are separate entries, a quote is not "
            "closed",
        )
    others = [each.strip() or "(no name)" for i, each in enumerate(names) if i not in (name, label)]
    layout = f"{'TSV' if separator == chr(9) else 'CSV'} with the columns {names[name].strip()} "
    layout += f"and {names[label].strip()}"
    return Rows(rows, layout + (f" (not used: {', '.join(others)})" if others else ""), notes)


# --- JSON -------------------------------------------------------------------------------------


def _parse_json(path: Path, text: str) -> Rows:
    """The rows of JSON, or of JSON Lines whatever the file is called."""
    one_row = "\n" not in text.strip()
    limit = f"{path}: over {MOST_JSON:,} characters of JSON; write JSON Lines, one row each"
    too_large = len(text) > MOST_JSON
    try:
        if too_large:
            raise ValueError(limit)
        content = json.loads(text, object_pairs_hook=_unique)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        if one_row and too_large:
            raise DatasetError(limit) from error
        if one_row:
            fix = "save it as one JSON object, or as one object per row"
            raise DatasetError(f"{path}:1: not JSON ({error}); {fix}") from error
        try:
            numbered = list(_json_lines(path, text))
        except DatasetError as no_lines:
            if too_large:
                raise DatasetError(limit) from no_lines
            raise
        return Rows([Row(n, [_of_json(path, n, item)]) for n, item in numbered], "JSON Lines")
    if isinstance(content, dict) and _of_object(content) is None:
        content = [[name, label] for name, label in content.items()]
    elif not isinstance(content, list):
        content = [content]
    items = enumerate(content, 1)
    return Rows([Row(number, [_of_json(path, number, item)]) for number, item in items], "JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, whose names must differ: Python would keep the last of two."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise DatasetError(f"{quoted(name)} appears twice; keep one of them")
    return found


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """(number, value) of each row. Raises DatasetError."""
    for number, line in numbered_rows(text.replace("\r\n", "\n")):
        _refuse_long_row(path, number, line)
        try:
            yield number, json.loads(line, object_pairs_hook=_unique)
        except DatasetError as error:
            raise DatasetError(f"{path}:{number}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise DatasetError(
                f"{path}:{number}: not JSON ({error}); save it as one JSON object, or as one "
                "object per row"
            ) from error


def _of_object(item: dict[str, Any]) -> tuple[Any, Any] | None:
    """(path, label) of an object that names both, or None. Raises DatasetError."""
    names = list(item)
    columns = _columns(names, "") if any(n.lower() in LABEL_COLUMNS for n in names) else None
    return None if columns is None else (item[names[columns[0]]], item[names[columns[1]]])


def _of_json(path: Path, number: int, item: Any) -> Split:
    """The path and the label of a JSON value. Raises DatasetError for one of another kind."""
    place = f"{path}:{number}"
    found = item
    if isinstance(item, dict):
        try:
            found = _of_object(item)
        except DatasetError as error:
            raise DatasetError(f"{place}: {error}") from error
    if not isinstance(found, (list, tuple)) or len(found) != 2 or not isinstance(found[0], str):
        raise DatasetError(
            f"{place}: {quoted(json.dumps(item, ensure_ascii=False))} is not an image with its "
            'label; write {"1.png": "text", …}, or a row {"file_name": "1.png", "text": "text"} '
            "for each"
        )
    name, label = found
    if isinstance(label, (dict, list)):
        kind = "an object" if isinstance(label, dict) else "a list"
        raise DatasetError(
            f"{place}: the label of {quoted(name)} is {kind}, not a string, as for text detection; "
            "crop the lines out of the images, and label each with its text"
        )
    if not isinstance(label, str):
        shown = json.dumps(label)
        return Split(name, shown, "", f"the label {shown} is not a string; put it in quotes")
    refuse_boxes(label, place)
    return Split(name, label, "")
