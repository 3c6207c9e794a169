"""How well a model reads generated lines: plain trdg, and Debian fonts that training never saw.

    apt-get install fonts-liberation fonts-cantarell fonts-hack fonts-inconsolata fonts-vollkorn \\
        fonts-linuxlibertine fonts-sil-gentium-basic fonts-crosextra-carlito fonts-comfortaa
    python bench/generated.py [--model digits]

Lines of 1 to 10 random digits, white background, trdg's defaults, no variation; "light on dark"
is the same lines inverted. Fonts that are not installed are named and passed over.
"""

from ocr_simple.options import LineOptions
from ocr_simple.drawing.lines import Lines
from inference import Recognizer
from ocr_simple.reports.metrics import error_rates
from ocr_simple.drawing.fonts import find_fonts

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


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
SEED = 2_000_000  # no training run draws these lines


@dataclass(frozen=True)
class Options:
    """Measure a model on generated lines."""

    model: str = "digits"
    """Shipped model's name, or a model file."""
    lines: int = 2000
    """Plain trdg lines; a tenth of it in each Debian family."""


def main(options: Options) -> None:
    """Print a Markdown table."""
    recognizer = Recognizer.load(options.model)

    def row(name: str, fonts: list[str], count: int) -> list[float]:
        drawn = Lines(LineOptions(), recognizer.spec, fonts, SEED, augment=False)
        pixels, truths, used = zip(*(drawn[k] for k in range(count)), strict=True)
        shares = []
        for images in (pixels, [255 - image for image in pixels]):
            texts = [line.text for line in recognizer.read(list(images))]
            shares.append(error_rates(list(truths), texts)[0])
        print(
            f"| {name} | {len(set(used))} | {count} | {shares[0]:.2%} | {shares[1]:.2%} |",
            flush=True,
        )
        return shares

    print(f"model {options.model}, exact match\n")
    print("| fonts | files | lines | dark on light | light on dark |")
    print("|---|---|---|---|---|")
    row("trdg, all Latin", find_fonts(("trdg",)), options.lines)
    shares, missing = [], []
    installed = find_fonts((str(DEBIAN),)) if DEBIAN.is_dir() else []
    for family in FAMILIES:
        fonts = [font for font in installed if Path(font).name.startswith(family)]
        if fonts:
            shares.append(row(family, fonts, options.lines // 10))
        else:
            missing.append(family)
    if shares:
        mean = np.mean(shares, axis=0)
        print(f"| {len(shares)} Debian families | | | {mean[0]:.2%} | {mean[1]:.2%} |")
    if missing:
        print(f"\nnot installed, passed over: {', '.join(missing)}")


if __name__ == "__main__":
    main(tyro.cli(Options))
