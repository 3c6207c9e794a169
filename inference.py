"""Read line images: a script and an importable API.

python inference.py                         # reads inference_test_imgs/ with the shipped model
python inference.py photo.jpg scans/ --model-dir checkpoints --format tsv

from inference import Recognizer
line = Recognizer.load("digits").read(["photo.jpg"])[0]
line.text, line.confidence, line.characters
"""

import io
import itertools
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, overload

import numpy as np
import tyro
from PIL import Image

import devices
import encoders
import image as imaging
import model as models
import storage
from attention import Writer
from decoding import attention_beam_search, ctc_beam_search
from devices import keras
from lexicon import Constraint, Lexicon, load_constraint
from text import Alphabet, Line, attended, attention_decode, ctc_decode, one_line, softmax

HERE = Path(__file__).resolve().parent
PRETRAINED = HERE / "pretrained"
TEST_IMAGES = HERE / "inference_test_imgs"

BATCH_COLUMNS = 6144  # columns of one batch, padding included: fast, and modest in memory
CHUNK = 512  # images decoded at a time
LARGE = 1 << 16  # bytes; decoding fewer takes less time than two threads lose to each other

log = logging.getLogger("ocr_simple")


class Recognizer:
    """A model with all that it needs to read images.

    An image's text, confidence and spans do not depend on what it is read together with.
    """

    def __init__(
        self, model: keras.Model, constraint: Constraint | None = None, beam_width: int = 1
    ):
        """constraint: what texts there are (see `decoding`); beam_width: texts followed at once.

        A beam_width of 1 reads greedily if there is no constraint.
        """
        self.model, self.spec = model, model.spec
        self.alphabet = Alphabet(self.spec.alphabet)
        self.constraint, self.beam_width = constraint, beam_width
        self.greedy = constraint is None and beam_width == 1
        self.predict = models.predictor(model)
        if self.spec.head == "attention" and not self.greedy:
            self.writer = Writer(model)

    @classmethod
    def load(cls, model: str | os.PathLike = "digits") -> "Recognizer":
        """The recogniser in a model file, or a shipped one by its name. Raises ValueError."""
        return cls(models.load(find_model(model)))

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

        Spans are in pixels of the upright image. A bad image raises ImageError; with
        errors="return" the error stands in its place and the rest are read.
        """
        return list(self.read_each(images, errors))

    def read_each(
        self, images: Iterable[imaging.Source], errors: Literal["raise", "return"] = "raise"
    ) -> Iterator[Line | imaging.ImageError]:
        """As `read`, a chunk of images at a time, for more than memory holds."""
        if isinstance(images, (str, bytes)):  # which can be gone through too, by character
            raise TypeError("read takes a list of images; put a single one in brackets")
        images, indices = map(_as_it_is, images), itertools.count()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:

            def load_chunk() -> list:
                # threads are worth their while for large files alone
                return [
                    pool.submit(self._load, image, index)
                    if _is_large(image)
                    else self._load(image, index)
                    for image, index in zip(itertools.islice(images, CHUNK), indices)
                ]

            try:
                ahead = load_chunk()
                while ahead:
                    loaded = [item.result() if isinstance(item, Future) else item for item in ahead]
                    ahead = load_chunk()  # its large files are decoded while this chunk is read
                    for item in loaded:
                        if isinstance(item, imaging.ImageError) and errors == "raise":
                            raise item
                    good = [item for item in loaded if not isinstance(item, imaging.ImageError)]
                    lines = iter(self._read_prepared(good))
                    for item in loaded:
                        yield item if isinstance(item, imaging.ImageError) else next(lines)
            finally:
                pool.shutdown(cancel_futures=True)

    def outputs(self, images: Iterable[imaging.Source]) -> list["Output"]:
        """All that the model says of each image; spans are in time steps. Raises ImageError."""
        prepared = []
        for index, image in enumerate(images):
            loaded = self._load(image, index)
            if isinstance(loaded, imaging.ImageError):
                raise loaded
            prepared.append(loaded[0])
        return sorted(self._predict(prepared), key=lambda output: output.place)

    def probabilities(self, image: imaging.Source) -> np.ndarray:
        """Class probabilities of each time step (steps, classes) for one image; 0 is the blank.

        Of an attention head they are those of each character written, and 0 is the end symbol.
        """
        return self.outputs([image])[0].probabilities

    def attention(self, image: imaging.Source) -> np.ndarray:
        """Where an attention head looked for each character of one image: (characters, steps)."""
        output = self.outputs([image])[0]
        return output.attention[: len(output.line.text)]

    def _load(
        self, source: imaging.Source, index: int = 0
    ) -> tuple[np.ndarray, int] | imaging.ImageError:
        """Prepared pixels and the columns of the upright image, or what is wrong with it."""
        name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else f"images[{index}]"
        try:
            pixels = imaging.load(source, self.spec.channels, name)
            return imaging.prepare(pixels, self.spec.height), pixels.shape[1]
        except imaging.ImageError as error:
            return error
        except MemoryError:
            return imaging.ImageError(f"{one_line(name)}: too large for the memory; scale it down")

    def _read_prepared(self, items: list[tuple[np.ndarray, int]]) -> list[Line]:
        lines = [Line("", 0.0, ())] * len(items)
        for index, line, *_ in self._predict([prepared for prepared, _ in items]):
            prepared, columns = items[index]
            pixels_a_step = self.spec.stride * columns / prepared.shape[1]
            lines[index] = line._replace(
                characters=tuple(
                    c._replace(
                        start=c.start * pixels_a_step,
                        end=min(float(columns), c.end * pixels_a_step),
                    )
                    for c in line.characters
                )
            )
        return lines

    def _predict(self, prepared: list[np.ndarray]) -> "Iterator[Output]":
        """What the model says of each prepared image, in an order of its own: by like width."""
        by_width = sorted(range(len(prepared)), key=lambda i: prepared[i].shape[1])
        while by_width:
            # the widest are last: take as many of them as fill a batch
            widest = prepared[by_width[-1]].shape[1] + self.spec.multiple
            count = max(1, BATCH_COLUMNS // widest)
            batch, by_width = by_width[-count:], by_width[:-count]
            x = imaging.pad_batch([prepared[i] for i in batch], self.spec.multiple)
            steps = encoders.time_steps(x["width"], self.spec.stride)
            decode = self._follow_time_steps if self.spec.head == "ctc" else self._write
            for i, (line, probabilities, attention) in zip(batch, decode(x, steps)):
                yield Output(i, line, probabilities, attention)

    def _follow_time_steps(self, x: dict[str, np.ndarray], steps: np.ndarray) -> Iterator[tuple]:
        """(line, probabilities, no attention) of each line of a batch, by a CTC head."""
        probabilities = softmax(self.predict(x), self.spec.temperature)
        for own, rows in zip(steps, probabilities):
            rows = rows[:own]
            if self.greedy:
                line = ctc_decode(rows, self.alphabet)
            else:
                line = ctc_beam_search(rows, self.alphabet, self.constraint, self.beam_width)
            yield line, rows, rows[:0]

    def _write(self, x: dict[str, np.ndarray], steps: np.ndarray) -> Iterator[tuple]:
        """(line, probabilities, attention) of each line of a batch, by an attention head."""
        if self.greedy:
            output = self.predict(x)
            probabilities = softmax(output["logits"], self.spec.temperature)
            for own, rows, attention in zip(steps, probabilities, output["attention"]):
                attention = attention[:, :own]
                yield attention_decode(rows, attention, self.alphabet), rows, attention
            return
        for own, shown in zip(steps, self.writer.look(x)):
            yield self._search(shown, int(own))

    def _search(self, shown: dict[str, np.ndarray], steps: int) -> tuple:
        """(line, probabilities, attention) of the best text that the constraint allows."""

        def step(states: Any, ids: np.ndarray) -> tuple[np.ndarray, Any]:
            logits, states = self.writer.step(shown, states, ids)
            scaled = logits.astype(np.float64) / self.spec.temperature
            return scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True), states

        found = attention_beam_search(
            step,
            self.writer.start(shown),
            self.writer.select,
            self.alphabet,
            max_steps=min(steps, self.spec.max_prediction or steps) + 1,
            constraint=self.constraint,
            beam_width=None if isinstance(self.constraint, Lexicon) else self.beam_width,
        )
        if found.states is None:
            return Line("", 0.0, ()), np.zeros((0, self.alphabet.classes)), np.zeros((0, steps))
        attention = found.states["attention"][0, :, :steps]
        line = attended(self.alphabet.decode(found.ids), found.probabilities, attention[:-1])
        return line, softmax(found.states["logits"][0], self.spec.temperature), attention


class Output(NamedTuple):
    """What a model says of an image."""

    place: int  # of the image
    line: Line  # spans in time steps
    probabilities: np.ndarray  # (steps, classes), or (characters, classes) and some more
    attention: np.ndarray  # (characters, steps) and some more; of a CTC head empty


def _as_it_is(image: imaging.Source) -> imaging.Source:
    """A PIL image with its pixels: one not yet decoded is no good to several threads.

    It may also stand for its file's next frame by the time that a thread comes to it.
    """
    try:
        return image.copy() if isinstance(image, Image.Image) else image
    except Exception:  # `image.load` meets it again, and says what is wrong
        return image


def _is_large(image: imaging.Source) -> bool:
    """Whether it takes long enough to get for a thread of its own."""
    if isinstance(image, (str, os.PathLike)):
        if storage.url_of(image):
            return True
        try:
            return os.path.getsize(image) > LARGE
        except (OSError, ValueError):  # `image.load` meets it again, and says what is wrong
            return False
    return isinstance(image, (bytes, bytearray, memoryview)) and len(image) > LARGE


def find_model(name: str | os.PathLike) -> Path:
    """The file of a shipped model's name, of a path, or a copy of a URL's. Raises ValueError."""
    if url := storage.url_of(name):
        if not storage.is_file(url):
            raise ValueError(f"model {url!r}: no such file")
        return storage.fetched(url)
    shipped = PRETRAINED / f"{name}.keras"
    if os.path.isfile(shipped) and Path(name).parent == Path():
        return shipped
    if not os.path.isfile(name):
        known = ", ".join(sorted(path.stem for path in PRETRAINED.glob("*.keras"))) or "none"
        raise ValueError(f"model {os.fspath(name)!r}: no such file; shipped models: {known}")
    return Path(name)


def find_run_model(model_dir: Path) -> Path:
    """The best model of a run folder, or else its last. Raises ValueError."""
    url = storage.url_of(model_dir)
    for name in ("best.keras", "last.keras"):
        if url and storage.is_file(f"{url}/{name}"):
            return storage.fetched(f"{url}/{name}")
        if (model_dir / name).is_file():
            return model_dir / name
    raise ValueError(
        f"model-dir {storage.named(model_dir)}: holds no model yet; train one with python train.py"
    )


def find_chosen(model: str | None, model_dir: Path | None) -> Path:
    """The model file that `--model` or `--model-dir` names. Raises ValueError."""
    if model and model_dir:
        raise ValueError("give --model or --model-dir, not both")
    return find_run_model(model_dir) if model_dir else find_model(model or "digits")


# --- the script -----------------------------------------------------------------------------


@dataclass(frozen=True)
class InferenceOptions:
    """Read the line in each image."""

    paths: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")] = ()
    """Images and folders of them; - takes names from standard input.
    Without any, inference_test_imgs/ is read."""
    format: Literal["text", "tsv", "json", "aocr"] = "text"
    """text for people; tsv: path, text, confidence; json: JSON Lines with characters; aocr: as
    aocr predict prints it."""
    model: str | None = None
    """Shipped model's name, or a model file; digits unless --model-dir is given."""
    model_dir: Path | None = None
    """Run folder of train.py; its best model reads."""
    lexicon: Path | None = None
    """UTF-8 file of the texts there are, one a line; the most probable of them is read."""
    pattern: str | None = None
    r"""Regular expression that all texts match whole, such as \d{5}."""
    min_confidence: float = 0.0
    """Lines less sure than this share are marked, for people to read; a report of `aocr test`
    says which one leaves how many right."""
    beam_width: int = 1
    """Texts followed at once; 1 takes the best class of each time step, 10 with a pattern."""


