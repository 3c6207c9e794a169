"""`python -m aocr.label.training_process`: the command `aocr`, ended when the page's server ends.

The server holds the other end of standard input, which is closed when it ends in any way.
"""

import os
import sys
import threading

from ocr_simple import interrupts

NICENESS = 10  # labelling, and reading for it, come first


def _end_with_server() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would be held when the process ends
        pass
    os._exit(1)


def main() -> int:
    """The command, in its own process. Returns the exit status."""
    threading.Thread(target=_end_with_server, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    interrupts.start_command()
    from aocr.cli import main as command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
