"""`aocr dataset`: TFRecords of labelled images, or of generated lines."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from aocr.options import DatasetOptions
from ocr_simple import storage
from ocr_simple.datasets.tfrecords import SKIPPED, Written, write_generated, write_labelled
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.spec import ModelSpec

log = logging.getLogger("ocr_simple")

NEW_DATASET = Path("dataset.tfrecords")


def run(options: DatasetOptions, _: list[str]) -> int:
    """Write the files; print what is in them. Returns the exit status. Raises ValueError."""
    if options.generate:
        if options.output:
            raise ValueError(f"{options.annotations}: --generate takes OUTPUT alone")
        output = options.annotations or NEW_DATASET
        written = _generated(options, output)
    elif options.annotations:
        output = options.output or NEW_DATASET
        written = _labelled(options, options.annotations, output)
    else:
        raise ValueError("name an ANNOTATIONS file, or --generate a number of lines")
    print(written)
    if not written.faults:
        return 0
    skipped = f"{storage.named(output)}{SKIPPED}"
    print(f"{len(written.faults)} rows left out, listed in {skipped}", file=sys.stderr)
    return 1


def _generated(options: DatasetOptions, output: Path) -> Written:
    fonts, _ = split_fonts(find_fonts(options.fonts, options.language), options.held_out)
    alphabet = options.parsed_alphabet().characters
    spec = ModelSpec(alphabet, channels=3 if options.color else 1)
    lines = Lines(options, spec, fonts, options.seed, augment=options.vary)
    if options.runner:
        from aocr import beam

        return beam.generate(lines, options.generate, output, how=options)
    with _progress(options.log_step) as on_line:
        return write_generated(
            lines, options.generate, output, shards=options.shards, workers=options.workers,
            on_line=on_line,
        )  # fmt: skip


def _labelled(options: DatasetOptions, annotations: Path, output: Path) -> Written:
    how = {
        name: getattr(options, name) for name in ("force_uppercase", "save_filename", "skip_bad")
    }
    if options.runner:
        from aocr import beam

        return beam.convert(annotations, output, how=options, **how)
    with _progress(options.log_step) as on_line:
        return write_labelled(annotations, output, shards=options.shards, on_line=on_line, **how)


@contextlib.contextmanager
def _progress(log_step: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a message every `log_step` images."""
    with tqdm(unit="image", mininterval=0.5, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)
            if bar.disable and done % max(1, log_step) == 0:
                log.info("%d of %d", done, of)

        yield show
