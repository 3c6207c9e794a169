"""Which devices, and machines, the work runs on: all that there are, without a switch.

One GPU, or else the CPU; several GPUs, each with a part of every batch; with TensorFlow several
machines, where TF_CONFIG names them. `Group` is what trains together: it steps as one device would.

The other modules take Keras from here: TensorFlow tells of its build on standard error while it is
imported, whatever its log level, and here it does so unheard.
"""

import contextlib
import faulthandler
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

START_LIMIT = 600  # seconds that a process waits for the others of its group, or OCR_START_LIMIT


@contextlib.contextmanager
def standard_error_closed() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2; Python's exceptions are not touched."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with standard_error_closed():
    import keras as keras


def prepare() -> str:
    """Name the devices found. Call it before the first model is built."""
    with standard_error_closed():
        if keras.backend.backend() == "tensorflow":
            _take_memory_as_needed()
        keras.ops.zeros(1)  # wakes the device up
        return ", ".join(keras.distribution.list_devices())


def _take_memory_as_needed() -> None:
    """Let TensorFlow not take all of a GPU's memory at once."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # already in use by this process: the setting stays as it is
            break


class ClusterError(RuntimeError):
    """The machines of a group cannot work together. The message names the mend."""


class Group:
    """The processes, and their devices, that train one model in step; mostly a single one.

    rank    of this process, from 0; the first, the chief, validates and writes
    size    processes, each on a machine of its own or not
    devices of all processes together; each takes an equal part of every batch

    Make it before TensorFlow computes anything: several processes find each other here, by the
    addresses in TF_CONFIG, and wait for one another, START_LIMIT at most. Raises ClusterError.
    """

    def __init__(self) -> None:
        self.rank, self.size = place_in_cluster()
        self.devices = 1
        self._strategy: Any = None  # of TensorFlow, or of Keras for JAX
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            _take_memory_as_needed()
            if self.size > 1:
                with _others_awaited(), standard_error_closed():
                    self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
            else:
                found = [tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU")]
                names = [device.name for device in found[0] or found[1]]
                self._strategy = (
                    tf.distribute.MirroredStrategy(names)
                    if len(names) > 1
                    else tf.distribute.get_strategy()
                )
            self.devices = self._strategy.num_replicas_in_sync
        elif self.size > 1:
            raise ClusterError(
                "TF_CONFIG names several machines; leave it out, or KERAS_BACKEND, whose "
                f"{keras.backend.backend()} does not take it"
            )
        elif keras.backend.backend() == "jax":
            self.devices = len(keras.distribution.list_devices())
            if self.devices > 1:
                self._strategy = keras.distribution.DataParallel()

    @property
    def chief(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def scope(self) -> AbstractContextManager:
        """Where the model and its optimiser are made, so that every device has them."""
        return self._strategy.scope() if self._strategy else contextlib.nullcontext()

    def from_chief(self, values: Sequence[float] = ()) -> list[float]:
        """The chief's numbers, as many as are given, to all; it waits until all have asked."""
        if self.size == 1:
            return list(values)
        import tensorflow as tf

        mine = tf.constant([*values, 0.0] if self.chief else [0.0] * (len(values) + 1), tf.float64)

        @tf.function
        def summed() -> Any:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == 0
            return context.all_reduce("SUM", mine * tf.cast(first, mine.dtype))

        with _others_lost():
            total = self._strategy.run(summed)
            return self._strategy.experimental_local_results(total)[0].numpy()[:-1].tolist()

    def trainer(
        self, model: keras.Model, loss: Callable
    ) -> Callable[[dict[str, np.ndarray], np.ndarray, bool], tuple[float, bool]]:
        """A function that trains a compiled model on this process's part of a batch.

        (inputs, labels, whether this process was asked to stop) -> (mean loss of the whole batch,
        whether any process was). It equals a step of one device on the whole batch.
        """
        if keras.backend.backend() != "tensorflow":

            def train_by_keras(x: dict, y: np.ndarray, stop: bool) -> tuple[float, bool]:
                with self.scope():
                    model.reset_metrics()
                    return float(model.train_on_batch(x, y)), stop

            return train_by_keras
        import tensorflow as tf

        count, own = self.devices, self.devices // self.size
        if model.optimizer.global_clipnorm:  # it clips the gradients / count of each device
            model.optimizer.global_clipnorm /= count
        weights = model.trainable_variables

        def on_device(x: Any, y: Any, stop: Any) -> Any:
            with tf.GradientTape() as tape:
                mean = keras.ops.mean(loss(y, model(x, training=True)))
            found = tape.gradient(mean, [weight.value for weight in weights])
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce("MEAN", [tf.convert_to_tensor(part) for part in found])
            # Keras clips them, and sums them over the devices once more
            model.optimizer.apply([gradient / count for gradient in gradients], weights)
            return context.all_reduce("MEAN", [mean, tf.identity(stop)])

        # one graph for every shape: a run that goes on rounds as if it had never stopped
        inputs = {name: tf.TensorSpec(x.shape, x.dtype) for name, x in model.input.items()}
        labels, flag = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((), tf.float32)

        @tf.function(input_signature=[[inputs] * own, [labels] * own, flag])
        def step(xs: list, ys: list, stop: Any) -> Any:
            if count == 1:
                return on_device(xs[0], ys[0], stop)

            def part(of: list) -> Any:
                return self._strategy.experimental_distribute_values_from_function(
                    lambda context: of[context.replica_id_in_sync_group % own]
                )

            results = self._strategy.run(on_device, args=(part(xs), part(ys), stop))
            return [self._strategy.experimental_local_results(result)[0] for result in results]

        def train(x: dict[str, np.ndarray], y: np.ndarray, stop: bool) -> tuple[float, bool]:
            parts = np.array_split(np.arange(len(y)), own)
            xs = [{name: values[part] for name, values in x.items()} for part in parts]
            with _others_lost() if self.size > 1 else contextlib.nullcontext():
                mean, stops = step(xs, [y[part] for part in parts], np.float32(stop))
            return float(mean), bool(stops > 0)

        return train


