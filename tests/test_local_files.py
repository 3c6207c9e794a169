"""Files that a stranger may have written are read only if they are regular and not too large."""

import os
import zipfile

import pytest

from ocr_simple.decoding import ngrams
from ocr_simple.decoding.constraints import Lexicon
from ocr_simple.decoding.ngrams import NGrams
from ocr_simple.drawing.texts import own_strings
from ocr_simple.local_files import FileRefused, read_bytes, read_object
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
