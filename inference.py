"""Read the line of text in images: a script and a Python API.

python inference.py                         # inference_test_imgs/, with the shipped model
python inference.py photo.jpg scans/ --model checkpoints --format tsv

from inference import Recognizer
line = Recognizer.load("digits").read(["photo.jpg"])[0]
line.text, line.confidence, line.characters
Recognizer.load("digits", alternatives=3).show("photo.jpg")  # in a notebook
"""

if __name__ == "__main__":  # --help and mistakes are answered before the model is loaded
    from ocr_simple import interrupts

    interrupts.start_command()

    import logging
    import sys
    import warnings

    from ocr_simple.command_line import parse, say, start_logging
    from ocr_simple.options import InferenceOptions
    from ocr_simple.reading_commands import piped, plan

    start_logging(logging.WARNING)
    warnings.filterwarnings("ignore", module="PIL")  # about files that Pillow reads all the same
    OPTIONS = parse(InferenceOptions, prog="inference.py")
    with piped():
        try:
            PLAN = plan(OPTIONS)
        except (ValueError, OSError) as error:
            say(f"inference.py: {error}", sys.stderr)
            sys.exit(2)

import dataclasses
import itertools
import logging
import math
import os
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from ocr_simple import images as imaging
from ocr_simple import interrupts, preprocessing, storage
from ocr_simple.command_line import say
from ocr_simple.datasets.crops import Crops, as_crops, load_crops
from ocr_simple.decoding.alignment import ctc_loss
from ocr_simple.decoding.beam_search import BEAM_WIDTH
from ocr_simple.decoding.constraints import Constraint, load_constraint
from ocr_simple.decoding.greedy import Prediction
from ocr_simple.decoding.language_model import LanguageModel
from ocr_simple.engines.decoder import Decoder
from ocr_simple.engines.engine import Engine
from ocr_simple.engines.onnx_engine import OnnxEngine, resolve_engine
from ocr_simple.given_images import checked_list, decoded_if_pil
from ocr_simple.image_loader import THREADS, Chunks, ImageLoader, OrientedImage
from ocr_simple.network.backend import is_out_of_memory
from ocr_simple.options import EngineName, InferenceOptions, Orientation
from ocr_simple.reading_commands import Plan, piped, print_readings
from ocr_simple.reports.shown_line import ShownLine
from ocr_simple.runs.model_files import find_language_model, find_model
from ocr_simple.text import Alphabet, Line

if TYPE_CHECKING:  # what only `read_labelled` and Keras need
    from ocr_simple.datasets.batches import Example
    from ocr_simple.network.backend import keras
    from ocr_simple.reports.metrics import Reading

LOAD_OPTIONS = (  # options that `Recognizer.load` takes by the same names
    "pattern", "lexicon", "beam_width", "page", "orientation", "language_model",
    "max_pixels", "max_columns", "crops", "alternatives", "engine",
)  # fmt: skip
NOT_KEPT = np.zeros((0, 0), np.float32)  # in place of probabilities that nobody asked for

logger = logging.getLogger("ocr_simple")