def find_images(paths: Iterable[str]) -> tuple[list[str], int]:
    """Files named by `paths`, folders searched through in order of name; files passed over."""
    found, passed_over = [], 0
    for path in paths:
        if path == "-":
            found += [name for line in sys.stdin if (name := line.rstrip("\r\n"))]
        elif (url := storage.url_of(path)) and (inside := storage.names(url)):
            images = [name for name in inside if Path(name).suffix.lower() in imaging.EXTENSIONS]
            passed_over += len(inside) - len(images)
            found += [f"{url}/{name}" for name in images]
        elif os.path.isdir(path):
            files = sorted(
                Path(folder, name)
                for folder, _, names in os.walk(path, onerror=_not_searched)
                for name in names
            )
            named = [str(p) for p in files if p.suffix.lower() in imaging.EXTENSIONS]
            passed_over += len(files) - len(named)
            found += named
        else:
            found.append(path)
    return found, passed_over


def _not_searched(error: OSError) -> None:
    log.warning("%s: the folder cannot be searched (%s)", one_line(error.filename), error.strerror)


def format_line(path: str, line: Line, style: str, min_confidence: float = 0.0) -> str:
    """One output line, without its end, in the style of `--format`.

    With a `min_confidence` it says whether the line is as sure: text and aocr mark those that are
    not, tsv has a column more, json an entry.
    """
    sure = line.confidence >= min_confidence
    if style == "text":
        return f"{one_line(path)}: {line.text}  ({line.confidence:.1%}{'' if sure else ', unsure'})"
    if style == "aocr":
        return f"result: {'ok' if sure else 'unsure'} {line.confidence:.2f} {line.text}"
    if style == "tsv":
        row = f"{_escape(path)}\t{_escape(line.text)}\t{line.confidence:.5f}"
        return row + ("\tsure" if sure else "\tunsure") * (min_confidence > 0)
    characters = [
        {
            "text": c.text,
            "confidence": round(c.confidence, 5),
            "start": round(c.start, 1),
            "end": round(c.end, 1),
        }
        for c in line.characters
    ]
    return json.dumps(
        {
            "path": path,
            "text": line.text,
            "confidence": round(line.confidence, 5),
            **({"sure": sure} if min_confidence > 0 else {}),
            "characters": characters,
        },
        ensure_ascii=False,
    )


