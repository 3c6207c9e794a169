"""One model of several that a long training left: the mean of their weights, its confidence fitted.

    python bench/mean.py a.keras b.keras --output digits.keras

Weights that went different ways from one place are better in their mean than any of them (after
Wortsman et al. 2022, "Model soups"). The temperature is fitted to generated lines of the mixture,
from a seed of their own.
"""

from ocr_simple.options import LineOptions
from ocr_simple.runs.model_files import find_model
from ocr_simple.decoding.calibration import fit_temperature
from ocr_simple.network.backend import keras
import model as models

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.card import TRAINED_ON, varied_lines

SEED = 4_000_000  # no training run draws these lines, nor does a card


@dataclass(frozen=True)
class Options:
    """Write the mean of models, its confidence fitted to varied generated lines."""

    models: Annotated[tuple[str, ...], tyro.conf.Positional] = ("digits",)
    """Shipped models' names, or model files: of one network, from one start; one is fitted anew."""
    output: Path = Path("results/mean.keras")
    """File to write; its folder is made if need be."""
    lines: int = 2000
    """Lines to fit to."""
    text: LineOptions = TRAINED_ON
    """What the lines say and look like."""


def mean(names: tuple[str, ...]) -> keras.Model:
    """The mean of models' weights. Raises ValueError where they are not of one network."""
    parts = [models.load(find_model(name)) for name in names]
    networks = [dataclasses.replace(part.spec, temperature=1.0) for part in parts]
    for name, network in zip(names, networks):
        if network != networks[0]:
            raise ValueError(f"{name}: another network than {names[0]}; name models of one alone")
    weights = zip(*(part.get_weights() for part in parts))
    parts[0].set_weights([np.mean(ways, axis=0) for ways in weights])
    return parts[0]


def main(options: Options) -> None:
    """Write the model, and print its temperature."""
    model = mean(options.models)
    lines = varied_lines(options.text, model.spec, SEED)
    temperature = fit_temperature(model, (lines[k] for k in range(options.lines)))
    model.spec = dataclasses.replace(model.spec, temperature=temperature)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    models.save(model, options.output)
    print(f"{options.output}: mean of {len(options.models)}, temperature {temperature:.3f}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except ValueError as error:
        sys.exit(f"mean.py: {error}")
