"""The attention head: a decoder that writes a line one character at a time.

    layer 1 reads the characters so far           -> query (batch, hidden)
    attention weighs the time steps by the query  -> glimpse (batch, channels) of the features
    the other layers read both                    -> logits (batch, classes) of the next character

after Deng et al. 2016, "Image-to-Markup Generation with Coarse-to-Fine Attention" (aocr), with
the additive attention of Bahdanau et al. 2015. The attention also sees where it looked before
(Chorowski et al. 2015), which tells two equal neighbours apart. Class 0 is the end symbol, and
also the start symbol before the first character.

The attention weights come from features with context, but the glimpse is of the encoder's features,
which know little beyond their columns. So the attention must point at the middle of a character,
and the spans of characters can be read off it.

The attention depends only on the characters so far and on earlier attention. In training the true
characters are given (teacher forcing): the layers run over all characters at once, and only the
attention runs step by step.
"""

from collections.abc import Callable
from typing import Any

from ocr_simple.network.backend import keras

ops = keras.ops
Tensor = Any  # of Keras's backend, or NumPy

END = 0
PADDED = -1e9  # energy of a padded time step


class AttentionDecoder(keras.layers.Layer):
    """Features (batch, steps, channels), without and with context -> characters, greedily.

    classes: of the alphabet, with the end symbol. num_hidden: width of each recurrent layer and of
    the attention. reach: how many time steps to each side the attention sees of its past.
    max_prediction: most characters; never more than the valid time steps, 0 for no other limit.
    """

    def __init__(
        self,
        classes: int,
        num_hidden: int,
        num_layers: int,
        embedding_size: int,
        use_gru: bool,
        reach: int,
        max_prediction: int,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.config = {
            "classes": classes, "num_hidden": num_hidden, "num_layers": num_layers,
            "embedding_size": embedding_size, "use_gru": use_gru, "reach": reach,
            "max_prediction": max_prediction,
        }  # fmt: skip
        self.classes, self.max_prediction = classes, max_prediction
        recurrent = keras.layers.GRU if use_gru else keras.layers.LSTM
        self.embedding = keras.layers.Embedding(classes, embedding_size, name="embedding")
        self.recurrent = [
            recurrent(num_hidden, return_sequences=True, name=f"recurrent{i}")
            for i in range(1, num_layers + 1)
        ]
        self.query = keras.layers.Dense(num_hidden, use_bias=False, name="query")
        self.keys = keras.layers.Dense(num_hidden, name="keys")
        self.location = keras.layers.Conv1D(
            num_hidden, 2 * reach + 1, padding="same", use_bias=False, name="location"
        )
        self.energy = keras.layers.Dense(1, use_bias=False, name="energy")
        self.logits = keras.layers.Dense(classes, dtype="float32", name="logits")

    def get_config(self) -> dict[str, Any]:
        """What builds the same layer again."""
        return {**super().get_config(), **self.config}

    def build(self, features_shape: tuple, view_shape: tuple, valid_shape: tuple) -> None:
        """Make the weights, outside of any loop."""
        channels, hidden = features_shape[-1], self.config["num_hidden"]
        self.embedding.build((None, None))
        for i, layer in enumerate(self.recurrent):
            width = (self.config["embedding_size"], hidden + channels)[i] if i < 2 else hidden
            layer.build((None, None, width))
        self.query.build((None, hidden))
        self.keys.build(view_shape)
        self.location.build((None, None, 2))
        self.energy.build((None, None, hidden))
        self.logits.build((None, None, hidden + channels))

    def compute_output_spec(
        self, features: Tensor, view: Tensor, valid: Tensor, label: Tensor | None = None
    ) -> Any:
        """Shapes of the outputs: JAX cannot work out the minimum of two unknown dimensions."""
        batch, steps = valid.shape
        logits = keras.KerasTensor((batch, None, self.classes), "float32")
        if label is not None:
            return logits
        return {"logits": logits, "attention": keras.KerasTensor((batch, None, steps), "float32")}

    def call(
        self, features: Tensor, view: Tensor, valid: Tensor, label: Tensor | None = None
    ) -> Any:
        """Greedy decoding; with a label (batch, length), the logits of teacher forcing.

        view: features with context (batch, steps, other channels); valid: (batch, steps), 1 at
        valid time steps and 0 at padding.
        """
        keys = self.keys(view)  # (batch, steps, hidden)
        keep = ops.cast(valid, "bool")  # (batch, steps)
        if label is None:
            return self.write(features, keys, keep)
        return self.follow(features, keys, keep, label)

    # --- one step -------------------------------------------------------------------------------

    def initial_attention(self, keep: Tensor) -> Tensor:
        """Attention before the first character: at the left edge. (batch, steps, 2), see `look`."""
        edge = ops.cast(ops.arange(ops.shape(keep)[1]) == 0, "float32")
        last = ops.broadcast_to(edge[None, :], ops.shape(keep))
        return ops.stack([last, ops.zeros_like(last)], axis=-1)

    def look(self, seen: Tensor, query: Tensor, keys: Tensor, keep: Tensor) -> Tensor:
        """Attention for the next character.

        seen and the result: (batch, steps, 2), the last attention and the sum of all.
        """
        energy = self.energy(ops.tanh(keys + self.location(seen) + query[:, None]))[..., 0]
        energy = ops.where(keep, ops.cast(energy, "float32"), PADDED)
        last = ops.softmax(energy)  # (batch, steps)
        return ops.stack([last, seen[..., 1] + last], axis=-1)

    def advance(
        self,
        features: Tensor,
        keys: Tensor,
        keep: Tensor,
        character: Tensor,
        seen: Tensor,
        states: list,
    ) -> tuple[Tensor, Tensor, list]:
        """One character further: (logits (batch, classes) of the next, `seen` and `states` after).

        character: (batch,), the last one written. Rows for one image may share features and keys
        (1, steps, channels) and keep (1, steps).
        """
        x, state = self.recurrent[0].cell(self.embedding(character), states[0])
        after = [state]
        seen = self.look(seen, self.query(x), keys, keep)
        glimpse = ops.matmul(ops.cast(seen[..., 0], features.dtype)[:, None], features)[:, 0]
        x = ops.concatenate([x, glimpse], axis=-1)
        for layer, state in zip(self.recurrent[1:], states[1:]):
            x, state = layer.cell(x, state)
            after.append(state)
        if len(self.recurrent) > 1:
            x = ops.concatenate([x, glimpse], axis=-1)
        return self.logits(x), seen, after

    # --- training ---------------------------------------------------------------------------------

    def follow(self, features: Tensor, keys: Tensor, keep: Tensor, label: Tensor) -> Tensor:
        """Logits (batch, length + 1, classes) of each next character after the true ones."""
        before = ops.pad(label, [[0, 0], [1, 0]])  # the start symbol first
        x = self.recurrent[0](self.embedding(before))  # (batch, length + 1, hidden)
        queries = ops.transpose(self.query(x), (1, 0, 2))  # (length + 1, batch, hidden)

        def step(seen: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
            seen = self.look(seen, query, keys, keep)
            return seen, seen

        _, seen = ops.scan(step, self.initial_attention(keep), queries)
        attention = ops.cast(ops.transpose(seen[..., 0], (1, 0, 2)), features.dtype)
        glimpses = ops.matmul(attention, features)  # (batch, length + 1, channels)
        x = ops.concatenate([x, glimpses], axis=-1)
        for layer in self.recurrent[1:]:
            x = layer(x)
        if len(self.recurrent) > 1:
            x = ops.concatenate([x, glimpses], axis=-1)
        return self.logits(x)

    # --- reading ----------------------------------------------------------------------------------

    def write(self, features: Tensor, keys: Tensor, keep: Tensor) -> dict[str, Tensor]:
        """The most probable characters in turn, up to the end symbol: see `model.build`."""
        batch, steps = ops.shape(keep)[0], ops.shape(keep)[1]
        limit = ops.sum(ops.cast(keep, "int32"), axis=1)  # (batch,)
        rows = steps
        if self.max_prediction:
            limit = ops.minimum(limit, self.max_prediction)
            minimum = min if isinstance(steps, int) else ops.minimum  # JAX needs a number here
            rows = minimum(steps, self.max_prediction)
        rows = rows + 1  # that of the end symbol
        states = [layer.cell.get_initial_state(batch) for layer in self.recurrent]

        def going(i: Tensor, open_: Tensor, *_: Tensor) -> Tensor:
            return ops.any(open_)

        def step(i, open_, character, seen, states, logits, attention):
            row, seen, states = self.advance(features, keys, keep, character, seen, states)
            last = seen[..., 0]
            # ops.argmax would be in the way of ONNX: on TensorFlow it looks at the bits of zeros
            character = ops.cast(ops.top_k(row, 1)[1][:, 0], "int32")
            mark = ops.cast(open_, "float32")[:, None]
            at = ops.reshape(i, (1, 1))
            logits = ops.scatter_update(logits, at, (row * mark)[None])
            attention = ops.scatter_update(attention, at, (last * mark)[None])
            open_ = ops.logical_and(open_, character != END)
            open_ = ops.logical_and(open_, i < limit)
            return i + 1, open_, character, seen, states, logits, attention

        start = (
            ops.zeros((), "int32"),
            limit >= 0,
            ops.zeros_like(limit),
            self.initial_attention(keep),
            states,
            ops.zeros((rows, batch, self.classes)),
            ops.zeros((rows, batch, steps)),
        )
        *_, logits, attention = ops.while_loop(going, step, start)
        return {
            "logits": ops.transpose(logits, (1, 0, 2)),
            "attention": ops.transpose(attention, (1, 0, 2)),
        }


def teacher_forced(model: keras.Model) -> keras.Model:
    """The trainable model for an attention model of `model.build`; the two share their weights.

    {"image", "width", "label"} -> logits (batch, length + 1, classes). label: int32 (batch,
    length), ids padded with 0, as in y[:, 2:] of `spec.pack_labels`. `get_weights()` of both gives
    the same list in the same order.
    """
    label = keras.Input((None,), dtype="int32", name="label")
    decoder = model.get_layer("decoder")
    logits = decoder(*decoder.input, label)
    trainer = keras.Model({**model.input, "label": label}, logits, name=model.name)
    trainer.spec = model.spec
    return trainer


# --- in two halves, for beam search: see `engines/step_decoder.py` -------------------------------


def shown_outputs(model: keras.Model) -> dict[str, Tensor]:
    """What the decoder of an attention model sees: Keras tensors (batch, steps, ...), by name."""
    decoder = model.get_layer("decoder")
    features, view, valid = decoder.input
    return {"features": features, "keys": decoder.keys(view), "valid": valid}


def advance_by_names(decoder: AttentionDecoder, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """`AttentionDecoder.advance`; the cells' states are state0, state1, ... in their order."""
    each = 1 if decoder.config["use_gru"] else 2
    flat = [inputs[f"state{i}"] for i in range(each * len(decoder.recurrent))]
    states = [flat[i : i + each] for i in range(0, len(flat), each)]
    looked = inputs["features"], inputs["keys"], ops.cast(inputs["valid"], "bool")
    logits, seen, states = decoder.advance(*looked, inputs["character"], inputs["seen"], states)
    flat = [state for cell in states for state in cell]
    after = {f"state{i}": state for i, state in enumerate(flat)}
    return {"logits": logits, "seen": seen, **after}


class _Step(keras.Model):
    """`advance_by_names`, compiled by Keras whatever its backend."""

    def __init__(self, decoder: AttentionDecoder):
        super().__init__(name="step")
        self.decoder = decoder

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return advance_by_names(self.decoder, inputs)


def halves(model: keras.Model) -> tuple[Callable, Callable]:
    """(encode, advance) of an attention model, as `StepDecoder` takes them."""
    encoder = keras.Model(model.input, shown_outputs(model))
    stepper = _Step(model.get_layer("decoder"))
    for half in (encoder, stepper):
        half.compile(jit_compile=keras.backend.backend() == "jax")
    return encoder.predict_on_batch, stepper.predict_on_batch


def attention_loss(y_true: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy of each line (batch,), summed over its characters and the end symbol.

    Like the CTC loss it is -log p(line). y_true: see `spec.pack_labels`.
    """
    y_true = ops.cast(y_true, "int32")
    length, label = y_true[:, 1], y_true[:, 2:]
    target = ops.pad(label, [[0, 0], [0, 1]])  # the end symbol last
    losses = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
    in_line = ops.arange(ops.shape(target)[1])[None, :] <= length[:, None]
    return ops.sum(ops.where(in_line, losses, 0.0), axis=1)
