"""The previous model and the trained one on the same images: two lines, a list and a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aocr.model_folder import FIGURES
from ocr_simple.messages import counted, escape_controls, visible
from ocr_simple.reports import error_pictures
from ocr_simple.reports.intervals import shown_interval, wilson
from ocr_simple.reports.metrics import Reading, rates_of
from ocr_simple.written_files import write_whole

SHOWN = 60  # changed images in the picture
LIST, PICTURE = "changed.tsv", "changed.png"


class BeforeAfter(NamedTuple):
    """What two models read in the same labelled images, in the same order; not empty."""

    before: list[Reading]
    after: list[Reading]

    @property
    def is_better(self) -> bool:
        """Whether the new model is better: by exact lines, then by CER, then by confidence."""
        return self._score(self.after) > self._score(self.before)

    @property
    def changed(self) -> list[int]:
        """The images in which something else is read now: now wrong first, then now right."""
        pairs = list(zip(self.before, self.after))
        changed = [i for i, (a, b) in enumerate(pairs) if a.line.text != b.line.text]
        return sorted(changed, key=lambda i: (pairs[i][1].exact, not pairs[i][0].exact))

    def _change(self, i: int) -> str:
        """How an image that is read differently has changed."""
        if self.after[i].exact:
            return "now right"
        return "now wrong" if self.before[i].exact else "still wrong"

    def figures(self, start: str) -> str:
        """The share of images that are read correctly, before and after, for messages."""
        before, after = (sum(r.exact for r in each) / len(each) for each in self)
        count = len(self.after)
        return (
            f"{start} {100 * before:.0f} % -> yours {100 * after:.0f} % of "
            f"{counted(count, 'unseen image')} (95 % interval: {shown_interval(after, count)})"
        )

    def changes(self) -> str:
        """How many images became right, and wrong."""
        gained = sum(b.exact > a.exact for a, b in zip(self.before, self.after))
        lost = sum(b.exact < a.exact for a, b in zip(self.before, self.after))
        return f"{counted(gained, 'image')} from wrong to right, {lost} from right to wrong"

    def write(
        self,
        start: str,
        pixels: Sequence[np.ndarray],
        folder: Path,
        in_time: bool = True,
        dataset: Sequence[str] = (),
    ) -> None:
        """Write the figures, a list of the changed images, and a picture of the first SHOWN.

        start: the previous model. pixels: uint8 (rows, columns, channels) of every image. in_time:
        whether there was time for all of the training. dataset: what it was trained on.
        """
        before, after = (sum(r.exact for r in each) / len(each) for each in self)
        figures = {"start": start, "images": len(self.after), "before": before, "after": after}
        figures |= {"interval": wilson(sum(r.exact for r in self.after), len(self.after))}
        figures |= {"better": self.is_better, "in_time": in_time, "dataset": list(dataset)}
        figures |= {"summary": [self.figures(start), self.changes()]}
        write_whole(folder / FIGURES, json.dumps(figures, indent=1).encode())
        rows = ["image\ttruth\tbefore\tnow"]
        for i in self.changed:
            texts = (r.line.text for r in (self.before[i], self.after[i]))
            cells = (self.after[i].name, self.after[i].truth, *texts)
            rows.append("\t".join(map(escape_controls, cells)))
        write_whole(folder / LIST, ("\n".join(rows) + "\n").encode(errors="backslashreplace"))
        if shown := self.changed[:SHOWN]:
            names = [
                f"{self._change(i)}; before: {visible(self.before[i].line.text)}" for i in shown
            ]
            truths, lines = zip(*((self.after[i].truth, self.after[i].line) for i in shown))
            picture = error_pictures.misread_lines([pixels[i] for i in shown], truths, lines, names)
            picture.save(folder / PICTURE)

    @staticmethod
    def _score(readings: Sequence[Reading]) -> tuple[float, float, float]:
        """(share read right, -CER, mean probability that is given to right readings)."""
        exact, cer = rates_of(readings)
        return exact, -cer, sum(r.line.confidence for r in readings if r.exact) / len(readings)
