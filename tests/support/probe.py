"""What a process has imported, and how much memory it holds."""

import sys

KERAS = ("keras", "tensorflow", "jax", "torch")


def imported() -> list[str]:
    """Which of the large libraries this process has imported."""
    return [name for name in KERAS if sys.modules.get(name) is not None]


def peak_memory() -> float:
    """The most memory that this process has had of its own, in MB (Linux).

    Pages of libraries are left out: processes share them, and how many of them are in memory
    depends on how long ago the files were written.
    """
    with open("/proc/self/status", encoding="utf-8") as file:
        rows = dict(row.split(":", 1) for row in file)
    most, of_files = (int(rows[name].split()[0]) for name in ("VmHWM", "RssFile"))
    return (most - of_files) / 1024
