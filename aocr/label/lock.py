"""Only one `aocr label` at a time can use a folder; a second one names the first."""

import fcntl
import os
from pathlib import Path

LOCK = ".aocr-label.lock"  # in the folder; it holds the process and the address of the page


class FolderLock:
    """Keeps other processes out of a folder until this one ends in any way, also by SIGKILL.

    The operating system unlocks the file of a process that has ended, so a file that was left
    behind does not matter.
    """

    def __init__(self, folder: Path):
        """Raises ValueError if another process has the folder, and OSError."""
        self.path = folder / LOCK
        while True:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(self._file, 1000).decode(errors="replace").strip()
                os.close(self._file)
                raise ValueError(
                    f"{folder}: is open in another aocr label ({holder or 'just started'}); "
                    "continue there, or stop it first"
                ) from None
            if self._is_current():
                break
            os.close(self._file)  # the process that had it has removed it in the meantime
        self.describe("")

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def describe(self, address: str) -> None:
        """Write for others which process has the folder, and where its page is."""
        content = f"process {os.getpid()}" + (f", {address}" if address else "")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{content}\n".encode(), 0)

    def close(self) -> None:
        """Let others have the folder."""
        self.path.unlink(missing_ok=True)
        os.close(self._file)
