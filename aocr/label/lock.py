"""Only one `aocr label` at a time can use a folder; a second one names the first."""

import errno
import fcntl
import os
import stat
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
            self._file = self._opened()
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

    def _opened(self) -> int:
        """A descriptor of the lock file, which is not followed if it is a link. Raises ValueError.

        A folder from a stranger may have a link, or a pipe, of this name.
        """
        # without O_NONBLOCK, opening some devices waits
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            file = os.open(self.path, flags, 0o644)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR):
                raise
        else:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return file
            os.close(file)
        raise ValueError(f"{self.path}: is a link, folder, pipe or device; remove it")

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.lstat(self.path), os.fstat(self._file))
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
