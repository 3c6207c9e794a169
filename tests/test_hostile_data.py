"""Data sets that a stranger made: named and refused, never a crash, a hang or all of the memory."""

import gzip
import os
import struct
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from support.commands import status_of
from support.datasets import annotate, picture

from aocr import cli
from ocr_simple.datasets import lmdb_files, records, row_images, rows
from ocr_simple.datasets.annotations import DatasetError, find_dataset, find_entries
from ocr_simple.datasets.entries import Entry, Fault, fault_list
from ocr_simple.datasets.record_frames import LARGEST_RECORD, first_fault, masked_crc32c
from ocr_simple.datasets.tfrecords import to_record, write_skipped
from ocr_simple.options import LabelOptions


def huge(path: Path, start: bytes = b"") -> Path:
    """A file of 200 GB that takes no room."""
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(200 << 30)
    return path


def frame(content: bytes, length: int | None = None) -> bytes:
    """A record; length: what it says about its length."""
    header = struct.pack("<Q", len(content) if length is None else length)
    checksums = (struct.pack("<I", masked_crc32c(data)) for data in (header, content))
    return header + next(checksums) + content + next(checksums)


# --- TFRecords --------------------------------------------------------------------------------


def test_the_checksum_is_that_of_tfrecords():
    crc = 0xE3069283  # of these bytes, in RFC 3720 and everywhere
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc32c(b"123456789") == masked


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (frame(b"", 1 << 40), "a record of 1,099,511,627,776 bytes, over the limit of 536,870,912"),
        (frame(b"abc", 1000), "it ends within a record"),
        (frame(b"abc")[:-1], "it ends within a record"),
        (b"\x05", "it ends within a record"),
        (b"\0" * 99, "the checksum of a record's length is wrong"),
    ],
)
def test_a_record_that_cannot_be_is_found_before_tensorflow_reads_it(tmp_path, rest, reason):
    file = tmp_path / "a.tfrecords"
    file.write_bytes(frame(b"one") + frame(b"two") + rest)
    assert first_fault(file) == (2, reason)
    message = rf"a\.tfrecords: damaged after record 2 \({reason}\); make it again"
    with pytest.raises(DatasetError, match=message):
        find_entries(file)


def test_a_record_that_is_no_example_is_not_counted_as_intact(tmp_path):
    file = tmp_path / "a.tfrecords"
    file.write_bytes(frame(b"\xff\xff"))
    with pytest.raises(DatasetError, match=r"a\.tfrecords: damaged after record 0 \("):
        find_entries(file)


def test_a_record_within_a_huge_file_is_bounded_too(tmp_path):
    file = huge(tmp_path / "a.tfrecords", frame(b"", LARGEST_RECORD + 1)[:12])
    with pytest.raises(DatasetError, match=r"a\.tfrecords: damaged after record 0 \(a record of"):
        find_entries(file)


def test_a_gzip_file_of_nothing_but_zeros_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "LEAST_UNPACKED", 1 << 20)
    file = tmp_path / "a.tfrecords.gz"
    with gzip.open(file, "wb") as packed:
        packed.write(frame(b"one") + bytes(200 << 20))
    with pytest.raises(DatasetError, match=r"a\.tfrecords\.gz: decompresses to over \d"):
        find_entries(file)


def test_a_file_without_any_usable_record_is_given_up_early(monkeypatch):
    monkeypatch.setattr(records, "FIRST_ROWS", 50)
    faults = (Fault(f"a:{number}", "no image") for number in range(1, 10_000))
    message = r"^a: none of its first 50 rows can be used:\n  a:1: no image"
    with pytest.raises(DatasetError, match=message):
        list(records._first_rows_checked(Path("a"), faults))
    assert next(faults).place == "a:51"
    rows = [Fault("a:1", "no image")] * 49 + [Entry("a:50", "a", "1", "a")] + [Fault("a", "")] * 99
    assert list(records._first_rows_checked(Path("a"), rows)) == rows


