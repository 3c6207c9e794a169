"""What happens on the page: which picture is shown, its answer, undo, and the figures."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from aocr.label.labels_file import REASONS, Answer, LabelsFile
from aocr.label.order import Order, first_order, next_to_label, next_to_review, review_key
from aocr.label.readings import Boxes, PictureReading, Result
from ocr_simple.boxes import Corners, check_corners, is_inside
from ocr_simple.datasets.crops import upright_size
from ocr_simple.datasets.entries import to_label
from ocr_simple.datasets.rows import refuse_boxes

Kind = Literal["label", "unreadable", "not a line", "skip"]
StepKind = Kind | Literal["box"]

PAUSE = 60.0  # seconds: whoever takes longer for an answer is doing something else
FEWEST = 5  # texts from which on the texts per minute are shown
RECENT = 50  # the last answers, which they are computed from


class _Step(NamedTuple):
    """An answer of this session, or a box, with what it takes to undo it."""

    number: int
    kind: StepKind
    before: Answer | None
    reviewing: bool
    unchanged: bool | None = None  # whether a reading was accepted as it was; None: there was none
    boxes: Boxes | None = None  # of before, of the pictures whose box was changed


class Session:
    """The state of the page. Its methods may be called by several threads."""

    def __init__(
        self,
        images: Sequence[str],
        file: LabelsFile,
        order: Order = "unsure",
        alphabet: str = "",
        clock: Callable[[], float] = time.monotonic,
    ):
        """images: paths relative to the folder, that rows can name. alphabet: of the model."""
        self.images, self.file, self.order = images, file, order
        self.alphabet, self._clock = frozenset(alphabet), clock
        self.answers: dict[int, Answer] = {}
        for number, image in enumerate(images):
            if answer := file.get(image):
                self.answers[number] = answer
        self.readings: dict[int, Result] = {}
        self.reviewing = False
        self._order = first_order(len(images), order)
        self._skipped: dict[int, None] = {}  # in the order in which they were
        self._reviewed: set[int] = set()
        self._steps: list[_Step] = []
        self._sizes: dict[int, tuple[int, int] | None] = {}  # of pictures, where asked for
        self._gaps: deque[tuple[float, bool]] = deque(maxlen=RECENT)  # seconds, whether for a text
        self._since = clock()  # when the picture was shown
        self._lock = threading.RLock()
        self.current: int | None = None
        self.upcoming: int | None = None  # shown after it, so that the page can fetch it ahead
        self._advance()

    # --- which picture ------------------------------------------------------------------------

    def _waiting(self, shown: int | None) -> list[int]:
        """The pictures still to be shown besides `shown`, in their first order."""
        if self.reviewing:
            return [n for n in self._order if n in self.answers and n not in self._reviewed
                    and n != shown]  # fmt: skip
        left = [n for n in self._order if n not in self.answers and n != shown]
        return [n for n in left if n not in self._skipped] or [n for n in self._skipped
                if n not in self.answers and n != shown]  # fmt: skip

    def _choose(self, shown: int | None) -> int | None:
        waiting = self._waiting(shown)
        if self.reviewing:
            return next_to_review(waiting, self.answers, self.readings, self.alphabet)
        if waiting and waiting[0] in self._skipped:  # nothing else is left: as they were skipped
            return waiting[0]
        known = [*self.answers] if shown is None else [*self.answers, shown]
        return next_to_label(waiting, self.readings, self.order, known)

    def _advance(self) -> None:
        """Show the upcoming picture, and choose the one after it."""
        still = self.upcoming is not None and self.upcoming in self._waiting(None)
        self.current = self.upcoming if still else self._choose(None)
        self._choose_upcoming()

    def _choose_upcoming(self) -> None:
        self.upcoming = None if self.current is None else self._choose(self.current)
        self._since = self._clock()

    def wanted(self, count: int) -> Boxes:
        """Up to `count` pictures that are not read yet; those that are shown next come first."""
        with self._lock:
            first = [n for n in (self.current, self.upcoming) if n is not None]
            rest = [n for n in self._order if n not in self.readings]
            rest.sort(key=lambda n: (n in self.answers) != self.reviewing)
            unread = [n for n in dict.fromkeys([*first, *rest]) if n not in self.readings]
            return {n: self._box(n) for n in unread[:count]}

    def deliver(self, found: Mapping[int, Result], boxes: Boxes | None = None) -> None:
        """Take readings, by the number of the picture. boxes: what was read, if there are any.

        A reading of another box than the picture has by now is not used.
        """
        with self._lock:
            for number, result in found.items():
                if (boxes or {}).get(number, ()) == self._box(number):
                    self.readings[number] = result

    def forget_readings(self, alphabet: str) -> None:
        """Have all pictures read again, by a model of this alphabet."""
        with self._lock:
            self.alphabet = frozenset(alphabet)
            self.readings.clear()

    # --- what the page asks for ---------------------------------------------------------------

    def begin(self) -> None:
        """A page was opened: the time for the picture that is shown begins."""
        with self._lock:
            self._since = self._clock()

    def answer(self, number: int, kind: Kind, text: str = "") -> None:
        """Take an answer to the picture that is shown. It is then on disk, except for `skip`.

        Raises ValueError, with a reason for the user, if nothing was changed; and OSError.
        """
        with self._lock:
            if number != self.current:
                raise ValueError("this picture is not shown any more; nothing was changed")
            found, before = self.readings.get(number), self.answers.get(number)
            unchanged = None
            if kind == "label":
                if isinstance(found, str):
                    raise ValueError(f"{self.images[number]}: {found}; it cannot have a label")
                label = to_label(text, clean=True)
                refuse_boxes(label, self.images[number])
                self._put(number, Answer(label))
                unchanged = found.text == label if found else None
            elif kind in REASONS:
                self._put(number, Answer(None, kind))
            if kind == "skip":
                self._skipped.pop(number, None)  # to the end
                self._skipped[number] = None
            if self.reviewing:
                self._reviewed.add(number)
            gap = self._clock() - self._since
            if gap <= PAUSE and not self.reviewing:
                self._gaps.append((gap, kind == "label"))
            self._steps.append(_Step(number, kind, before, self.reviewing, unchanged))
            self._advance()

    def undo(self) -> None:
        """Take back the last answer of this session, and show its picture. Raises as `answer`."""
        with self._lock:
            if not self._steps:
                raise ValueError("nothing to undo: no answer was given since aocr label started")
            step = self._steps[-1]
            if step.kind == "box":
                self._put_boxes(step.boxes or {})
            elif step.kind != "skip":
                self._put(step.number, step.before)
            self._steps.pop()
            self._skipped.pop(step.number, None)
            self._reviewed.discard(step.number)
            self.reviewing, self.current = step.reviewing, step.number
            self._choose_upcoming()

    def box(self, number: int, corners: Sequence[float], to_all: bool = False) -> None:
        """Set the box of the picture that is shown, or remove it: no corners. It is on disk then.

        to_all: also those of all pictures of the same size. Raises as `answer`.
        """
        with self._lock:
            if number != self.current:
                raise ValueError("this picture is not shown any more; nothing was changed")
            box, size = check_corners(corners) if corners else (), self._size(number)
            if size and box and not is_inside(box, size):
                raise ValueError(f"the box reaches beyond the picture of {size[0]} x {size[1]}")
            chosen = [number]
            if to_all and size:
                chosen = [n for n in range(len(self.images)) if self._size(n) == size]
            before = {n: self._box(n) for n in chosen if self._box(n) != box}
            if before:
                self._put_boxes(dict.fromkeys(before, box))
                self._steps.append(_Step(number, "box", None, self.reviewing, boxes=before))

    @property
    def labelled(self) -> int:
        """The number of labels, also of those for which there is nothing to read."""
        with self._lock:
            return sum(answer.label is not None for answer in self.answers.values())

    def review(self, on: bool) -> None:
        """Go through the answers again, from the beginning, or return to labelling."""
        with self._lock:
            self.reviewing = on
            self._reviewed.clear()
            self.upcoming = None
            self._advance()

    def _put(self, number: int, answer: Answer | None) -> None:
        self.file.put(self.images[number], answer)
        if answer is None:
            self.answers.pop(number, None)
        else:
            self.answers[number] = answer

    def _box(self, number: int) -> Corners:
        return self.file.crops.get(self.images[number])

    def _put_boxes(self, boxes: Boxes) -> None:
        self.file.crops.put({self.images[number]: box for number, box in boxes.items()})
        for number in boxes:  # something else is to be read
            self.readings.pop(number, None)

    def _size(self, number: int) -> tuple[int, int] | None:
        if number not in self._sizes:
            self._sizes[number] = upright_size(self.file.folder / self.images[number])
        return self._sizes[number]

    # --- what the page shows ------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the page shows, for JSON."""
        with self._lock:
            suspects = sum(self._is_suspected(n) for n in self.answers)
            labelled = self.labelled
            labelling = [step for step in self._steps if not step.reviewing]
            judged = [step.unchanged for step in labelling if step.unchanged is not None]
            return {
                "picture": None if self.current is None else self._picture(self.current),
                "upcoming": self.upcoming,
                "upcoming_box": () if self.upcoming is None else self._box(self.upcoming),
                "reviewing": self.reviewing,
                "waiting": len(self._waiting(None)),
                "pictures": len(self.images),
                "read": len(self.readings),
                "labelled": labelled,
                "left_out": len(self.answers) - labelled,
                "suspected": suspects,
                "unchanged": sum(judged) / len(judged) if judged else None,
                "per_minute": self._per_minute(),
                "last": self._last(),
            }

    def _is_suspected(self, number: int) -> bool:
        found = self.readings.get(number)
        return review_key(self.answers[number], found, self.alphabet)[0] == 0

    def _picture(self, number: int) -> dict[str, Any]:
        found, answer = self.readings.get(number), self.answers.get(number)
        return {
            "number": number,
            "name": self.images[number],
            "error": found if isinstance(found, str) else None,
            "reading": found.shown() if isinstance(found, PictureReading) else None,
            "label": answer.label if answer else None,
            "reason": answer.reason if answer else "",
            "suspected": answer is not None and self._is_suspected(number),
            "box": self._box(number),
        }

    def _per_minute(self) -> float | None:
        seconds = sum(gap for gap, _ in self._gaps)
        texts = sum(is_text for _, is_text in self._gaps)
        return 60 * texts / seconds if texts >= FEWEST and seconds else None

    def _last(self) -> dict[str, Any] | None:
        """The answer, or the box, that undo takes back."""
        if not self._steps:
            return None
        number, kind, boxes = self._steps[-1].number, self._steps[-1].kind, self._steps[-1].boxes
        label = self.answers[number].label if kind == "label" else None
        about = {"kind": kind, "label": label, "boxes": len(boxes or ())}
        return {"name": self.images[number]} | about
