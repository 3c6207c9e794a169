"""Files that hold images and labels together: TFRecords, GZIP or not, and LMDB databases."""

import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ocr_simple import storage
from ocr_simple.datasets import lmdb_files
from ocr_simple.datasets.entries import FIRST_ROWS, SHOWN, Entry, Fault, check_first_rows, to_label
from ocr_simple.datasets.record_frames import (
    LENGTH,
    RECORD_FOOTER,
    RECORD_HEADER,
    first_fault,
    masked_crc32c,
)
from ocr_simple.errors import DatasetError
from ocr_simple.local_files import LFS_MESSAGE, LFS_POINTER, FileRefused, open_regular
from ocr_simple.messages import escape_controls
from ocr_simple.network.backend import import_tensorflow

GZIP = b"\x1f\x8b"
GZIP_HEADER = 1 << 16  # bytes of a GZIP file that surely hold the first of its content
GZIP_BITS = 16 + zlib.MAX_WBITS  # tells zlib to expect a GZIP header
INTERNAL = re.compile(r"\{\{.*?\}\} *| *\[Op:.*", re.DOTALL)  # in TensorFlow's messages
MOST_RATIO = 100  # bytes of a decompressed file per byte of a GZIP file; images do not shrink
LEAST_UNPACKED = 1 << 30  # bytes that any GZIP file may have, decompressed
LONGEST = 1 << 40  # bytes of a record; the first 8 bytes of a text would be a length of exabytes


def is_tfrecords(path: Path) -> bool:
    """Whether a file, which may be in a bucket, is TFRecords, GZIP or not."""
    if url := storage.url_of(path):
        start, most = storage.read(url, size=GZIP_HEADER), LONGEST
    else:
        with open_regular(path) as (file, most):
            start = file.read(min(GZIP_HEADER, most))
    if start.startswith(GZIP):
        most = LONGEST
        try:
            start = zlib.decompressobj(GZIP_BITS).decompress(start, RECORD_HEADER)
        except zlib.error:
            return False
    length, checksum = start[:LENGTH], start[LENGTH:RECORD_HEADER]
    return (
        len(start) >= RECORD_HEADER
        and int.from_bytes(length, "little") < most
        and int.from_bytes(checksum, "little") == masked_crc32c(length)
    )


def read_tfrecords(
    path: Path, clean: bool = False, encoding: str = "utf-8"
) -> Iterator[Entry | Fault]:
    """The rows of a TFRecord file of Examples with `image`, `label` and perhaps `comment`.

    clean: whether to remove invisible characters from labels. encoding: of the labels.
    Raises DatasetError for a damaged file, for Examples of another schema, and if none of many rows
    can be used.
    """
    return _first_rows_checked(path, _tfrecords(path, clean, encoding))


def _tfrecords(path: Path, clean: bool, encoding: str) -> Iterator[Entry | Fault]:
    file = _checked(path)
    tf = import_tensorflow()
    from google.protobuf.message import DecodeError

    number, start = 0, 0
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(str(file)).as_numpy_iterator(), 1):
            place = f"{path}:{number}"
            features = tf.train.Example.FromString(record).features.feature
            keys = [key for key in features if features[key].bytes_list.value]
            if keys and "image" not in keys and "label" not in keys:
                raise DatasetError(_other_schema(place, sorted(features)))
            encoded, label, comment = (
                b"".join(features[key].bytes_list.value[:1])
                for key in ("image", "label", "comment")
            )
            name = comment.decode("utf-8", "replace") or place
            several = [k for k in ("image", "label") if len(features[k].bytes_list.value) > 1]
            if several:
                count = len(features[several[0]].bytes_list.value)
                yield Fault(
                    place, f"its {several[0]} has {count:,} values; write an Example for each"
                )
            elif encoded and "label" in keys:
                offset = start + RECORD_HEADER + record.index(encoded)
                image = str(file), offset, len(encoded)
                yield _entry(place, name, label, image, clean, encoding)
            else:
                key = "label" if encoded else "image"
                yield Fault(place, _why_missing(key, features[key].WhichOneof("kind")))
            start += RECORD_HEADER + len(record) + RECORD_FOOTER
    except (tf.errors.OpError, DecodeError, OSError) as error:
        intact = number - isinstance(error, DecodeError)  # that record was counted already
        raise DatasetError(_damaged(path, intact, _reason(error))) from error


