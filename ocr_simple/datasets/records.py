"""Files that hold images and labels together: TFRecords, GZIP or not, and LMDB databases."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from ocr_simple import storage
from ocr_simple.datasets import lmdb_files
from ocr_simple.datasets.entries import Entry, Fault, to_label
from ocr_simple.errors import DatasetError
from ocr_simple.network.backend import standard_error_closed
from ocr_simple.text import escape_controls

RECORD_HEADER = 12  # bytes before the content of a TFRecord: its length, and a checksum of that
RECORD_FOOTER = 4  # bytes after it: its checksum
GZIP = b"\x1f\x8b"
LONGEST = 1 << 40  # bytes of a record; the first 8 bytes of a text would be a length of exabytes


def is_tfrecords(path: Path) -> bool:
    """Whether a file is TFRecords, GZIP or not."""
    with open(path, "rb") as file:
        start = file.read(RECORD_HEADER)
    most = path.stat().st_size
    if start.startswith(GZIP):
        most = LONGEST
        try:
            with gzip.open(path) as content:
                start = content.read(RECORD_HEADER)
        except (OSError, EOFError, zlib.error):
            return False
    return len(start) == RECORD_HEADER and int.from_bytes(start[:8], "little") < most


def read_tfrecords(path: Path, clean: bool = False) -> Iterator[Entry | Fault]:
    """The rows of a TFRecord file of Examples with `image`, `label` and perhaps `comment`.

    clean: whether to remove invisible characters from labels.
    Raises DatasetError for a damaged file, and for Examples of another schema.
    """
    with standard_error_closed():  # TensorFlow prints about its build
        import tensorflow as tf
    from google.protobuf.message import DecodeError

    with open(path, "rb") as start_of_file:
        packed = start_of_file.read(len(GZIP)) == GZIP
    number, start = 0, 0
    try:
        file = storage.unpacked(path) if packed else path
        for number, record in enumerate(tf.data.TFRecordDataset(str(file)).as_numpy_iterator(), 1):
            place = f"{path}:{number}"
            features = tf.train.Example.FromString(record).features.feature
            keys = [key for key in features if features[key].bytes_list.value]
            if keys and "image" not in keys and "label" not in keys:
                raise DatasetError(_other_schema(place, sorted(keys)))
            encoded, label, comment = (
                b"".join(features[key].bytes_list.value[:1])
                for key in ("image", "label", "comment")
            )
            name = comment.decode("utf-8", "replace") or place
            if encoded and "label" in keys:
                offset = start + RECORD_HEADER + record.index(encoded)
                image = str(file), offset, len(encoded)
                yield _entry(place, name, _decode_label(label), image, clean)
            else:
                yield Fault(place, f"no {'label' if encoded else 'image'} in its Example")
            start += RECORD_HEADER + len(record) + RECORD_FOOTER
    except (tf.errors.OpError, DecodeError, OSError, EOFError, zlib.error) as error:
        raise DatasetError(
            f"{path}: damaged after record {number:,} ({escape_controls(str(error))}); make it "
            "again with aocr dataset"
        ) from error


def read_lmdb(path: Path, clean: bool = False) -> Iterator[Entry | Fault]:
    """The samples of an LMDB database. Raises DatasetError."""
    for number, (key, label, has_image) in enumerate(lmdb_files.samples(str(path)), 1):
        place = f"{path}:{number}"
        if label is None or not has_image:
            yield Fault(place, f"no {'image' if not has_image else 'label'} for {key}")
        else:
            yield _entry(place, key, _decode_label(label), (str(path), 0, -1, key), clean)


def _entry(place: str, name: str, label: str, image: tuple, clean: bool) -> Entry | Fault:
    """image: the last fields of an Entry."""
    try:
        return Entry(place, name, to_label(label, clean), *image)
    except ValueError as error:
        return Fault(place, str(error))


def _decode_label(label: bytes) -> str:
    try:
        return label.decode("utf-8")
    except UnicodeDecodeError:
        return label.decode("latin-1")  # as aocr writes them


def _other_schema(place: str, keys: list[str]) -> str:
    like = "; it looks like FSNS, several views of a street sign" if "image/encoded" in keys else ""
    return (
        f"{place}: an Example with {', '.join(keys)} instead of image and label{like}; write the "
        "images and a labels.tsv, and aocr dataset makes TFRecords of them"
    )
