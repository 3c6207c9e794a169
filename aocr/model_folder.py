"""The folder for a model that is trained on some pictures: never the folder of the pictures."""

import os
from pathlib import Path

from aocr.options import AocrTrainOptions


def model_folder(dataset: str | os.PathLike) -> Path:
    """checkpoints/NAME, by the name of the data set; NAME_model if the pictures are in there."""
    path = os.path.abspath(os.path.expanduser(dataset))
    folder = AocrTrainOptions.model_dir / (Path(path).stem or "mine")
    return folder.with_name(f"{folder.name}_model") if holds(folder, dataset) else folder


def holds(folder: Path, dataset: str | os.PathLike) -> bool:
    """Whether a folder is the data set itself, or has it inside: a training would move it aside."""
    inside = Path(os.path.realpath(os.path.expanduser(dataset)))
    return inside.is_relative_to(os.path.realpath(os.path.expanduser(folder)))