def _checked(path: Path) -> Path:
    """A TFRecord file, or a decompressed copy of a GZIP file, whose frames are intact.

    Raises DatasetError for another.
    """
    try:
        with open_regular(path) as (start_of_file, size):
            start = start_of_file.read(min(len(LFS_POINTER), size))
        if start == LFS_POINTER:
            raise DatasetError(f"{path}: is {LFS_MESSAGE}")
        packed = start.startswith(GZIP)
        file = storage.unpacked(path, max(LEAST_UNPACKED, MOST_RATIO * size)) if packed else path
        fault = first_fault(file)
    except FileRefused as error:
        raise DatasetError(str(error)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(_damaged(path, 0, _reason(error))) from error
    if fault:
        raise DatasetError(_damaged(path, *fault))
    return file


def _damaged(path: Path, number: int, reason: str) -> str:
    """The message about a file of which the first `number` records are intact."""
    return f"{path}: damaged after record {number:,} ({reason}); make it again with aocr dataset"


def read_lmdb(path: Path, clean: bool = False, encoding: str = "utf-8") -> Iterator[Entry | Fault]:
    """The samples of an LMDB database. Arguments and errors are those of `read_tfrecords`."""
    return _first_rows_checked(path, _lmdb(path, clean, encoding))


def _lmdb(path: Path, clean: bool, encoding: str) -> Iterator[Entry | Fault]:
    for number, (key, label, has_image) in enumerate(lmdb_files.samples(str(path)), 1):
        place = f"{path}:{number}"
        if label is None or not has_image:
            yield Fault(place, f"no {'image' if not has_image else 'label'} for {key}")
        else:
            yield _entry(place, key, label, (str(path), 0, -1, key), clean, encoding)


def _entry(
    place: str, name: str, label: bytes, image: tuple, clean: bool, encoding: str
) -> Entry | Fault:
    """image: the last fields of an Entry."""
    try:
        return Entry(place, name, to_label(label.decode(encoding), clean), *image)
    except UnicodeDecodeError:
        fix = "write labels in UTF-8, or give --label-encoding latin-1 for files of attention-ocr"
        return Fault(place, f"label {label[:SHOWN]!r} is not UTF-8; {fix}")
    except ValueError as error:
        return Fault(place, str(error))


def _first_rows_checked(path: Path, rows: Iterable[Entry | Fault]) -> Iterator[Entry | Fault]:
    """The rows of a file. Raises DatasetError if none of the first FIRST_ROWS can be used."""
    first: list[Entry | Fault] = []
    for row in rows:
        if len(first) < FIRST_ROWS:
            first.append(row)
            if len(first) == FIRST_ROWS:
                check_first_rows(path, first)
        yield row


def _reason(error: Exception) -> str:
    """What is wrong with a file, without the names of TensorFlow's operations."""
    return escape_controls(INTERNAL.sub("", str(error)).strip())


def _why_missing(key: str, kind: str | None) -> str:
    """Why an Example gives no `key`; kind: of the values that it has under it, if it has any."""
    if kind in ("int64_list", "float_list"):
        what = "text in UTF-8" if key == "label" else "bytes of an image file"
        return f"its {key} is a number; write it as {what}, in a bytes_list"
    return f"no {key} in its Example; add one, or leave the record out with --skip-bad"


def _other_schema(place: str, keys: list[str]) -> str:
    like = ""
    if any(key.startswith("image/object/") for key in keys):
        like = "; it looks like boxes, for text or object detection"
    elif {"image/unpadded_class", "image/text"} & set(keys):
        like = "; it looks like FSNS, several views of a street sign"
    return (
        f"{place}: an Example with {', '.join(keys)} instead of image and label{like}; write the "
        "images and a labels.tsv, and aocr dataset makes TFRecords of them"
    )
