"""`python -m aocr`, which is the command `aocr`."""

import sys

from aocr.cli import main

if __name__ == "__main__":
    sys.exit(main())
