"""Files that a stranger may have written are read only if they are regular and not too large."""

import os
import tracemalloc
import zipfile

import pytest

from ocr_simple import local_files
from ocr_simple.decoding import ngrams
from ocr_simple.decoding.constraints import Lexicon
from ocr_simple.decoding.ngrams import NGrams
from ocr_simple.drawing.text_pools import own_strings
from ocr_simple.local_files import FileRefused, numbered_rows, read_bytes, read_object, read_rows
from ocr_simple.options import TextOptions
from ocr_simple.text import Alphabet


def test_a_file_is_read_up_to_the_limit(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(FileRefused, match=r"a: 5 bytes, over the limit of 4; name a smaller file$"):
        read_bytes(file, 4)


def test_a_file_of_200_gb_is_refused_without_reading_it(tmp_path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(FileRefused, match=r"huge: 214,748,364,800 bytes, over the limit of 9"):
        read_bytes(tmp_path / "huge", 9)


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(FileRefused, match=rf"^{path}: is a folder, pipe or device, not a file"):
            read_bytes(path, 9)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc")
def test_a_file_without_a_size_is_empty():
    assert read_bytes("/proc/self/status", 9) == b""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
    ],
)
def test_what_is_no_json_object_is_named(tmp_path, content, reason):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json: {reason}"):
        read_object(tmp_path / "a.json", 1 << 20)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: Alphabet.parse(str(path)),
        lambda path: Lexicon.load(path, Alphabet("ab")),
        lambda path: NGrams.load(path),
        lambda path: own_strings(TextOptions(strings_file=path)),
    ],
    ids=["alphabet", "lexicon", "language-model", "strings"],
)
def test_a_file_that_an_option_names_may_not_fill_the_memory(tmp_path, read):
    with open(tmp_path / "huge.txt", "wb") as file:
        file.truncate(200 << 30)
    with pytest.raises(ValueError, match=r"huge\.txt"):
        read(tmp_path / "huge.txt")


def test_a_language_model_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(ngrams, "MOST_UNPACKED", 1_000_000)
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("format.npy", bytes(2_000_000))
    with pytest.raises(ValueError, match=r"m\.npz: cannot be used .*over 1,000,000 bytes"):
        NGrams.load(tmp_path / "m.npz")


def test_rows_are_numbered_and_blank_ones_are_left_out():
    assert list(numbered_rows("a\n\n \t\nb\n\n\nc d\n")) == [(1, "a"), (4, "b"), (7, "c d")]
    assert list(numbered_rows("\n")) == list(numbered_rows("")) == []


def test_rows_of_texts_end_as_python_has_it(tmp_path):
    text = "\ufeffa\r\nb\rc\vd\fe\x1cf\x1dg\x1eh\x85i\u2028j\u2029\r\rk\n"
    (tmp_path / "a").write_bytes(text.encode())
    rows = text[1:].splitlines()
    expected = [(number, row) for number, row in enumerate(rows, 1) if row]
    assert list(read_rows(tmp_path / "a", 99, 9)) == expected and len(expected) == 11


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(local_files, "MOST_ROWS", 2)
    (tmp_path / "a").write_text("1\n\n2\n\n")
    assert len(list(read_rows(tmp_path / "a", 99, 9))) == 2
    (tmp_path / "a").write_text("1\n2\n3\n")
    with pytest.raises(FileRefused, match=r"a: over 2 rows; name a smaller file"):
        list(read_rows(tmp_path / "a", 99, 9))


def test_newlines_alone_take_no_more_memory_than_they_are():
    text = "\n" * 1_000_000
    tracemalloc.start()
    assert list(numbered_rows(f"{text}a")) == [(1_000_001, "a")]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(text)