# --- annotation files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.tsv", "images/a.png\t" + "x" * 70_000, r"a.tsv:1: a row of 70,013 characters, over"),
        ("a.txt", "x " * 200_000, r"a.txt:1: a row of 400,000 characters, over the limit of"),
        ("a.csv", 'file_name,text\na.png,"' + "x" * 140_000, r"a.csv:2: a row of 140,007 charac"),
        (
            "a.csv",
            'file_name,text\na.png,"x\n' + "b.png,x\n" * 30_000,
            r"a.csv:\d+: cannot be read",
        ),
        ("a.jsonl", '{"image": "a.png", "text": "' + "x" * 70_000 + '"}\n', r"a.jsonl:1: a row of"),
        ("a.json", "[" * 100_000, r"a.json:1: not JSON"),
    ],
)
def test_a_row_that_is_too_long_is_named(image_folder, name, content, reason):
    (image_folder / name).write_text(content)
    with pytest.raises(DatasetError, match=reason):
        find_entries(name)


def test_json_that_would_take_gigabytes_is_to_be_json_lines(image_folder, monkeypatch):
    monkeypatch.setattr(rows, "MOST_JSON", 1000)
    (image_folder / "a.json").write_text("[" + "[]," * 1000 + "[]]")
    with pytest.raises(DatasetError, match=r"over 1,000 characters of JSON; write JSON Lines"):
        find_entries("a.json")
    many = '{"image": "images/a.png", "text": "x"}\n' * 100
    (image_folder / "b.json").write_text(many)
    assert len(find_entries("b.json")) == 100


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"", "is a binary file, not a label file"),
        (b"images/a.png\tone\n" * 300, "214,748,364,800 bytes, over the limit of 268,435,456"),
    ],
)
def test_an_annotation_file_of_200_gb_is_refused(image_folder, start, reason):
    huge(image_folder / "a.tsv", start)
    with pytest.raises(DatasetError, match=rf"a\.tsv: {reason}"):
        find_entries("a.tsv")


