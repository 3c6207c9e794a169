"""`python -m aocr`, the same as the command `aocr`."""

import sys

from aocr.cli import main

if __name__ == "__main__":
    sys.exit(main())
