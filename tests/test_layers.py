"""Layers that train faster than Keras's compute the same."""

import numpy as np
import pytest
from support.training import loss_and_gradients

from ocr_simple.network.backend import keras
from ocr_simple.network.layers import Conv2D, MaxPooling2D

ONE_BY_ONE = {"filters": 3, "kernel_size": 1, "name": "before"}


def trained(layer, image, seed=0):
    """(output while training, loss, gradients) of a convolution of the image and `layer`."""
    keras.utils.set_random_seed(seed)
    start = keras.Input((image.shape[1], None, image.shape[3]))
    model = keras.Model(start, layer(keras.layers.Conv2D(**ONE_BY_ONE)(start)))
    weights = np.random.default_rng(seed)
    model.set_weights([weights.normal(size=w.shape) for w in model.get_weights()])
    y = model(image, training=True)
    target = weights.normal(size=y.shape)
    found = loss_and_gradients(model, lambda target, y: (y - target) ** 2, image, target)
    return keras.ops.convert_to_numpy(y), *found


@pytest.mark.parametrize("pool", [(2, 2), (2, 1), (1, 2), (4, 1)])
@pytest.mark.parametrize("rows", [8, 5])
def test_max_pooling_trains_as_that_of_keras(pool, rows):
    image = np.random.default_rng(1).normal(size=(2, rows, 6, 2)).astype(np.float32)
    expected = trained(keras.layers.MaxPooling2D(pool, padding="same"), image)
    y, loss, gradients = trained(MaxPooling2D(pool, padding="same"), image)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_allclose(loss, expected[1], rtol=1e-6)
    for found, right in zip(gradients, expected[2], strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_equal_numbers_goes_to_one_of_them():
    image = np.ones((1, 4, 4, 2), np.float32)
    _, _, gradients = trained(MaxPooling2D(2, padding="same"), image)
    expected = trained(keras.layers.MaxPooling2D(2, padding="same"), image)
    for found, right in zip(gradients, expected[2], strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", [3, (3, 5)])
def test_a_convolution_of_an_image_trains_as_that_of_keras(kernel):
    image = np.random.default_rng(1).normal(size=(2, 8, 6, 2)).astype(np.float32)
    options = {"filters": 4, "kernel_size": kernel, "padding": "same", "activation": "relu"}
    expected = trained(keras.layers.Conv2D(**options), image)
    y, loss, gradients = trained(Conv2D(**options), image)
    np.testing.assert_allclose(y, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loss, expected[1], rtol=1e-5)
    for found, right in zip(gradients, expected[2], strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)
