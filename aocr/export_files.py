"""The files of an export: what describes each of them, and which of them an export may replace.

A folder may hold exports of several models, so each file has a description of its own, which names
its checksum: FILE.json beside it, and model.json in the folder of a SavedModel. README.md and
reader.py end with a checksum of the rest. So what somebody has changed, or written, is known.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aocr.kept_constraint import allowed
from ocr_simple import preprocessing, storage, written_files
from ocr_simple.local_files import read_bytes, read_object
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet

ABOUT = "model.json"  # in the folder of a SavedModel; earlier versions: of all files beside it
READER, README = "reader.py", "README.md"
READER_CONSTRAINT = "reader_constraint.py"  # for exports that keep a --pattern or --lexicon
MOST_BYTES = 1 << 22  # of a description, a README.md or a reader.py
SIGNATURE = re.compile(r"\n(?:# |<!-- )written by ocr_simple, sha256 (\w{64})(?: -->)?\n$")
NUMBERS = re.compile(r"\[\n[\d,\s]+\]")  # a list of numbers in JSON, one per row
EARLIER = {  # how files begin that earlier versions wrote, without a checksum
    READER: re.compile('"""Read lines of text with an exported model. Copy this file'),
    README: re.compile("# .*\n\nExported by ocr_simple from "),
}


def description(spec: ModelSpec) -> dict[str, Any]:
    """What a program needs to know to use an export of a model, besides where it is from."""
    alphabet, ctc = Alphabet(spec.alphabet), spec.head == "ctc"
    about = {
        "alphabet": spec.alphabet,
        "head": spec.head,
        "height": spec.height,
        "channels": spec.channels,
        "normalisation": "median of the image to 0, its standard deviation to 1",
        "least_spread": preprocessing.MIN_SPREAD,
        "stride": spec.stride,
        "multiple": spec.multiple,
        "bytes": {"inputs": ["input"], "outputs": ["output", "probability"]},
        "pixels": {
            "inputs": ["image", "width"],
            "outputs": ["log_probabilities"] if ctc else ["ids", "probabilities"],
        },
    }
    if alphabet.right_to_left:  # what reader.py needs to put text into logical order
        about["kinds"] = alphabet.kinds
        about["mirrored"] = "".join(map(alphabet.mirrored, alphabet.characters))
    return about


def digest(path: Path) -> str:
    """The SHA-256 of a file; of a SavedModel, of its files but model.json. Raises OSError."""
    return written_files.digest(path, without=ABOUT)


def description_of(path: Path) -> Path:
    """The file that describes an exported file, or the folder of a SavedModel."""
    return path / ABOUT if path.is_dir() else path.with_name(f"{path.name}.json")


def describe(path: Path, about: dict[str, Any]) -> None:
    """Write the description of an exported file or folder; about: the model."""
    content = about | {"file": path.name, "sha256": digest(path)}
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    text = NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
    description_of(path).write_text(text, encoding="utf-8")


def check_described(folder: Path, about: dict[str, Any]) -> None:
    """Raise ValueError for a SavedModel that is not the one its description is of.

    Earlier versions wrote no checksum.
    """
    if about.get("sha256", found := digest(folder)) != found:
        raise ValueError(f"{folder}: is not the SavedModel that its {ABOUT} describes")


def made_from(path: Path) -> str:
    """The name of the model file from which an exported file was made; "?" if it is not known."""
    for file in (description_of(path), path.with_name(ABOUT)):
        try:
            return str(read_object(file, MOST_BYTES)["made_from"])
        except (OSError, ValueError, KeyError):
            continue
    return "?"


def kept_notes(path: Path) -> list[str]:
    """What the description of an exported file says about its constraint and its box, if any."""
    notes = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        about = read_object(description_of(path), MOST_BYTES)
        if found := about.get("constraint"):
            what = allowed(found["pattern"], found["texts"])
            notes.append(f"Constraint to {what}: {found['obeyed']}.")
        if found := about.get("crop"):
            width, height = found["size"]
            notes.append(f"Box for images of {width} x {height} pixels: {found['obeyed']}.")
    return notes


def signed(text: str, name: str) -> str:
    """The text of README.md, or of a file of code, with its checksum in the last line."""
    line = f"written by ocr_simple, sha256 {hashlib.sha256(text.encode()).hexdigest()}"
    return f"{text}\n" + (f"<!-- {line} -->\n" if name == README else f"# {line}\n")


# --- what may be replaced ---------------------------------------------------------------------


def check_replaceable(folder: Path, names: Iterable[str]) -> None:
    """Raise ValueError for a file that is there, and that no export has written as it is now.

    names: of the files that an export is about to write into a folder.
    """
    for name in names:
        path = folder / name
        if path.is_symlink() or path.exists():
            try:
                is_folder = path.is_dir() and not path.is_symlink()
                ours = (path.is_file() or is_folder) and _is_ours(path)
            except (OSError, ValueError):
                ours = False
            if not ours:
                raise ValueError(
                    f"{storage.display_name(path)}: already exists and is not an unchanged file of "
                    "an earlier export, so it is not overwritten; move it away, or name another "
                    "DIR, such as exported"
                )


def _is_ours(path: Path) -> bool:
    """Whether an export wrote a file as it is now. Raises OSError, ValueError."""
    if path.name in (READER, READER_CONSTRAINT, README):
        text = read_bytes(path, MOST_BYTES).decode()
        if found := SIGNATURE.search(text):
            return hashlib.sha256(text[: found.start()].encode()).hexdigest() == found[1]
        return path.name in EARLIER and EARLIER[path.name].match(text) is not None
    if path.suffix == ".json":
        return _describes(read_object(path, MOST_BYTES), path.stem)
    try:
        about = read_object(description_of(path), MOST_BYTES)
    except FileNotFoundError:  # earlier versions: one description for all
        return "made_from" in read_object(path.with_name(ABOUT), MOST_BYTES)
    return _describes(about, path.name) and about["sha256"] == digest(path)


def _describes(about: dict[str, Any], name: str) -> bool:
    """Whether a description is of the file of that name."""
    return about.get("file") == name and "made_from" in about and "sha256" in about