def _escape(text: str) -> str:
    return one_line(text.replace("\\", "\\\\"))


def recognizer(file: Path, options: InferenceOptions) -> Recognizer:
    """The recogniser of a model file that reads as the options ask for. Raises ValueError."""
    model = models.load(file)
    constraint = load_constraint(options.lexicon, options.pattern, Alphabet(model.spec.alphabet))
    if not 0 <= options.min_confidence <= 1:
        raise ValueError(f"min-confidence {options.min_confidence}: give a share, 0 to 1")
    if options.beam_width < 1:
        raise ValueError(f"beam-width {options.beam_width}: give at least 1")
    width = max(options.beam_width, 10) if constraint else options.beam_width
    return Recognizer(model, constraint, width)


class Said(NamedTuple):
    """What is told of an image."""

    line: str | None  # of the output
    error: str | None  # why it could not be read
    sure: bool


def say_each(reader: Recognizer, paths: Iterable[str], options: InferenceOptions) -> Iterator[Said]:
    """What is told of each image, in order."""
    paths = list(paths)
    for path, line in zip(paths, reader.read_each(paths, errors="return")):
        if isinstance(line, imaging.ImageError):
            # of aocr's a line for each file, for who reads them in step
            failed = f"result: err opening file {one_line(path)}"
            yield Said(failed if options.format == "aocr" else None, str(line), True)
        else:
            said = format_line(path, line, options.format, options.min_confidence)
            yield Said(said, None, line.confidence >= options.min_confidence)


