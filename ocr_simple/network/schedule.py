"""The learning rate of each training step."""

import math
from typing import Any

from ocr_simple.network.backend import keras

ops = keras.ops
Tensor = Any  # of Keras's backend


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise, then half a cosine to a share of the highest rate.

    The same rates as Keras's CosineDecay, but without conditions. An optimiser asks for the rate
    once for each weight, and TensorFlow would add a condition to the graph of a step each time.
    """

    def __init__(self, highest: float, steps: int, warmup: int, final: float):
        """steps: of the whole training. warmup: those of the rise. final: share at the end."""
        self.highest, self.steps, self.warmup, self.final = highest, steps, warmup, final

    def __call__(self, step: Tensor) -> Tensor:
        """The rate at a step, from 0 on: float32 ()."""
        step = ops.cast(step, "float32")
        rise = step / max(1, self.warmup)
        fallen = ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0, 1)
        cosine = (1 + ops.cos(math.pi * fallen)) / 2
        fall = self.final + (1 - self.final) * cosine
        return self.highest * ops.where(step < self.warmup, rise, fall)

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))
