"""Lines and pictures as vectors: what two shipped models see in them, and their appearance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import model as models
from aocr.diagnose.appearance import Appearance, comparable, measure
from ocr_simple import preprocessing
from ocr_simple.network.backend import keras
from ocr_simple.spec import CONTEXT_STRIDE, time_steps

if TYPE_CHECKING:
    from inference import Recognizer

APPEARANCE_WEIGHT = 5.0  # of each measurement: a model's features are a hundred times as many
LAYER = "context_add2"  # the end of the convolutions along the line: see `context` in model.py


class Features:
    """Vectors of pictures: `features(pixels)` is float (pictures, figures).

    They hold the mean and the standard deviation along the line of each channel of both models,
    and the figures of appearance.py.
    """

    def __init__(self, recognizers: Sequence["Recognizer"]):
        self.models = []
        for recognizer in recognizers:
            whole = recognizer.model
            part = keras.Model(whole.input, whole.get_layer(LAYER).output)
            self.models.append((models.predictor(part), recognizer.spec))

    def __call__(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """The vectors of pictures, uint8 (rows, columns, 1) each."""
        parts = [self._pooled(i, pixels) for i in range(len(self.models))]
        return np.concatenate([*parts, comparable([measure(each) for each in pixels])], axis=1)

    def emphasis(self, figures: int) -> np.ndarray:
        """The weight of each of so many figures when pictures are to look alike: (figures,)."""
        looks = len(Appearance._fields)
        return np.concatenate((np.ones(figures - looks), np.full(looks, APPEARANCE_WEIGHT)))

    def _pooled(self, which: int, pixels: Sequence[np.ndarray]) -> np.ndarray:
        predict, spec = self.models[which]
        prepared = [preprocessing.prepare(each, spec.height) for each in pixels]
        found: list[np.ndarray] = [np.empty(0)] * len(prepared)
        for batch in preprocessing.batches([each.shape[1] for each in prepared], spec.multiple):
            x = preprocessing.pad_batch([prepared[i] for i in batch], spec.multiple)
            steps = time_steps(x["width"], CONTEXT_STRIDE)
            for i, count, rows in zip(batch, steps, predict(x)):
                rows = rows[:count]  # (valid steps, channels)
                found[i] = np.concatenate((rows.mean(axis=0), rows.std(axis=0)))
        return np.stack(found)