def run(options: InferenceOptions) -> int:
    """Print what each image says. Returns 0; 1 if some image could not be read.

    Raises ValueError or OSError where none can be.
    """
    file = find_chosen(options.model, options.model_dir)
    paths, passed_over = find_images(options.paths or [os.path.relpath(TEST_IMAGES)])
    if not paths:
        raise ValueError(f"no image in {', '.join(options.paths) or TEST_IMAGES}")
    print(f"reading with {storage.named(file)}", file=sys.stderr)
    devices.prepare()
    reader = recognizer(file, options)
    failed = unsure = 0
    for line, problem, sure in say_each(reader, paths, options):
        if problem is not None:
            failed += 1
            print(problem, file=sys.stderr)
        unsure += not sure
        if line is not None:
            print(line, flush=not sys.stdout.isatty())
    return summary(options, len(paths), failed, unsure, passed_over)


def summary(
    options: InferenceOptions, images: int, failed: int, unsure: int, passed_over: int
) -> int:
    """Say on standard error what was not read, or not surely. Returns the exit status."""
    if passed_over:
        print(f"other files passed over: {passed_over}", file=sys.stderr)
    if options.min_confidence:
        print(f"unsure: {unsure} of {images - failed} images", file=sys.stderr)
    if failed:
        print(f"{failed} of {images} images could not be read", file=sys.stderr)
    return 1 if failed else 0


def piped(command: Callable[[], int]) -> int:
    """The status of a command that takes names from a pipe, or writes into one."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)  # file names need not be UTF-8
    try:
        return command()
    except BrokenPipeError:  # `| head` has seen enough; the flush at exit must not fail either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def main(arguments: list[str] | None = None) -> int:
    """Read from the command line. Returns the exit status, 2 where no image can be read."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    warnings.filterwarnings("ignore", module="PIL")  # what Pillow can read past; the rest it raises
    options = tyro.cli(InferenceOptions, args=arguments, prog="inference.py")
    try:
        return piped(lambda: run(options))
    except (ValueError, OSError) as error:
        print(f"inference.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
