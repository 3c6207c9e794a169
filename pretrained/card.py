"""Draws the pictures of a model's card: what it misreads, and how reliable its confidence is.

    python pretrained/card.py --model digits --output-dir results/card

The lines are generated, from a seed that no training uses, in the fonts that are named and, if they
are there, those of `make fonts`. They have the model's alphabet, and are varied by the recipes of
`digits`; for another model --text.recipe names those that it was trained with. Real test images may
not be published.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference import Recognizer
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.reports.report import write_report
from ocr_simple.runs.model_files import MADE_FONTS
from ocr_simple.spec import ModelSpec

SEED = 3_000_000  # not likely to be the --seed of a training
TRAINED_ON = LineOptions(recipe=("mixed",), photo=1.0, max_length=14)  # the shipped digits model


@dataclass(frozen=True)
class Options:
    """Read varied generated lines, and write a report with pictures."""

    model: str = "digits"
    """A shipped model's name, a model file, or a run folder."""
    lines: int = 2000
    """Lines to read."""
    output_dir: Path = Path("results/card")
    """Folder of the report; it is made if it does not exist."""
    text: LineOptions = TRAINED_ON
    """What the lines say and look like."""


def varied_lines(text: LineOptions, spec: ModelSpec, seed: int) -> Lines:
    """A stream of lines in the fonts that `text` names and those of `make fonts`."""
    fonts = find_fonts(text.fonts + ((str(MADE_FONTS),) if MADE_FONTS.is_dir() else ()))
    return Lines(text, spec, fonts, seed)


def main(options: Options) -> None:
    """Write the report, and print its main figures. Raises ValueError."""
    if options.model != "digits" and options.text.recipe == TRAINED_ON.recipe:
        raise ValueError(
            f"--model {options.model}: name the recipes it was trained with, by --text.recipe"
        )
    recognizer = Recognizer.load(options.model)
    lines = varied_lines(options.text, recognizer.spec, SEED)
    drawn = [lines[k] for k in range(options.lines)]
    names = [f"{k} {Path(font).stem}" for k, (_, _, font) in enumerate(drawn)]
    readings = recognizer.read_labelled([(*line[:2], name) for line, name in zip(drawn, names)])
    title = f"{options.model}, generated"
    print(write_report(readings, options.output_dir, lambda i: drawn[i][0], title))
    print(f"\nreport: {options.output_dir / 'report.md'}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"card.py: {error}", file=sys.stderr)
        sys.exit(2)
