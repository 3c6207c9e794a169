"""What a run shows: the progress bar, TensorBoard logs, pictures, and why it ended."""

import io
import sys
import time
from types import TracebackType

from tensorboardX import SummaryWriter
from tqdm import tqdm

from ocr_simple.options import TrainOptions
from ocr_simple.reports import pictures
from ocr_simple.reports.validation import Validation
from ocr_simple.runs.checkpoint import TrainState
from ocr_simple.runs.journal import journal
from ocr_simple.runs.run_folder import RunFolder
from ocr_simple.written_files import write_whole

COMPILING = "{l_bar}{bar}| {n_fmt}/{total_fmt} [compiling]"  # no estimate of the time


class Progress:
    """The progress bar, log and journal of a run, as a context manager.

    chief: whether this process shows and writes anything.
    """

    def __init__(self, steps: int, done: int, folder: RunFolder, chief: bool = True):
        self.folder = folder
        self.compiling = True  # until the first step is done
        self.bar = tqdm(
            total=steps,
            initial=done,
            unit="step",
            mininterval=0.5 if sys.stderr.isatty() else 15,  # few lines in a log
            smoothing=0.05,
            bar_format=COMPILING,
            # a notebook shows pictures instead; a run that is finished has nothing to show
            disable=_in_notebook() or not chief or done >= steps,
        )
        self.board = SummaryWriter(str(folder.path / "tensorboard"), write_to_disk=chief)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.bar.close()
        self.board.close()

    def step(self, number: int, loss: float, rows: list[dict[str, float]]) -> None:
        """A training step is done; rows: of metrics.csv so far."""
        if self.compiling:
            self._start_clock()
        else:
            self.bar.update()
        if number % 10 == 0:
            shown = {"loss": f"{loss:.3f}"}
            if rows:
                shown |= {"exact": f"{rows[-1]['val_exact']:.1%}"}
                shown |= {"CER": f"{rows[-1]['val_cer']:.2%}"}
            self.bar.set_postfix(shown, refresh=False)

    def _start_clock(self) -> None:
        """Count the first step, which compiles, without its time: the others are much faster."""
        self.compiling = False
        if not self.bar.disable:
            self.bar.bar_format = None
            self.bar.initial = self.bar.n = self.bar.last_print_n = self.bar.n + 1
            self.bar.start_t = self.bar.last_print_t = time.time()  # tqdm's clock
            self.bar.refresh()

    def validated(self, row: dict[str, float], result: Validation) -> None:
        """A validation is done; row: of metrics.csv."""
        message = f"step {result.step}: loss {row['loss']:.4f}, validation: {result}"
        self.bar.write(message)
        journal.info(message)
        for name in row.keys() - {"step"}:
            self.board.add_scalar(name, row[name], result.step)
        picture = pictures.predictions(result.pixels, result.truths, result.texts)
        content = io.BytesIO()
        picture.save(content, "png")
        write_whole(self.folder.pictures / f"step_{result.step:06d}.png", content.getvalue())


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def end_of_run(
    state: TrainState, options: TrainOptions, finished_before: bool, labelled: bool, name: str
) -> str:
    """Why a run ended where it did; nothing if it simply made all its steps.

    finished_before: whether there was nothing left to do; labelled: whether on labelled images.
    """
    if finished_before:
        more = "more --steps" if state.step >= options.steps else "a larger --patience, or 0"
        return (
            f"The run in {name} is finished, at step {state.step}. Continue it with {more}; start "
            "a new one with another --model-dir or --no-resume"
        )
    if state.step < options.steps:
        wanted = "the loss" if labelled else "the errors"
        return f"Stopped early: {state.waited} validations did not reduce {wanted} (--patience)"
    return ""