@contextlib.contextmanager
def _others_awaited() -> Iterator[None]:
    """End this process, with status 1, where the others of its group do not come.

    TensorFlow waits for them for ever, in native code that lets no thread of Python run.
    """
    limit = float(os.environ.get("OCR_START_LIMIT", START_LIMIT))
    print(
        f"waiting for the other processes of TF_CONFIG, {limit:g} s at most (OCR_START_LIMIT)",
        file=sys.stderr,
        flush=True,
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    faulthandler.dump_traceback_later(limit, exit=True, file=nowhere)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.close(nowhere)


@contextlib.contextmanager
def _others_lost() -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise ClusterError(
            f"another process of the group ended or cannot be reached ({type(error).__name__}); "
            "start all of them again, as many as you like: they go on from the last checkpoint"
        ) from error


def place_in_cluster() -> tuple[int, int]:
    """(rank, size) by TF_CONFIG; (0, 1) without it. Raises ClusterError."""
    given = os.environ.get("TF_CONFIG")
    if not given:
        return 0, 1
    try:
        config = json.loads(given)
        cluster, task = config.get("cluster", {}), config.get("task", {})
        if others := set(cluster) - {"chief", "worker"}:
            raise ValueError(f"a cluster of {', '.join(sorted(others))}; known are chief, worker")
        kinds = ("chief", "worker")
        tasks = [(kind, i) for kind in kinds for i in range(len(cluster.get(kind, ())))]
        if not tasks:
            return 0, 1
        return tasks.index((task["type"], int(task["index"]))), len(tasks)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"TF_CONFIG {given!r}: {error}. It has to be as "
            '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from error


def quick_in_bfloat16() -> bool:
    """Whether the device multiplies matrices of bfloat16 faster than of float32.

    GPUs of compute capability 8.0 (Ampere) and later do, and so do x86 processors with AMX, by
    which of the backends TensorFlow's oneDNN alone profits. AVX-512's instructions for it do not
    suffice: a step took 1.35 times as long as in float32.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            return "amx_bf16" in _cpu_flags()
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(gpu.get("compute_capability", (0, 0)) >= (8, 0) for gpu in details)
    if keras.backend.backend() == "jax":
        import jax

        return all(
            device.platform == "gpu" and float(device.compute_capability) >= 8
            for device in jax.devices()
        )
    return False


def _cpu_flags() -> set[str]:
    """What the processor can do, as Linux lists it; nothing elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return set(next((line for line in file if line.startswith("flags")), "").split())
    except OSError:
        return set()
