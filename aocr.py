"""The `aocr` command: data sets of labelled images.

    aocr dataset annotations.txt training.tfrecords     # lines of: path label
    aocr dataset --generate 20000 training.tfrecords    # generated lines instead
    aocr dataset --help

Its words are those of attention-ocr's command of that name.
"""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

import records
from data_generator import LineOptions, Lines
from drawing import HELD_OUT, find_fonts, split_fonts
from model import ModelSpec

log = logging.getLogger("ocr_simple")

NEW_DATASET = Path("dataset.tfrecords")
File = tyro.conf.Positional[Path | None]


@dataclass(frozen=True)
class DatasetOptions(LineOptions):
    """Make TFRecords of labelled images, or of generated lines."""

    annotations: Annotated[File, tyro.conf.arg(metavar="ANNOTATIONS")] = None
    """Lines of a path and a label, parted by a space, tab or comma; or a folder with labels.tsv."""
    output: Annotated[File, tyro.conf.arg(metavar="[OUTPUT]")] = None
    """The file to write; dataset.tfrecords if none is named."""

    # --- what is written
    force_uppercase: bool = True
    """Put labels in capitals, as aocr does; --no-force-uppercase leaves them as they are."""
    save_filename: bool = False
    """Keep the name of each image's file, so that reports can name it."""
    skip_bad: bool = False
    """Leave bad lines out, listed in OUTPUT.skipped.tsv; else one of them stops it all."""
    shards: int = 1
    """Files to deal the images to; several are read faster from several disks."""
    log_step: int = 500
    """Images between two lines of the log, where no terminal shows a bar."""

    # --- generated lines
    generate: int = 0
    """Generated lines to write in place of annotations."""
    vary: bool = False
    """Vary generated lines as in training; training varies whatever it reads by itself."""
    held_out: tuple[str, ...] = HELD_OUT
    """Font families (beginnings of file names) to leave to validation; none draws with all."""
    seed: int = 0
    """The same seed writes the same lines."""
    color: bool = False
    """Write colour."""
    workers: int = os.cpu_count() or 1
    """Processes that draw; the lines are the same for any number."""

    def run(self) -> int:
        """Write the files; print what is in them. Returns the exit status."""
        output = self.output or NEW_DATASET
        with _progress(self.log_step) as on_line:
            if self.generate and self.output:
                raise ValueError(f"{self.annotations}: --generate takes OUTPUT alone")
            if self.generate:
                output = self.annotations or NEW_DATASET
                written = records.generate(
                    self._lines(), self.generate, output, shards=self.shards,
                    workers=self.workers, on_line=on_line,
                )  # fmt: skip
            elif self.annotations:
                written = records.convert(
                    self.annotations, output, force_uppercase=self.force_uppercase,
                    save_filename=self.save_filename, skip_bad=self.skip_bad,
                    shards=self.shards, on_line=on_line,
                )  # fmt: skip
            else:
                raise ValueError("name an ANNOTATIONS file, or --generate a number of lines")
        print(written)
        if not written.faults:
            return 0
        left_out = f"{len(written.faults)} lines left out, listed in {output}{records.SKIPPED}"
        print(left_out, file=sys.stderr)
        return 1

    def _lines(self) -> Lines:
        fonts, _ = split_fonts(find_fonts(self.fonts, self.language), self.held_out)
        spec = ModelSpec(self.parsed_alphabet().characters, channels=3 if self.color else 1)
        return Lines(self, spec, fonts, self.seed, augment=self.vary)


@contextlib.contextmanager
def _progress(log_step: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line each `log_step` images."""
    with tqdm(unit="image", mininterval=0.5, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)
            if bar.disable and done % max(1, log_step) == 0:
                log.info("%d of %d", done, of)

        yield show


COMMANDS: dict[str, Callable[..., DatasetOptions]] = {"dataset": DatasetOptions}


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0 done, 1 with lines left out, 2 not possible."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    warnings.filterwarnings("ignore", module="PIL")  # what Pillow can read past; the rest it raises
    command = tyro.extras.subcommand_cli_from_dict(COMMANDS, args=arguments, prog="aocr")
    try:
        return command.run()
    except (ValueError, OSError) as error:
        print(f"aocr: {error}", file=sys.stderr)
        return 2
    except BrokenExecutor:
        print("aocr: a process has ended (out of memory?); give fewer --workers", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
