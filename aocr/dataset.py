"""`aocr dataset`: TFRecords of labelled images, or of generated lines."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from aocr.options import DatasetOptions
from ocr_simple import storage
from ocr_simple.command_line import say
from ocr_simple.datasets.record_writer import WriteSummary, check_replaceable
from ocr_simple.datasets.tfrecords import SKIPPED, write_generated, write_labelled
from ocr_simple.datasets.usable_images import Limits
from ocr_simple.drawing.fonts import find_fonts, split_fonts
from ocr_simple.drawing.lines import Lines
from ocr_simple.drawing.texts import check_text_options, chosen_alphabet
from ocr_simple.messages import counted
from ocr_simple.spec import ModelSpec

logger = logging.getLogger("ocr_simple")

DEFAULT_OUTPUT = Path("dataset.tfrecords")


def run(options: DatasetOptions, _: list[str]) -> int:
    """Write the files, and print what is in them. Returns the exit status. Raises ValueError."""
    output = _output(options)
    storage.check_writable(output.parent, "OUTPUT")
    if output.is_dir():
        raise ValueError(f"OUTPUT {output}: is a folder; name a file to write, in it or elsewhere")
    if options.generate:
        check_text_options(options)
        check_replaceable(output, options.shards)
        written = _write_generated(options, options.generate, output)
    elif options.annotations:
        written = _write_labelled(options, options.annotations, output)
    else:
        raise ValueError("name an ANNOTATIONS file, or a number of lines with --generate")
    say(written)
    if not written.faults:
        return 0
    skipped = f"{storage.display_name(output)}{SKIPPED}"
    say(f"{counted(len(written.faults), 'row')} left out, listed in {skipped}", sys.stderr)
    return 1


def _output(options: DatasetOptions) -> Path:
    """The file to write. Raises ValueError where arguments could mean several."""
    arguments = [options.annotations, options.output]
    if options.generate:  # the only argument is the output
        if options.output:
            raise ValueError(f"{options.annotations}: with --generate, name only the OUTPUT")
        arguments.reverse()
    named = [path for path in (arguments[1], options.output_file) if path]
    if len(named) > 1:
        raise ValueError(f"OUTPUT {named[0]} and --output {named[1]}: name only one of them")
    return named[0] if named else DEFAULT_OUTPUT


def _write_generated(options: DatasetOptions, count: int, output: Path) -> WriteSummary:
    fonts, _ = split_fonts(find_fonts(options.fonts, options.language), options.held_out)
    alphabet = chosen_alphabet(options).characters
    spec = ModelSpec(alphabet, channels=3 if options.color else 1)
    lines = Lines(options, spec, fonts, options.seed, augment=options.vary)
    if options.runner:
        from aocr import beam_pipelines

        return beam_pipelines.generate(lines, count, output, how=options)
    with _progress(options.log_step) as on_line:
        return write_generated(
            lines, count, output, shards=options.shards, workers=options.workers, on_line=on_line
        )


def _write_labelled(options: DatasetOptions, annotations: Path, output: Path) -> WriteSummary:
    alphabet = "" if options.alphabet == "auto" else options.parsed_alphabet().characters
    how: dict[str, Any] = {
        "force_uppercase": options.force_uppercase,
        "save_filename": options.save_filename,
        "skip_bad": options.skip_bad,
        "limits": Limits(alphabet, options.architecture),
    }
    if options.runner:
        from aocr import beam_pipelines

        return beam_pipelines.convert(annotations, output, how=options, labels=options, **how)
    with _progress(options.log_step) as on_line:
        return write_labelled(
            annotations, output, how=options, shards=options.shards, on_line=on_line, **how
        )


@contextlib.contextmanager
def _progress(log_step: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; elsewhere a log message every `log_step` images."""
    with tqdm(unit="image", mininterval=0.5, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)
            if bar.disable and done % max(1, log_step) == 0:
                logger.info("%d of %d", done, of)

        yield show
