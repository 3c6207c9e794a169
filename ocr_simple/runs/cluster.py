"""All devices and machines that train one model in step: mostly a single one.

Several GPUs of a machine are used without an option; several machines, with TensorFlow, where
TF_CONFIG names them. `train.py` has the training step; here it is run on every device at once.
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

from ocr_simple.network.backend import backend, keras, limit_gpu_memory, standard_error_closed

LONGEST_LIMIT = 1_000_000  # seconds
START_LIMIT = 600  # seconds to wait for the other processes, unless OCR_START_LIMIT says otherwise


class ClusterError(ValueError):
    """The machines of a cluster cannot work together. The message names the fix."""


class Cluster:
    """The processes, and their devices, that train one model in step.

    rank: of this process, from 0; the first, the chief, validates and writes.
    size: number of processes. devices: of all processes together; each takes an equal part of
    every batch.

    Make it before TensorFlow computes anything: the processes find each other here, by the
    addresses in TF_CONFIG, and wait for each other, START_LIMIT at most. Raises ClusterError.
    """

    def __init__(self) -> None:
        self.rank, self.size = place_in_cluster()
        self.devices = 1
        self._strategy: Any = None  # of TensorFlow, or of Keras for JAX
        if backend() == "tensorflow":
            self._strategy = self._tensorflow_strategy()
            self.devices = self._strategy.num_replicas_in_sync
        elif self.size > 1:
            raise ClusterError(
                "TF_CONFIG names several machines, which needs TensorFlow: unset TF_CONFIG or "
                f"KERAS_BACKEND={backend()}"
            )
        elif backend() == "jax":
            self.devices = len(keras.distribution.list_devices())
            if self.devices > 1:
                self._strategy = keras.distribution.DataParallel()

    def _tensorflow_strategy(self) -> Any:
        import tensorflow as tf

        limit_gpu_memory()
        if self.size > 1:
            with _start_limit(), standard_error_closed():
                return tf.distribute.MultiWorkerMirroredStrategy()
        found = [tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU")]
        names = [device.name for device in found[0] or found[1]]
        several = len(names) > 1
        return tf.distribute.MirroredStrategy(names) if several else tf.distribute.get_strategy()

    @property
    def chief(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def scope(self) -> AbstractContextManager:
        """Build the model and its optimiser inside it, so that every device has them."""
        return self._strategy.scope() if self._strategy else contextlib.nullcontext()

    def from_chief(self, values: Sequence[float] = ()) -> list[float]:
        """The chief's numbers, sent to all; waits until every process has called it."""
        if self.size == 1:
            return list(values)
        import tensorflow as tf

        mine = tf.constant([*values, 0.0] if self.chief else [0.0] * (len(values) + 1), tf.float64)

        @tf.function
        def summed() -> Any:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == 0
            return context.all_reduce("SUM", mine * tf.cast(first, mine.dtype))

        with _lost_processes():
            total = self._strategy.run(summed)
            return self._strategy.experimental_local_results(total)[0].numpy()[:-1].tolist()

    def mean_gradients(self, gradients: list) -> list:
        """The mean of all devices' gradients, to be applied by each device (TensorFlow)."""
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        means = context.all_reduce("MEAN", [tf.convert_to_tensor(part) for part in gradients])
        return [mean / self.devices for mean in means]  # Keras sums them over the devices

    def compiled(self, step: Callable, model: Any) -> Callable:
        """A step on one device -> a function that runs it on all devices, as one graph.

        step(inputs, labels) -> loss. The result: (inputs, labels, stop) -> (mean loss of the whole
        batch, whether any process was asked to stop), called with this process's part of a batch.
        """
        import tensorflow as tf

        if model.optimizer.global_clipnorm:  # each device clips its gradients / devices
            model.optimizer.global_clipnorm /= self.devices
        local = self.devices // self.size
        # one graph for all shapes, so that a resumed run rounds as if it had never stopped
        inputs = {name: tf.TensorSpec(x.shape, x.dtype) for name, x in model.input.items()}
        labels, flag = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((), tf.float32)
        graph = tf.function(
            lambda xs, ys, stop: self._on_devices(step, xs, ys, stop),
            input_signature=[[inputs] * local, [labels] * local, flag],
            autograph=False,  # which takes seconds, for control flow that is not there
        )

        def run(x: dict[str, np.ndarray], y: np.ndarray, stop: bool) -> tuple[float, bool]:
            parts = np.array_split(np.arange(len(y)), local)
            xs = [{name: values[part] for name, values in x.items()} for part in parts]
            with _lost_processes() if self.size > 1 else contextlib.nullcontext():
                loss, stops = graph(xs, [y[part] for part in parts], np.float32(stop))
            return float(loss), bool(stops > 0)

        return run

    def _on_devices(self, step: Callable, xs: list, ys: list, stop: Any) -> list:
        """Inside the graph: `step` on every device, then means over the devices."""
        import tensorflow as tf

        def on_device(x: Any, y: Any, stop: Any) -> Any:
            loss = step(x, y)
            context = tf.distribute.get_replica_context()
            return context.all_reduce("MEAN", [loss, tf.identity(stop)])

        if self.devices == 1:
            return on_device(xs[0], ys[0], stop)

        def split(parts: list) -> Any:
            return self._strategy.experimental_distribute_values_from_function(
                lambda context: parts[context.replica_id_in_sync_group % len(parts)]
            )

        results = self._strategy.run(on_device, args=(split(xs), split(ys), stop))
        return [self._strategy.experimental_local_results(result)[0] for result in results]


@contextlib.contextmanager
def _start_limit() -> Iterator[None]:
    """End this process, with status 1, if the others of its cluster do not come in time.

    TensorFlow waits for them without end, in native code that lets no thread of Python run.
    """
    given = os.environ.get("OCR_START_LIMIT", str(START_LIMIT))
    if not given.isdecimal() or not 0 < (limit := int(given)) < LONGEST_LIMIT:
        raise ClusterError(
            f"OCR_START_LIMIT={given}: give a number of seconds under {LONGEST_LIMIT:,}"
        )
    print(
        f"Waiting up to {limit} s for the other processes of TF_CONFIG (OCR_START_LIMIT)",
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
def _lost_processes() -> Iterator[None]:
    """Turn TensorFlow's errors into one that says how to continue."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise ClusterError(
            f"another process of the cluster ended or cannot be reached ({type(error).__name__}); "
            "start all of them again, in any number: they resume from the last checkpoint"
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
            raise ValueError(
                f"task type {', '.join(sorted(others))} is not supported; use chief and worker"
            )
        kinds = ("chief", "worker")
        tasks = [(kind, i) for kind in kinds for i in range(len(cluster.get(kind, ())))]
        if not tasks:
            return 0, 1
        return tasks.index((task["type"], int(task["index"]))), len(tasks)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"TF_CONFIG {given!r}: {error}. It must look like "
            '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from error
