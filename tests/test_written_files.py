"""Files that a command writes into a user's folder: all or none, and never through a link."""

import os

import pytest

from ocr_simple.written_files import DiskFull, digest, staged


def allowed(names: list[str]) -> None:
    """Nothing is in the way."""


def test_files_and_folders_are_moved_at_the_end(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_text("a")
    with staged(tmp_path, allowed, ["old", "not there"]) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "b").write_text("b")
        assert (tmp_path / "old" / "a").exists() and not (tmp_path / "sub").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["sub"]
    assert (tmp_path / "sub" / "b").read_text() == "b"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (mine := tmp_path / "mine").write_text("mine")
    (out := tmp_path / "out").mkdir()
    (out / "a").symlink_to(mine)
    (out / "b").symlink_to(tmp_path)
    with staged(out, allowed, ["b"]) as folder:
        (folder / "a").write_text("new")
    assert mine.read_text() == "mine" and (out / "a").read_text() == "new"
    assert os.listdir(out) == ["a"]


@pytest.mark.parametrize("name", ["new", "."])
def test_an_error_leaves_the_folder_as_it_was(tmp_path, name):
    def refuse(names: list[str]) -> None:
        raise ValueError(f"{names} would be replaced")

    (tmp_path / "kept").write_text("kept")
    with (
        pytest.raises(ValueError, match=r"\['a'\] would be replaced"),
        staged(tmp_path / name, refuse, ["kept"]) as folder,
    ):
        (folder / "a").write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_a_full_disk_is_reported_with_the_file_that_was_written(tmp_path):
    (tmp_path / "a").write_text("kept")
    with (
        pytest.raises(DiskFull, match=rf"^{tmp_path}/sub/a: the disk is full, so nothing was wri"),
        staged(tmp_path, allowed, ["a"]) as folder,
    ):
        (folder / "sub").mkdir()
        (folder / "sub" / "a").symlink_to("/dev/full")
        (folder / "sub" / "a").write_text("content")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_known_by_the_message_of_a_library_too(tmp_path):
    with pytest.raises(DiskFull, match="free some space"), staged(tmp_path / "out", allowed):
        raise RuntimeError("INTERNAL: variables.data-00000: No space left on device [Op:Save]")
    assert not (tmp_path / "out").exists()


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("a")
    first = digest(tmp_path)
    (tmp_path / "sub" / "a").rename(tmp_path / "sub" / "b")
    assert digest(tmp_path) != first
    (tmp_path / "sub" / "b").rename(tmp_path / "sub" / "a")
    (tmp_path / "about").write_text("left out")
    assert digest(tmp_path, without="about") == first != digest(tmp_path)
