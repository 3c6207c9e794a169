"""Damaged files are read, or refused by a message that names them; more in bench/fuzz.py."""

import pytest

from bench.fuzz import attack


@pytest.mark.parametrize(
    ("part", "files"),
    [("images", 150), ("records", 60), ("models", 12), ("checkpoints", 400)],
)
def test_no_damage_is_more_than_a_message(part, files, tmp_path):
    found = attack(part, tmp_path / "damaged", 120, files, seed=1)
    assert sum(found.values()) == files or part == "models"
    assert set(found) <= {"read", "read in part", "refused"} and found["refused"], found