class Recognizer:
    """A model with all that it needs to read images.

    The result for an image does not depend on which other images are read with it.
    """

    def __init__(
        self,
        model: "keras.Model | Engine",
        constraint: Constraint | None = None,
        beam_width: int = 1,
        page: int = 1,
        orientation: Orientation = "upright",
        language_model: str | os.PathLike | None = None,
        max_pixels: int = imaging.MAX_PIXELS,
        max_columns: int = preprocessing.MAX_COLUMNS,
        crops: str | os.PathLike | Crops | None = None,
        alternatives: int = 0,
    ):
        """model: a Keras model or an `Engine`; use `load` to read with a file.

        constraint: which texts are possible. beam_width: 1 without a constraint is greedy. page: of
        a TIFF, or frame of a GIF. orientation: auto turns each image as `images.possible_turns`
        says, and keeps the surest reading. language_model: words or a file; it needs a CTC head.
        max_pixels, max_columns: of an image in its file, and at the model's height. crops: boxes
        to read: see `load_crops`. alternatives: how many other texts `Line.alternatives` has at
        most; the line is the same with any number. Raises ValueError.
        """
        _check_choice("orientation", orientation, Orientation)
        _check_number("page", page, least=1)
        _check_number("beam_width", beam_width, least=1)
        _check_number("max_pixels", max_pixels, least=1)
        _check_number("max_columns", max_columns, least=1)
        _check_number("alternatives", alternatives, least=0)
        self.max_pixels, self.max_columns, self.page = max_pixels, max_columns, page
        self.orientation = orientation
        crops = load_crops(crops) if isinstance(crops, (str, os.PathLike)) else crops
        self.crops = crops if crops and any(crops) else None
        self.engine, self.spec = as_engine(model), model.spec
        self.alphabet = Alphabet(self.spec.alphabet)
        words = None
        if language_model is not None:
            file = find_language_model(language_model)
            words = LanguageModel.load(file, self.spec, constraint)
        if constraint is not None or words is not None:
            beam_width = max(beam_width, BEAM_WIDTH)
        self.constraint = constraint
        self._decoding = constraint, beam_width, words, alternatives
        self.decoder = Decoder(self.engine, *self._decoding)

    @classmethod
    def load(
        cls,
        model: str | os.PathLike = "digits",
        *,
        engine: EngineName = "auto",
        pattern: str | None = None,
        lexicon: str | os.PathLike | Iterable[str] | None = None,
        threads: int | None = None,
        **how: Any,
    ) -> "Recognizer":
        """The recogniser of a shipped name, a model file or a run folder. Raises ValueError.

        engine: what computes it: see `resolve_engine`. pattern: a regular expression that texts
        must match. lexicon: the possible texts, or a file of them. threads: of ONNX Runtime; by
        default as many as cores. how: the other arguments of the constructor. Without crops, images
        are read in the box that the model keeps, if it does; crops="none" reads whole images.
        """
        if threads is not None:
            _check_number("threads", threads, least=1)
        loaded = load_engine(find_model(model), engine, threads)
        if how.get("crops") is None:
            how["crops"] = as_crops(loaded.spec.crop)
        constraint = load_constraint(lexicon, pattern, Alphabet(loaded.spec.alphabet))
        return cls(loaded, constraint, **how)

    @classmethod
    def of(cls, file: Path, options: InferenceOptions) -> "Recognizer":
        """A recogniser of a model file that reads as `options` say. Raises ValueError."""
        return cls.load(file, **{name: getattr(options, name) for name in LOAD_OPTIONS})

    @cached_property
    def _decoder_of_many(self) -> Decoder:
        """For many batches, of which several are read at a time."""
        return Decoder(self.engine.for_many(), *self._decoding)

    @cached_property
    def model(self) -> "keras.Model":
        """The Keras model, which is loaded now if ONNX Runtime reads. Raises ValueError."""
        import model as models

        if isinstance(self.engine, OnnxEngine):
            return models.load(self.engine.file)
        assert isinstance(self.engine, models.KerasEngine)
        return self.engine.model

    @overload
    def read(
        self, images: Iterable[imaging.Source], errors: Literal["raise"] = "raise"
    ) -> list[Line]: ...

    @overload
    def read(
        self, images: Iterable[imaging.Source], errors: Literal["return"]
    ) -> list[Line | imaging.ImageError]: ...

    def read(
        self, images: Iterable[imaging.Source], errors: Literal["raise", "return"] = "raise"
    ) -> list:
        """The line in each of `images` (paths, bytes, PIL images, arrays), in order.

        Spans are in pixels of the upright image or its box, turned by `Line.turned`. A bad image
        raises ImageError; with errors="return" the error is returned in its place. A warning counts
        the images that are read whole although there are boxes.
        """
        return list(self.read_each(images, errors))

    def read_each(
        self, images: Iterable[imaging.Source], errors: Literal["raise", "return"] = "raise"
    ) -> Iterator[Line | imaging.ImageError]:
        """Like `read`, but one after the other, for more images than fit in memory."""
        for found in self._predict_each(images, errors, self._loader()):
            yield found if isinstance(found, imaging.ImageError) else found.line

    def _predict_each(
        self,
        images: Iterable[imaging.Source],
        errors: Literal["raise", "return"],
        loader: ImageLoader,
        keep_outputs: bool = False,
    ) -> Iterator[Prediction | imaging.ImageError]:
        """As `read_each`. keep_outputs: also probabilities and attention, which take memory."""
        whole = count = 0  # images without a box, all images
        with ThreadPoolExecutor(THREADS) as pool, ThreadPoolExecutor(1) as reader:
            try:
                chunks = Chunks(loader, map(decoded_if_pil, checked_list(images)), pool)
                while loaded := chunks.take():
                    for item in loaded:
                        if isinstance(item, imaging.ImageError) and errors == "raise":
                            raise item
                    good = [item for item in loaded if not isinstance(item, imaging.ImageError)]
                    prepared = list(itertools.chain(*good))
                    read: Future | None = None
                    if self.engine.at_once > 1 and len(prepared) > 1:
                        read = reader.submit(self._read_prepared, prepared, keep_outputs)
                    chunks.load_ahead()  # while this one is read
                    count, whole = count + len(good), whole + sum(not x[0].boxed for x in good)
                    if loader.crops and whole and not chunks.ahead:
                        # now: nobody may ask for what comes after the last line
                        logger.warning(loader.crops.about_whole(whole, count))
                    lines = read.result() if read else self._read_prepared(prepared, keep_outputs)
                    found = iter(lines)
                    for item in loaded:
                        if isinstance(item, imaging.ImageError):
                            yield item
                        else:
                            yield max(itertools.islice(found, len(item)), key=rated)
            finally:
                pool.shutdown(cancel_futures=True)

    def check(self, pixels: np.ndarray, name: str) -> None:
        """Raise ImageError for a line, (rows, columns, channels), that cannot be read."""
        loader = self._loader(cut_out=True)
        line, _ = loader.pixels(pixels, name, self.spec.channels, warn=False)
        loader.turned(line, name)

    def show(self, image: imaging.Source) -> ShownLine:
        """What is read in an image, as a picture for a notebook. Raises ImageError."""
        [image] = map(decoded_if_pil, [image])
        [line] = self.read([image])
        pixels, _ = self._loader().pixels(image, "image", channels=3, warn=False)
        return ShownLine(line, np.rot90(pixels, line.turned // 90))

    def read_labelled(self, examples: Sequence["Example"], losses: bool = False) -> list["Reading"]:
        """Labelled lines with what was read in them, for `reports.metrics.evaluate`.

        examples: (pixels, truth, name) each; pixels: of the line alone. losses: whether to compute
        -log p(truth) of each line, with its image turned as it was for reading.
        """
        from ocr_simple.reports.metrics import Reading

        pixels, loader = [pixels for pixels, _, _ in examples], self._loader(cut_out=True)
        keep_outputs = losses and not self._needs_keras_for_losses
        found: list = list(self._predict_each(pixels, "raise", loader, keep_outputs))
        values = self._losses(examples, found) if losses else [math.nan] * len(examples)
        return [
            Reading(name, truth, output.line, float(loss), self.alphabet.unknown(truth))
            for (_, truth, name), output, loss in zip(examples, found, values)
        ]

    def losses(self, examples: Sequence["Example"]) -> list[float]:
        """-log p(truth) of each labelled line; infinite for a label that it cannot write."""
        return [reading.loss for reading in self.read_labelled(examples, losses=True)]

    @property
    def _needs_keras_for_losses(self) -> bool:
        return self.spec.head != "ctc" or not isinstance(self.engine, OnnxEngine)

    def _losses(self, examples: Sequence["Example"], found: Sequence[Prediction]) -> np.ndarray:
        """Loss of each line (lines,); infinite for a label that it cannot write.

        found: what was read. Keras computes the losses, except with a CTC head and ONNX Runtime:
        then they come from the probabilities in `found`.
        """
        turned = [
            (np.rot90(pixels, output.line.turned // 90), truth, name)
            for (pixels, truth, name), output in zip(examples, found)
        ]
        if self._needs_keras_for_losses:
            import model as models

            return models.losses(self.model, turned)
        from ocr_simple.datasets.usable_images import why_unusable

        values = np.full(len(examples), math.inf)
        for i, (pixels, truth, _) in enumerate(turned):
            if why_unusable(pixels, truth, self.spec) is None:
                ids = self.alphabet.encode(truth)
                values[i] = ctc_loss(found[i].probabilities, ids, self.spec.temperature)
        return values

    def outputs(self, images: Iterable[imaging.Source]) -> list[Prediction]:
        """The line in each image, with its probabilities; spans are in time steps.

        Images are turned as `read` turns them. Raises ImageError.
        """
        prepared, turns, loader = [], [], self._loader()
        for index, image in enumerate(checked_list(images)):
            loaded = loader.load(image, index)
            if isinstance(loaded, imaging.ImageError):
                raise loaded
            prepared += [item.prepared for item in loaded]
            turns.append(len(loaded))
        found = iter(sorted(self._predict(prepared), key=lambda output: output.place))
        surest = (max(itertools.islice(found, count), key=rated) for count in turns)
        return [output._replace(place=place) for place, output in enumerate(surest)]

    def probabilities(self, image: imaging.Source) -> np.ndarray:
        """Class probabilities (steps, classes) of one image; class 0 is the blank.

        With an attention head: a row for each character and one for the end symbol, which is class
        0. Further rows mean nothing.
        """
        return self.outputs([image])[0].probabilities

    def attention(self, image: imaging.Source) -> np.ndarray:
        """Attention weights of each character of one image: (characters, steps)."""
        output = self.outputs([image])[0]
        # rows are in the order of writing, which is from left to right
        written = np.argsort([c.start for c in output.line.characters], kind="stable")
        return output.attention[np.argsort(written, kind="stable")]

    def _loader(self, cut_out: bool = False) -> ImageLoader:
        """What loads the images. cut_out: whether they are lines already, which have no boxes."""
        crops = None if cut_out else self.crops
        return ImageLoader(
            self.spec, crops, self.page, self.orientation, self.max_pixels, self.max_columns
        )

    def _read_prepared(self, items: list[OrientedImage], keep_outputs: bool) -> list[Prediction]:
        """What is read in each image; spans in pixels. keep_outputs: see `_predict_each`."""
        read: dict[int, Prediction] = {}
        for found in self._predict([item.prepared for item in items]):
            prepared, columns, turned, _ = items[found.place]
            pixels_per_step = self.spec.stride * columns / prepared.shape[1]
            characters = tuple(
                c._replace(
                    start=c.start * pixels_per_step,
                    end=min(float(columns), c.end * pixels_per_step),
                )
                for c in found.line.characters
            )
            line = found.line._replace(characters=characters, turned=turned)
            kept = found[2:] if keep_outputs else (NOT_KEPT, NOT_KEPT)
            read[found.place] = Prediction(found.place, line, *kept)
        return [read[place] for place in range(len(items))]

    def _predict(self, prepared: list[np.ndarray]) -> Iterator[Prediction]:
        """As `predictions`, with characters in the order in which they are read."""
        for found in self.predictions(prepared):
            yield found._replace(line=self.alphabet.in_logical_order(found.line))

    def predictions(self, prepared: list[np.ndarray]) -> Iterator[Prediction]:
        """What the model says about each prepared image, its characters from left to right."""
        widths, at_once = [x.shape[1] for x in prepared], self.engine.at_once
        batches = list(preprocessing.batches(widths, self.spec.multiple, at_once))
        at_once = min(at_once, len(batches))
        decoder = self._decoder_of_many if at_once > 1 else self.decoder

        def read_batch(batch: list[int]) -> list[Prediction]:
            x = preprocessing.pad_batch([prepared[i] for i in batch], self.spec.multiple)
            return [Prediction(i, *found) for i, found in zip(batch, decoder.read(x))]

        if at_once <= 1:
            yield from itertools.chain.from_iterable(map(read_batch, batches))
            return
        with ThreadPoolExecutor(at_once) as pool:
            yield from itertools.chain.from_iterable(pool.map(read_batch, batches))


def rated(found: Prediction) -> tuple[bool, float]:
    """Highest for an image that is turned the right way: upside down, many lines look blank."""
    return found.line.text != "", found.line.confidence


def _check_choice(name: str, value: Any, choices: Any) -> None:
    """Raise ValueError for an argument that is none of a Literal's values."""
    if value not in typing.get_args(choices):
        raise ValueError(f"{name}={value!r}: give one of {', '.join(typing.get_args(choices))}")


def _check_number(name: str, value: Any, least: int) -> None:
    """Raise ValueError for an argument that is no whole number, or a smaller one."""
    if not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{name}={value!r}: give a whole number of at least {least}")


def load_engine(file: Path, engine: EngineName = "auto", threads: int | None = None) -> Engine:
    """The engine for a model file. Raises ValueError that names the file and the fix."""
    _check_choice("engine", engine, EngineName)
    if (found := resolve_engine(file, engine)) != "keras":
        return OnnxEngine(file, threads=threads, int8=found == "int8")
    import model as models
    from ocr_simple.runs import devices

    devices.prepare()
    return models.KerasEngine(models.load(file))


def as_engine(model: "keras.Model | Engine") -> Engine:
    """The engine for a model that is loaded already."""
    if isinstance(model, Engine):
        return model
    import model as models

    return models.KerasEngine(model)


# --- the script -------------------------------------------------------------------------------


def run(plan: Plan, options: InferenceOptions) -> int:
    """Print what each image says. Returns 0; 1 if some images could not be read, 2 if all.

    Raises ValueError or OSError for a model that cannot be loaded.
    """
    say(f"Reading with {storage.display_name(plan.model)}", sys.stderr)
    options = dataclasses.replace(options, engine=plan.engine)
    recognizer = Recognizer.of(plan.model, options)
    lines = recognizer.read_each(plan.images, errors="return")
    return print_readings(plan, lines, options)


def main(plan: Plan, options: InferenceOptions) -> int:
    """Run the script. Returns the exit status: that of `run`, 2 for a bad model, 130 for Ctrl-C."""
    status = 0
    try:
        with interrupts.working(), piped():
            status = run(plan, options)
    except (ValueError, OSError) as error:
        say(f"inference.py: {error}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print("inference.py: not enough memory; close other programs", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main(PLAN, OPTIONS))
