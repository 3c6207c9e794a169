"""How many cores this process may use."""

import os


def usable_cores() -> int:
    """The cores that this process may use, of those that the computer has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
