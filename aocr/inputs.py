"""What a command reads has to be there: checked before TensorFlow is imported, in milliseconds."""

from collections.abc import Iterable
from pathlib import Path

from ocr_simple import storage
from ocr_simple.datasets.annotations import LABELS, find_entries


def check_datasets(datasets: Iterable[str]) -> None:
    """Raise DatasetError for the first local data set that does not exist."""
    for dataset in datasets:
        path = Path(dataset)
        file = path / LABELS if path.is_dir() else path
        if not storage.url_of(dataset) and not file.is_file():
            find_entries(dataset)  # raises the error