def test_blank_rows_take_no_memory_and_are_counted(image_folder):
    blank = "\n" * 100_000
    (image_folder / "a.tsv").write_text(f"images/a.png\tone\n{blank}gone.png\ttwo\n")
    (image_folder / "a.csv").write_text(f"file_name,text\n{blank}images/a.png,one\n")
    tracemalloc.start()
    _, fault = find_entries("a.tsv")
    (entry,) = find_entries("a.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (fault.place, entry.place) == ("a.tsv:100002", "a.csv:100002")
    assert peak < 8 * len(blank)


def test_an_image_that_is_no_regular_file_is_named(image_folder):
    os.mkfifo(image_folder / "pipe.png")
    os.symlink("loop.png", image_folder / "loop.png")
    annotate(image_folder / "a.tsv", "images/a.png\t1", "pipe.png\t2", "loop.png\t3", "images\t4")
    _, pipe, loop, folder = find_entries("a.tsv")
    assert pipe.reason == "'pipe.png' is a pipe or device, not a regular file; name an image file"
    assert loop.reason.startswith("'loop.png' is a link to a file that is not there, or to itself")
    assert folder.reason.startswith("no such image 'images'")


def test_what_is_no_regular_file_is_not_waited_for(image_folder):
    os.mkfifo(image_folder / "pipe.tsv")
    (image_folder / "linked").mkdir()
    os.symlink("/dev/zero", image_folder / "linked" / "labels.tsv")
    for name in ("pipe.tsv", "linked", "/dev/zero"):
        with pytest.raises(DatasetError, match=rf"^{name}: no data set found"):
            find_entries(name)


@pytest.mark.skipif(not os.path.exists("/proc/kmsg"), reason="no /proc")
def test_a_file_of_proc_is_empty():
    for name in ("/proc/kmsg", "/proc/self/environ"):
        with pytest.raises(DatasetError, match=rf"^{name}: (is empty|.*not permitted|Permission)"):
            find_entries(name)


def test_images_and_texts_in_a_folder_are_bounded_and_regular(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    huge(tmp_path / "huge.png")
    annotate(tmp_path / "pipe.txt", "one")
    annotate(tmp_path / "huge.txt", "one")
    picture(tmp_path / "text.png")
    huge(tmp_path / "text.txt", b"one")
    large, pipe, text = find_entries(tmp_path)
    assert isinstance(text, Fault) and "over the limit of 65,536" in text.reason
    for row, reason in ((large, "over the limit of 400,000,000"), (pipe, "a folder, pipe or dev")):
        fault = to_record(row, force_uppercase=False, save_filename=False)
        assert isinstance(fault, Fault) and reason in fault.reason


def test_a_file_without_any_image_is_given_up_early(image_folder, monkeypatch):
    monkeypatch.setattr(row_images, "FIRST_ROWS", 50)
    annotate(image_folder / "a.txt", *["missing.png x"] * 200)
    message = r"a\.txt: none of its first 50 rows can be used:\n  a\.txt:1: no such image 'missing"
    with pytest.raises(DatasetError, match=message):
        find_entries("a.txt")
    annotate(image_folder / "a.txt", *["missing.png x"] * 49, "images/a.png x", *["no.png x"] * 99)
    assert len(find_dataset("a.txt").entries) == 1


def test_the_likely_cause_is_looked_for_only_in_some_rows(image_folder, monkeypatch):
    monkeypatch.setattr(row_images, "MOST_EXPLAINED", 1)
    annotate(image_folder / "a.txt", "images/A.PNG x", "images/A.PNG x", "images/a.png x")
    first, second, _ = find_entries("a.txt")
    assert "did you mean" in first.reason
    assert second.reason.startswith("no such image 'images/A.PNG' in ")


def test_a_label_is_no_book(tmp_path):
    picture(tmp_path / "a.png")
    annotate(tmp_path / "a.txt", "x" * 20_000)
    (fault,) = find_entries(tmp_path)
    assert "a label of 20,000 characters, over the limit of 10,000" in fault.reason


def test_half_a_character_is_no_part_of_a_label(image_folder):
    (image_folder / "a.json").write_text('{"images/a.png": "one\\ud800"}')
    (fault,) = find_entries("a.json")
    assert "has invisible characters: U+D800" in fault.reason


# --- LMDB -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [b"9" * 100_000, b"1000000000000", b"-1", b"two", b""])
def test_the_number_of_samples_in_a_database_is_checked(tmp_path, count):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(tmp_path / "db")) as database, database.begin(write=True) as transaction:
        transaction.put(b"num-samples", count)
        transaction.put(b"image-000000001", b"x")
    with pytest.raises(
        DatasetError, match=r"db: its num-samples is b'.*', but it has 2 keys; make"
    ):
        list(lmdb_files.samples(str(tmp_path / "db")))


def test_a_label_in_a_database_that_is_not_utf8_is_a_fault_unless_declared(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(tmp_path / "db")) as database, database.begin(write=True) as transaction:
        transaction.put(b"num-samples", b"2")
        for number, label in enumerate(("Café".encode(), "Café".encode("latin-1")), 1):
            transaction.put(b"label-%09d" % number, label)
            transaction.put(b"image-%09d" % number, b"x")
    good, bad = find_entries(tmp_path / "db")
    assert good.label == "Café"
    assert bad.place == f"{tmp_path / 'db'}:2"
    assert bad.reason.startswith(
        r"label b'Caf\xe9' is not UTF-8; write labels in UTF-8, or give --l"
    )
    declared = LabelOptions(label_encoding="latin-1")
    assert find_entries(tmp_path / "db", declared)[1].label == "Café"


def test_a_database_that_was_cut_off_does_not_end_the_process(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(tmp_path / "db")) as database, database.begin(write=True) as transaction:
        transaction.put(b"num-samples", b"9")
        for number in range(1, 10):
            transaction.put(b"label-%09d" % number, b"one")
            transaction.put(b"image-%09d" % number, bytes(9000))
    file = tmp_path / "db" / "data.mdb"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(DatasetError, match=r"data\.mdb: damaged, part of it is missing; copy it"):
        find_entries(tmp_path / "db")


# --- what `aocr dataset` writes ---------------------------------------------------------------


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lines.skipped.tsv", "lines"], r"lines.skipped.tsv: is the data set itself"),
        (["linked.tsv", "other"], r"other.skipped.tsv: is the data set itself"),
        (["hard.tsv", "images/a.png"], r"images/a.png: is part of the data set"),
        (["a.tsv", "picture"], r"picture.skipped.tsv: is part of the data set"),
        (["images", "images/new"], r"images/new: is in the data set's folder images"),
        (["images", "link/new"], r"link/new: is in the data set's folder images"),
        (["images", "images/../images/new"], r"images/new: is in the data set's folder images"),
        (["lines-*.tfrecords", "lines-2.tfrecords"], r"lines-2.tfrecords: matches the data sets"),
        (["lines.skipped.tsv", "folder"], r"folder.skipped.tsv: is a folder, pipe or device"),
    ],
)
def test_nothing_that_is_read_is_replaced(image_folder, capsys, arguments, message):
    annotate(image_folder / "lines.skipped.tsv", "images/a.png\tone", "missing.png\ttwo")
    os.symlink("lines.skipped.tsv", image_folder / "linked.tsv")
    os.symlink("linked.tsv", image_folder / "other.skipped.tsv")
    os.link(image_folder / "lines.skipped.tsv", image_folder / "hard.tsv")
    annotate(image_folder / "images" / "labels.tsv", "a.png\tone")
    os.symlink("images", image_folder / "link")
    picture(image_folder / "picture.png").rename(image_folder / "picture.skipped.tsv")
    annotate(image_folder / "a.tsv", "picture.skipped.tsv\tone", "missing.png\ttwo")
    (image_folder / "folder.skipped.tsv").mkdir()
    if "*" in arguments[0]:
        assert cli.main(["dataset", "images", "lines-1.tfrecords"]) == 0
    before = snapshot(image_folder)
    assert status_of(cli.main, ["dataset", "--skip-bad", *arguments]) == 2
    assert message.replace("\\", "") in capsys.readouterr().err
    assert snapshot(image_folder) == before


