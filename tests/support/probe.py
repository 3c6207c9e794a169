"""What a process has imported, and how much memory it holds."""

import sys

KERAS = ("keras", "tensorflow", "jax", "torch")


def imported() -> list[str]:
    """Which of the large libraries this process has imported."""
    return [name for name in KERAS if sys.modules.get(name) is not None]


def peak_memory() -> float:
    """The most memory that this process has been resident in, in MB (Linux)."""
    with open("/proc/self/status", encoding="utf-8") as file:
        row = next(row for row in file if row.startswith("VmHWM"))
    return int(row.split()[1]) / 1024
