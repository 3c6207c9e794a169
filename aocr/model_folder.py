"""The folder for a model that is trained on some pictures: never the folder of the pictures."""

import os
from pathlib import Path

from aocr.options import AocrTrainOptions
from ocr_simple import storage
from ocr_simple.local_files import read_object

FIGURES = "auto.json"  # beside a model that --auto trained: its results
MOST_BYTES = 1 << 20  # of that file


def model_folder(dataset: str | os.PathLike) -> Path:
    """checkpoints/NAME, by the name of the data set; NAME_model if the pictures are in there."""
    place = Path(absolute(dataset))
    name = place.name if place.is_dir() else place.stem  # scans.2024 is a whole name
    folder = AocrTrainOptions.model_dir / (name or "mine")
    return folder.with_name(f"{folder.name}_model") if holds(folder, dataset) else folder


def is_trained_on(folder: Path, dataset: str | os.PathLike) -> bool:
    """Whether --auto trained the model in a folder on this data set; True if that is not known."""
    try:
        known = read_object(folder / FIGURES, MOST_BYTES).get("dataset")
    except (OSError, ValueError):
        return True
    return not isinstance(known, list) or absolute(dataset) in known


def absolute(dataset: str | os.PathLike) -> str:
    """The whole path of a data set, or its URL; `~` is the user's folder."""
    return storage.url_of(dataset) or os.path.abspath(os.path.expanduser(dataset))


def holds(folder: Path, dataset: str | os.PathLike) -> bool:
    """Whether a folder is the data set itself, or has it inside: a training would move it aside."""
    inside = Path(os.path.realpath(os.path.expanduser(dataset)))
    return inside.is_relative_to(os.path.realpath(os.path.expanduser(folder)))
