"""The messages of a run: on standard error, where the progress bar is, and in a log file."""

import logging
import sys

from ocr_simple.command_line import say

journal = logging.getLogger("ocr_simple.train")  # for a log file: it has no handler by itself
journal.propagate = False


def log(message: str) -> None:
    """Report something on standard error, and in a log file if there is one."""
    say(message, sys.stderr)
    journal.info(message)
