"""Damaged files are read, or refused with a message that names them; bench/fuzz.py reads more."""

import pytest
from support.damage import attack


@pytest.mark.parametrize(
    ("part", "files"),
    [
        ("images", 150), ("records", 60), ("models", 12), ("checkpoints", 400), ("fonts", 60),
        ("configs", 150), ("metrics", 20), ("exports", 300), ("jobs", 400),
    ],
)  # fmt: skip
def test_a_damaged_file_is_read_or_refused(part, files, tmp_path):
    found = attack(part, tmp_path / "damaged", 120, files, seed=1)
    assert sum(found.values()) == files or part == "models"
    assert set(found) <= {"read", "read in part", "refused"} and found["refused"], found