def test_the_list_of_rows_left_out_does_not_follow_a_link(tmp_path):
    mine = annotate(tmp_path / "mine.txt", "mine")
    os.symlink(mine, tmp_path / "out.skipped.tsv")
    write_skipped(tmp_path / "out", [Fault("a:1", "\x1b[31mred")])
    assert mine.read_text() == "mine\n"
    assert (tmp_path / "out.skipped.tsv").read_text() == "a:1\t\\x1b[31mred\n"


def test_a_list_of_rows_left_out_is_gone_when_there_are_none(tmp_path):
    for output in (tmp_path / "out", (tmp_path / "out").as_uri()):
        write_skipped(output, [Fault("a:1", "gone")])
        assert (tmp_path / "out.skipped.tsv").exists()
        write_skipped(output, [])
        assert not (tmp_path / "out.skipped.tsv").exists()


def test_the_list_of_all_faults_replaces_the_last_one_and_a_link(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (mine := tmp_path / "mine").write_text("mine\n")
    for count in (30, 20):
        listed = fault_list([Fault(f"a.txt:{k}", "no such image") for k in range(count)])
        file = Path(listed.rpartition("all of them: ")[2])
        assert len(file.read_text().splitlines()) == count and file.stat().st_mode & 0o77 == 0
        assert set(tmp_path.iterdir()) == {file, mine}
        file.unlink()
        file.symlink_to(mine)
    fault_list([Fault(f"a.txt:{k}", "no such image") for k in range(20)])
    assert not file.is_symlink() and mine.read_text() == "mine\n"


def test_faults_are_listed_without_what_controls_a_terminal():
    listed = fault_list([Fault("a\x1b[2J\u202e.txt:1", "no such\r image \u2066x")])
    assert listed == "\n  a\\x1b[2J\\u202e.txt:1: no such\\r image \\u2066x"
