"""The user's pictures, with their labels where there are some."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import storage
from ocr_simple.datasets.annotations import find_dataset
from ocr_simple.datasets.crops import with_crops
from ocr_simple.datasets.entries import Entry, Fault, image_fault
from ocr_simple.datasets.labelled_lines import load_image
from ocr_simple.errors import NoDatasetError
from ocr_simple.options import LabelOptions
from ocr_simple.reading_commands import find_images

T = TypeVar("T")


class Picture(NamedTuple):
    """One picture that was decoded."""

    name: str
    pixels: np.ndarray  # uint8 (rows, columns, 1)
    label: str | None = None  # None: unknown


class Found(NamedTuple):
    """The pictures that are looked at, and what else there is."""

    pictures: list[Picture]
    total: int  # of images, also those that are not looked at
    faults: list[Fault]  # rows and images that cannot be used
    all_labels: list[str]  # also of those that are not looked at, without empty ones

    @property
    def labels(self) -> list[str]:
        """The labels of those looked at; empty ones, of pictures with nothing to read, left out."""
        return [picture.label for picture in self.pictures if picture.label]


class Listed(NamedTuple):
    """An image that was found, and is not decoded yet."""

    entry: Entry
    labelled: bool


def find_pictures(folder: str, how: LabelOptions) -> tuple[list[Listed], list[Fault]]:
    """(the images in a folder or a data set, rows that cannot be used). Nothing is decoded.

    Raises ValueError if there is no image, or for a damaged data set.
    """
    path, url = os.path.expanduser(folder), storage.url_of(folder)
    is_folder = bool(storage.list_files(url)) if url else os.path.isdir(path)
    if not url and not os.path.lexists(path):
        raise ValueError(f"{folder}: no such folder; name a folder of images")
    rows = _labelled_rows(folder, how)
    found = [Listed(row, True) for row in rows if isinstance(row, Entry)]
    if is_folder:
        place_of = storage.display_name if url else os.path.realpath
        known = {place_of(each.entry.file) for each in found}
        images = [file for file in find_images([path])[0] if place_of(file) not in known]
        entries = [Entry(file, Path(file).name, "", file) for file in images]
        cropped = [] if url else with_crops(Path(path), entries)[0]
        rows += [row for row in cropped if isinstance(row, Fault) and row not in rows]
        found += [Listed(row, False) for row in cropped or entries if isinstance(row, Entry)]
    if not found:
        raise ValueError(f"{folder}: no images there; name a folder of images")
    return found, [row for row in rows if isinstance(row, Fault)]


def _labelled_rows(folder: str, how: LabelOptions) -> list[Entry | Fault]:
    """The rows of a data set; none if there are only images."""
    try:
        return find_dataset(folder, how).rows
    except NoDatasetError:
        return []


def load(listed: list[Listed], faults: list[Fault], most: int) -> Found:
    """Decode up to `most` of the images, evenly spread over all."""
    pictures, faults = [], list(faults)
    for entry, labelled in spread(listed, most):
        try:
            pixels = load_image(entry)
        except (OSError, imaging.ImageError) as error:
            faults.append(image_fault(entry, error))
            continue
        pictures.append(Picture(entry.name, pixels, entry.label if labelled else None))
    labels = [each.entry.label for each in listed if each.labelled and each.entry.label]
    return Found(pictures, len(listed), faults, labels)


def spread(items: Sequence[T], most: int) -> list[T]:
    """Up to `most` of the items, evenly spread over all, in order."""
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]
