"""What `aocr test` may replace in its output folder: an earlier report, as it was written."""

import json
import os
import shutil

import numpy as np
import pytest

from ocr_simple.reports.metrics import Reading
from ocr_simple.reports.report import write_report
from ocr_simple.reports.report_files import FILES, FOLDERS, PAGE, REPORT, check_replaceable
from ocr_simple.text import Line

READINGS = [Reading("a.png", "12", Line("12", 0.9, ())), Reading("b.png", "3", Line("4", 0.9, ()))]
ALL = (*FILES, *FOLDERS)


def pixels(index: int) -> np.ndarray:
    return np.full((32, 100, 1), 200, np.uint8)


def draw(folder):
    """Pictures as of `aocr test --visualize`."""
    for kind in FOLDERS:
        (folder / kind / "00001_a").mkdir(parents=True)
        (folder / kind / "00001_a" / "time_steps.png").write_text("picture")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report."""
    write_report(READINGS, folder := tmp_path_factory.mktemp("once") / "report", pixels, draw=draw)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A folder with a report, to be changed."""
    return shutil.copytree(written, tmp_path / "results")


def refused(folder, name, names=ALL):
    message = rf"^{folder}: the report would replace {folder}/{name}, which is not an unchanged"
    with pytest.raises(ValueError, match=message):
        check_replaceable(folder, names)
    return True


def test_an_unchanged_report_may_be_replaced(folder):
    check_replaceable(folder, ALL)
    check_replaceable(folder, FILES)


def test_a_report_replaces_the_one_before_and_removes_what_it_lacks(folder):
    write_report(READINGS[:1], folder, pixels)
    assert {path.name for path in folder.iterdir()} == {
        "report.md", PAGE, REPORT, "lines.tsv", "reliability.png", "coverage.png"
    }  # fmt: skip


def test_what_somebody_wrote_is_not_replaced(tmp_path):
    for name in ALL:
        (folder := tmp_path / f"at {name}").mkdir()
        (folder / name).write_text("{}")
        assert refused(folder, name)
        with pytest.raises(ValueError, match="which is not an unchanged file of an earlier"):
            write_report(READINGS, folder, pixels, draw=draw)
        assert os.listdir(folder) == [name] and (folder / name).read_text() == "{}"


def test_what_is_not_written_may_be_there(tmp_path):
    for name in (*FOLDERS, "notes.md"):
        (tmp_path / name).mkdir()
    write_report(READINGS, tmp_path, pixels)
    assert {*FOLDERS, "notes.md"} < set(os.listdir(tmp_path))


@pytest.mark.parametrize("name", ["report.md", "lines.tsv", "worst.png", "correct/00001_a/mine"])
def test_what_somebody_changed_is_not_replaced(folder, name):
    with open(folder / name, "a") as file:
        file.write("mine")
    assert refused(folder, name.partition("/")[0], names=FILES)


@pytest.mark.parametrize("name", ["report.md", REPORT, "coverage.png", "correct"])
def test_a_link_to_what_a_report_wrote_is_not_followed(folder, name):
    (folder / name).rename(folder / "elsewhere")
    (folder / name).symlink_to("elsewhere")
    with pytest.raises(ValueError, match=r"results: the report would replace .* move it away"):
        check_replaceable(folder, FILES)


def test_links_and_pipes_among_pictures_are_noticed(folder):
    os.mkfifo(folder / "correct" / "00001_a" / "pipe")
    assert refused(folder, "correct")
    (folder / "correct" / "00001_a" / "pipe").unlink()
    (folder / "incorrect" / "link").symlink_to("nowhere")
    assert refused(folder, "incorrect")


def test_reports_of_earlier_versions_are_replaced(folder):
    figures = json.loads((folder / REPORT).read_text())
    del figures["files"]
    (folder / PAGE).unlink()  # they had none
    (folder / REPORT).write_text(json.dumps(figures))
    check_replaceable(folder, FILES)
    assert refused(folder, "correct")


def test_a_report_of_a_stranger_names_no_files_elsewhere(folder):
    figures = json.loads((folder / REPORT).read_text())
    (folder.parent / "mine").write_text("mine")
    figures["files"]["../mine"] = None
    (folder / REPORT).write_text(json.dumps(figures))
    write_report(READINGS, folder, pixels)
    assert (folder.parent / "mine").read_text() == "mine"


def test_a_report_that_ends_in_an_error_leaves_the_one_before(folder):
    def fails(folder):
        raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        write_report(READINGS[:1], folder, pixels, draw=fails)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
