"""Measures how well models read labelled images, and how fast; beside other engines with --peers.

    python bench/accuracy.py inference_test_imgs photos/ --models digits --fold digits --peers
    python bench/accuracy.py all_my_sets/ --models digits text --fold none digits --no-speed

A set is a folder of images with labels.tsv (file name, tab, text). Of a folder without one, all
sets in it are read. An image that cannot be read is named on standard error and counts as read
empty.

The table has a row for each set, fold and engine. Confidence is the mean over the lines; it should
be close to the share of exact lines. Lines/s are from file to text, with the model loaded: one
image after the other, and as many at once as is fastest. A second table shows how many lines can be
accepted if a share of those accepted has to be right. Of a picture with a box in crops.tsv, all
engines get the line in the box, as a PNG file.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aocr import reader
from bench.peers import UNREAD, Engine, Result, peers
from bench.text_folding import folded
from inference import Recognizer
from ocr_simple.datasets.annotations import LABELS, Entry, require_entries
from ocr_simple.datasets.labelled_lines import load_image
from ocr_simple.images import ImageError, as_picture
from ocr_simple.options import EngineName
from ocr_simple.reports.metrics import Reading, coverage_at, evaluate
from ocr_simple.runs.model_files import TEST_IMAGES
from ocr_simple.text import Line

TIMES = 3  # how often each speed is measured: the first round meets new shapes
ALONE = 200  # images that are read one by one for the speed
GOALS = (0.95, 0.98, 0.99, 0.995)  # shares of right lines among those accepted
HEADER = "| set | fold | lines | engine | exact | CER | 1-NED | confidence |"
SPEEDS = " lines/s, one by one | lines/s, many |"


@dataclass(frozen=True)
class Options:
    """Measure how well models read labelled images, and how fast."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional] = (TEST_IMAGES,)
    """Sets: folders with labels.tsv, or folders of such folders."""
    fold: tuple[Literal["none", "digits", "alnum"], ...] = ("none",)
    """Which characters count: none: all of them; digits: 0 to 9; alnum: letters and digits, without
    regard to case. Several give a row each."""
    models: tuple[str, ...] = ("digits",)
    """Shipped models' names, model files, run folders, or the model.onnx of an export."""
    engines: tuple[EngineName, ...] = ("auto",)
    """What computes their networks, as for inference.py. Several give a row each."""
    language_model: str | None = None
    """Read with this language model: words, or a file. An export is read without."""
    peers: bool = False
    """Read the same images with Tesseract and RapidOCR too; peers.py says how to install them."""
    speed: bool = True
    """Measure the speed too; --no-speed reads every image once."""


def find_sets(folders: Sequence[Path]) -> list[tuple[str, list[Entry]]]:
    """(name, labelled images) of each set in some folders. Raises ValueError."""
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder; name folders that hold {LABELS}")
        sets = sorted(file.parent for file in folder.glob(f"*/{LABELS}"))
        if (folder / LABELS).is_file() or not sets:
            sets = [folder]
        found += [(path.resolve().name, require_entries(path)) for path in sets]
    return found


def our_engine(model: str, engine: EngineName, language_model: str | None = None) -> Engine:
    """A model of this project as an engine. Raises ValueError."""
    if Path(model).suffix == ".onnx":
        return onnx_engine(model)
    recognizer = Recognizer.load(model, engine=engine, language_model=language_model)

    def many(paths: Sequence[Path]) -> list[Result]:
        lines = recognizer.read(paths, errors="return")
        return [(x.text, x.confidence) if isinstance(x, Line) else UNREAD for x in lines]

    name = f"ocr_simple {model}" + (f", {engine}" if engine != "auto" else "")
    return Engine(name, lambda path: many([path])[0], many, recognizer)


def onnx_engine(model: str) -> Engine:
    """An exported model.onnx as an engine: read by the reader.py that lies beside it."""
    portable = reader.Reader(model)
    named: set[str] = set()

    def unread(error: ValueError) -> Result:
        if str(error) not in named:  # files are read several times
            print(error, file=sys.stderr)
        named.add(str(error))
        return UNREAD

    def one(path: Path) -> Result:
        try:
            return portable.read(path)
        except ValueError as error:
            return unread(error)

    def many(paths: Sequence[Path]) -> list[Result]:
        results = portable.read_many(paths, errors="return")
        return [unread(result) if isinstance(result, ValueError) else result for result in results]

    return Engine(f"ocr_simple {Path(model).parent.name}/{Path(model).name}", one, many)


