"""`python -m aocr`, which is the command `aocr`."""

import sys

from ocr_simple import interrupts


def main() -> int:
    """The command, in its own process. Returns the exit status."""
    interrupts.start_command()
    from aocr.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
