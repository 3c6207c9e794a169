"""Commands, run in this process or in a new one."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def status_of(main: Callable[[list[str]], int], arguments: Sequence[str]) -> int:
    """The exit status of a command that is run in this process."""
    try:
        return main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository's root, and wait for it."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | environment,
        capture_output=True, text=True,
    )  # fmt: skip
