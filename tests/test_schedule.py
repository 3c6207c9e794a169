"""The learning rate of each step."""

import pytest

from ocr_simple.network.backend import keras
from ocr_simple.network.schedule import WarmupCosine


@pytest.mark.parametrize(
    ("steps", "warmup", "final"), [(6000, 300, 0.05), (100, 0, 0.0), (60, 2, 0.15), (1, 0, 0.1)]
)
def test_it_is_the_schedule_of_keras(steps, warmup, final):
    ours = WarmupCosine(1e-3, steps, warmup, final)
    theirs = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else 1e-3, decay_steps=steps - warmup, alpha=final,
        warmup_target=1e-3 if warmup else None, warmup_steps=warmup,
    )  # fmt: skip
    for step in (0, 1, warmup // 2, warmup, warmup + 1, steps // 2, steps - 1, steps, steps + 9):
        assert float(ours(step)) == pytest.approx(float(theirs(step)), rel=1e-6)
