"""Font files for training, in folders by kind: print, receipt, handwriting, display, page, sign.

    make fonts          (npm ci, then this script; see ../Makefile)

There are three sources. Families under open licences that npm carries: package.json lists them, and
each has its LICENSE in node_modules. Digits written by 43 people, which scikit-learn carries
(Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI, CC BY 4.0). And fonts
that are made here in the forms of many writers, receipt printers and displays.
A recipe draws with the fonts in the folder of its name: see ocr_simple/photography/recipes.py.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from displays import display
from handwriting import collected, written_by
from outlines import save_font
from printers import printer

HERE = Path(__file__).resolve().parent
WRITERS = 400  # fonts of strokes
PRINTERS = 120  # fonts of receipt printers
DISPLAYS = 120  # fonts of displays: of segments, or of a panel's dots


def files_of(name: str) -> list[Path]:
    """The Latin files of a family: first the regular weight or the one next to it, then others.

    Exits with a message for a family that is not installed.
    """
    files = HERE / "node_modules" / "@fontsource" / name / "files"
    weights = ("400-normal", "700-normal", "300-normal", "500-normal", "900-normal", "400-italic")
    found = [files / f"{name}-latin-{weight}.woff" for weight in weights]
    found = [file for file in found if file.is_file()]
    if not found:
        sys.exit(f"fonts: {files} holds no file of {name}; run make fonts, which installs it")
    return found


def packaged() -> Iterator[tuple[str, Path]]:
    """(kind, file) of the families in package.json.

    The regular weight of each; for receipts also the bold, for print also the italic, whose 1 is
    like a 7, and both for pages. Signs have the families of all kinds, also in a heavy weight.
    """
    kinds = json.loads((HERE / "package.json").read_text())["kinds"]
    for kind, names in kinds.items():
        for name in names if kind != "sign" else ():
            regular, *others = files_of(name)
            yield kind, regular
            for file in others:
                bold, italic = "-700-" in file.name, "-italic" in file.name
                if (bold and kind in ("receipt", "page")) or (italic and kind in ("print", "page")):
                    yield kind, file
    for name in sorted({name for names in kinds.values() for name in names}):
        regular, *others = files_of(name)
        yield "sign", regular
        for file in others:
            if any(style in file.name for style in ("-700-", "-900-", "-italic")):
                yield "sign", file


def make(made: Path) -> dict[str, int]:
    """Make all fonts in an empty folder. Returns how many there are from each source."""
    for kind in ("print", "receipt", "handwriting", "display", "page", "sign"):
        (made / kind).mkdir(parents=True)
    counts = dict.fromkeys(("npm", "collected", "strokes", "printers", "displays"), 0)
    for kind, file in packaged():
        shutil.copy(file, made / kind)
        counts["npm"] += 1
    for i, glyphs in enumerate(collected(np.random.default_rng(1))):
        save_font(made / "handwriting" / f"collected{i:03}.ttf", glyphs)
        counts["collected"] += 1
    for i in range(WRITERS):
        save_font(made / "handwriting" / f"strokes{i:03}.ttf", written_by(np.random.default_rng(i)))
        counts["strokes"] += 1
    for i in range(PRINTERS):
        save_font(made / "receipt" / f"printer{i:03}.ttf", printer(np.random.default_rng(i)))
        counts["printers"] += 1
    for i in range(DISPLAYS):
        save_font(made / "display" / f"segments{i:03}.ttf", display(np.random.default_rng(i)))
        counts["displays"] += 1
    return counts


def main() -> None:
    """Make fonts/made/ from scratch; an earlier one stays until the new one is complete."""
    argparse.ArgumentParser(
        description="Make the fonts of the shipped models in fonts/made/, from scratch.",
        epilog="npm ci --prefix fonts has to run first; make fonts does both.",
    ).parse_args()
    made = HERE / "made"
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=HERE) as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        counts = make(new)
        if made.exists():
            os.replace(made, old)
        os.replace(new, made)
    print(f"{made}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
