"""Folders that several test processes read: the first one that needs such a folder makes it."""

import fcntl
import os
import pickle
import shutil
from pathlib import Path


def made_once(factory, name, make):
    """What `make`, a function of a new folder, returned in the first process that came here.

    factory: pytest's tmp_path_factory. The result is pickled; nothing may write to the folder.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all processes
    folder, result = base / name, Path(f"{base / name}.result")
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
    return pickle.loads(result.read_bytes())
