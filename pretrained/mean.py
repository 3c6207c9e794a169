"""Makes one model of several from a long training: the mean of their weights, recalibrated.

    python pretrained/mean.py a.keras b.keras --output digits.keras

Models that are trained from the same weights often read worse than the mean of their weights
(Wortsman et al. 2022, "Model soups"). The temperature of the confidence is fitted to generated
lines from a seed that no training uses.
"""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import model as models
from inference import Recognizer
from ocr_simple.decoding.calibration import fit_temperature
from ocr_simple.network.backend import keras
from ocr_simple.options import LineOptions
from ocr_simple.runs.model_files import find_model
from pretrained.card import TRAINED_ON, varied_lines

SEED = 4_000_000  # not likely to be the --seed of a training, and not that of card.py


@dataclass(frozen=True)
class Options:
    """Write the mean of models, its confidence fitted to varied generated lines."""

    models: Annotated[tuple[str, ...], tyro.conf.Positional] = ("digits",)
    """Models of one network that were trained from the same weights: shipped models' names, files,
    or run folders. A single one is recalibrated."""
    output: Path = Path("results/mean.keras")
    """File to write; its folder is made if it does not exist."""
    lines: int = 2000
    """Lines to fit the confidence to."""
    text: LineOptions = TRAINED_ON
    """What the lines say and look like."""


def mean(names: tuple[str, ...]) -> keras.Model:
    """The mean of models' weights. Raises ValueError if their networks differ."""
    parts = [models.load(find_model(name)) for name in names]
    networks = [dataclasses.replace(part.spec, temperature=1.0) for part in parts]
    for name, network in zip(names, networks):
        if network != networks[0]:
            raise ValueError(f"{name}: not the network of {names[0]}; name models of one network")
    return models.mean(parts)


def main(options: Options) -> None:
    """Write the model, and print its temperature. Raises ValueError."""
    model = mean(options.models)
    lines = varied_lines(options.text, model.spec, SEED)
    pixels, truths = lines.pixels_and_texts(range(options.lines))
    temperature = fit_temperature(Recognizer(model).outputs(pixels), truths, model.spec)
    model.spec = dataclasses.replace(model.spec, temperature=temperature)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    models.save(model, options.output)
    print(f"{options.output}: mean of {len(options.models)}, temperature {temperature:.3f}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"mean.py: {error}", file=sys.stderr)
        sys.exit(2)
