"""Measures how well a model reads generated lines: in trdg's fonts, and in fonts it never saw.

    apt-get install fonts-liberation fonts-cantarell fonts-hack fonts-inconsolata fonts-vollkorn \\
        fonts-linuxlibertine fonts-sil-gentium-basic fonts-crosextra-carlito fonts-comfortaa
    python bench/generated_accuracy.py --model digits

The fonts it never saw are Debian's; those that are not installed are listed at the end. The lines
are 1 to 10 random digits on white with trdg's defaults, without variation. "light on dark" is the
same lines inverted. A model that reads points and minus signs also reads numbers with them, as
displays show them, in the display fonts of `make fonts`.
"""

import string
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from inference import Recognizer
from ocr_simple.drawing.fonts import find_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.options import LineOptions
from ocr_simple.reports.metrics import evaluate
from ocr_simple.runs.model_files import MADE_FONTS
from ocr_simple.spec import ModelSpec

DEBIAN = Path("/usr/share/fonts")
FAMILIES = (
    "LiberationSerif",
    "LiberationMono",
    "Cantarell",
    "Hack",
    "Inconsolata",
    "LinLibertine",
    "GenBas",
    "Carlito",
    "Vollkorn",
    "Comfortaa",
)
DISPLAY_FONTS = MADE_FONTS / "display"
SEED = 2_000_000  # not likely to be the --seed of a training


@dataclass(frozen=True)
class Options:
    """Measure a model on generated lines."""

    model: str = "digits"
    """A shipped model's name, a model file, or a run folder."""
    lines: int = 2000
    """Lines in trdg's fonts; each Debian family gets a tenth of it."""


def print_row(
    recognizer: Recognizer,
    name: str,
    fonts: list[str],
    count: int,
    text: LineOptions,
) -> list[float]:
    """Read lines in some fonts and print a row; returns the shares read exactly."""
    drawn = Lines(text, recognizer.spec, fonts, SEED, augment=False)
    lines = [drawn[k] for k in range(count)]
    inverted = [(255 - pixels, text, font) for pixels, text, font in lines]
    shares = [evaluate(recognizer.read_labelled(examples)).exact for examples in (lines, inverted)]
    files = len({font for _, _, font in lines})
    print(f"| {name} | {files} | {count} | {shares[0]:.2%} | {shares[1]:.2%} |", flush=True)
    return shares


def digit_lines(spec: ModelSpec, count: int) -> LineOptions:
    """Lines of 1 to 10 random digits, for a model that may read other characters too."""
    if spec.alphabet == string.digits:
        return LineOptions()
    rng = np.random.default_rng(SEED)
    texts = ("".join(map(str, rng.integers(0, 10, rng.integers(1, 11)))) for _ in range(count))
    return LineOptions(text_source="strings", strings=tuple(texts))


def measurements(count: int, rng: np.random.Generator) -> list[str]:
    """Numbers as displays show them, with a point and often a minus sign: -12.5, 0.730."""
    places, signed = rng.integers(1, 4, count), rng.random(count) < 0.5
    values = 10 ** rng.uniform(-1, 4, count)
    return [f"{'-' if s else ''}{value:.{p}f}" for value, p, s in zip(values, places, signed)]


def main(options: Options) -> None:
    """Print a Markdown table. Raises ValueError."""
    recognizer = Recognizer.load(options.model)
    print(f"model {options.model}, lines read exactly\n")
    print("| fonts | files | lines | dark on light | light on dark |")
    print("|---|---|---|---|---|")
    digits = digit_lines(recognizer.spec, options.lines)
    print_row(recognizer, "trdg, all Latin", find_fonts(("trdg",)), options.lines, digits)
    shares, missing = [], []
    installed = find_fonts((str(DEBIAN),)) if DEBIAN.is_dir() else []
    for family in FAMILIES:
        fonts = [font for font in installed if Path(font).name.startswith(family)]
        if fonts:
            shares.append(print_row(recognizer, family, fonts, options.lines // 10, digits))
        else:
            missing.append(family)
    for_displays = set("-." + string.digits) <= set(recognizer.spec.alphabet)
    if for_displays and not DISPLAY_FONTS.is_dir():
        missing.append("the fonts of displays (make fonts)")
    elif for_displays:
        rng = np.random.default_rng(SEED)
        text = LineOptions(text_source="strings", strings=tuple(measurements(options.lines, rng)))
        fonts = find_fonts((str(DISPLAY_FONTS),))
        print_row(recognizer, "displays, with points and minus", fonts, options.lines, text)
    if shares:
        mean = np.mean(shares, axis=0)
        print(f"| {len(shares)} Debian families | | | {mean[0]:.2%} | {mean[1]:.2%} |")
    if missing:
        print(f"\nnot installed, so not measured: {', '.join(missing)}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"generated_accuracy.py: {error}", file=sys.stderr)
        sys.exit(2)