def line_files(entries: Sequence[Entry], folder: Path) -> list[Path]:
    """The files to read: an image itself, or a PNG file in `folder` of the line in its box."""
    files = []
    for number, entry in enumerate(entries):
        files.append(Path(entry.file))
        if entry.corners:
            try:
                line = as_picture(load_image(entry, 3))
            except (OSError, ImageError):
                continue  # `read` names it
            files[-1] = folder / f"{number}.png"
            line.save(files[-1])
    return files


def read(engine: Engine, entries: Sequence[Entry], files: Sequence[Path]) -> list[Reading]:
    """What an engine reads in labelled images; files: those of `line_files`."""
    if engine.recognizer is None:
        found = engine.many(files)
        return [
            Reading(entry.name, entry.label, Line(text, confidence, ()))
            for entry, (text, confidence) in zip(entries, found)
        ]
    channels, examples = engine.recognizer.spec.channels, {}
    for entry in entries:
        try:
            examples[entry.place] = load_image(entry, channels), entry.label, entry.name
        except (OSError, ImageError) as error:
            print(f"{entry.place}: {error}", file=sys.stderr)
    readings = dict(zip(examples, engine.recognizer.read_labelled(list(examples.values()))))
    unread = Line(*UNREAD, ())
    return [
        readings.get(entry.place, Reading(entry.name, entry.label, unread)) for entry in entries
    ]


def speeds(engine: Engine, paths: Sequence[Path]) -> tuple[float, float]:
    """(lines/s one image after the other, lines/s of many), each the best of TIMES.

    Prints on standard error how many texts differ between the two.
    """
    few = paths[:ALONE]
    engine.many(paths[:64])  # builds graphs, fills caches
    together, apart = [], []
    for _ in range(TIMES):  # in turn: other work on the computer slows both
        start = time.perf_counter()
        found = engine.many(paths)
        together.append(time.perf_counter() - start)
        start = time.perf_counter()
        alone = [engine.one(path) for path in few]
        apart.append(time.perf_counter() - start)
    different = sum(one[0] != other[0] for one, other in zip(alone, found))
    if different:
        print(f"{engine.name}: {different} of {len(few)} texts differ one by one", file=sys.stderr)
    return len(few) / min(apart), len(paths) / min(together)


def main(options: Options) -> None:
    """Print Markdown tables. Raises ValueError."""
    sets = find_sets(options.folders)
    engines = [
        our_engine(model, engine, options.language_model)
        for model in options.models
        # an export is read by its reader.py, whatever the engine
        for engine in (options.engines[:1] if Path(model).suffix == ".onnx" else options.engines)
    ]
    engines += peers(digits=options.fold == ("digits",)) if options.peers else []
    columns = HEADER + (SPEEDS if options.speed else "")
    print(f"{columns}\n|{'---|' * (columns.count('|') - 1)}")
    together: dict[tuple[str, str], list[Reading]] = {}
    for name, entries in sets:
        with tempfile.TemporaryDirectory() as folder:
            files = line_files(entries, Path(folder))
            for engine in engines:
                readings, cells = read(engine, entries, files), ""
                if options.speed:
                    one_by_one, many = speeds(engine, files)
                    cells = f" {one_by_one:,.0f} | {max(many, one_by_one):,.0f} |"
                for fold in options.fold:
                    counted = folded(readings, fold)
                    together.setdefault((engine.name, fold), []).extend(counted)
                    print(row(name, fold, engine, counted) + cells, flush=True)
    print_coverage(together)


def row(name: str, fold: str, engine: Engine, readings: Sequence[Reading]) -> str:
    """The row of a set, a fold and an engine, without speeds."""
    found = evaluate(readings)
    return (
        f"| {name} | {fold} | {found.lines} | {engine.name} | {found.exact:.1%} | {found.cer:.1%} "
        f"| {found.similarity:.3f} | {found.confidence:.1%} |"
    )


def print_coverage(readings: dict[tuple[str, str], list[Reading]]) -> None:
    """Print how many lines are accepted if only lines of enough confidence are, by engine."""
    print("\nCoverage: the share of lines that can be accepted, and from which confidence, so that")
    print("a given share of the accepted lines is right:\n")
    print("| engine | fold |" + "".join(f" {goal:.1%} right |" for goal in GOALS))
    print("|---|---|" + "---|" * len(GOALS))
    for (name, fold), of_engine in readings.items():
        cells = (coverage_at(of_engine, goal) for goal in GOALS)
        shares = "".join(f" {c.accepted:.1%} from {c.threshold:.3f} |" for c in cells)
        print(f"| {name} | {fold} |{shares}")


if __name__ == "__main__":
    logging.getLogger("ocr_simple").setLevel(logging.ERROR)
    try:
        main(tyro.cli(Options, description=__doc__))
    except ValueError as error:
        print(f"accuracy.py: {error}", file=sys.stderr)
        sys.exit(2)
