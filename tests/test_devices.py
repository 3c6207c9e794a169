"""The devices that train: what their arithmetic needs."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_simple.network import backend
from ocr_simple.runs import devices

ROOT = Path(__file__).resolve().parent.parent

GRADIENTS = """
import keras
import numpy as np
import tensorflow as tf
import model
from ocr_simple.preprocessing import padded, training_columns
from ocr_simple.spec import ModelSpec, pack_labels

keras.config.set_dtype_policy("mixed_bfloat16")
net = model.build(ModelSpec(), seed=0)
weights = net.trainable_variables
signature = {name: tf.TensorSpec(x.shape, x.dtype) for name, x in net.input.items()}

@tf.function(input_signature=[signature, tf.TensorSpec((None, None), tf.int32)])
def gradients(x, y):
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(model.ctc_loss(y, net(x, training=True)))
    return tape.gradient(loss, [weight.value for weight in weights])

for columns in (124, 188, 252, 620, 680):
    noise = np.random.default_rng(columns).normal(size=(32, columns, 1)).astype(np.float32)
    x = padded([noise] * 17, training_columns(columns))
    y = pack_labels([columns // net.spec.stride] * 17, [[1, 2, 3]] * 17)
    for _ in range(2):
        np.full(1 << 26, np.nan, np.float32)  # what is allocated next begins as NaN
        for gradient in gradients(x, y):
            assert np.isfinite(np.asarray(gradient, np.float32)).all(), columns
"""


@pytest.mark.parametrize(
    ("cores", "batch_size", "parts"), [(1, 32, 1), (2, 32, 2), (16, 32, 4), (16, 20, 2), (2, 7, 1)]
)
def test_a_batch_is_cut_by_the_cores_into_parts_of_eight_lines_or_more(
    cores, batch_size, parts, monkeypatch
):
    monkeypatch.setattr(backend, "usable_cores", lambda: cores)
    assert devices.part_count(batch_size) == parts


@pytest.mark.long
@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not devices.fast_in_bfloat16(),
    reason="wants a processor that is fast in bfloat16, and glibc, to fill memory",
)
def test_gradients_in_bfloat16_are_of_the_data_alone():
    one_heap = {"ARENA_MAX": 1, "MMAP_THRESHOLD_": 1 << 30, "TRIM_THRESHOLD_": 1 << 31}
    environment = os.environ | {f"MALLOC_{name}": str(value) for name, value in one_heap.items()}
    command = [sys.executable, "-c", GRADIENTS]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
