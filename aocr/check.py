"""`aocr check`: what is in a data set, and what is odd about it, before a training."""

import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from aocr.options import CheckOptions
from ocr_simple import images as imaging
from ocr_simple.command_line import say
from ocr_simple.datasets.annotations import Dataset, check_datasets, find_dataset
from ocr_simple.datasets.entries import Entry, Fault, fault_list, image_fault, quoted
from ocr_simple.datasets.labelled_lines import load_image
from ocr_simple.datasets.usable_images import outside_alphabet, too_long
from ocr_simple.messages import first_ten, visible
from ocr_simple.network.encoders import ENCODERS
from ocr_simple.reports import pictures
from ocr_simple.reports.canvas import WRONG
from ocr_simple.reports.sheet import choose_sheet, write_sheet
from ocr_simple.spec import ModelSpec
from ocr_simple.text import Alphabet

SMALL = 8  # pixels: no character can be read in fewer rows, or columns
FLAT = 16  # grey levels between darkest and lightest of a blank image
RARE = 10  # a character that occurs in fewer labels is hard to learn
LENGTHS = 12  # different lengths of labels that are listed one by one
GROUP = 4  # entries with the same image that are listed
SHOWN = 48  # images of the sheet
COMMAND = "aocr check"


class SeenImage(NamedTuple):
    """What is kept of an image that was decoded."""

    entry: Entry
    size: tuple[int, int]  # width and height in pixels
    digest: bytes  # of its pixels
    blank: bool


class Finding(NamedTuple):
    """Something odd, with the images that have it."""

    title: str
    places: list[str]  # one line each

    def __str__(self) -> str:
        return f"{self.title}: {len(self.places):,}{first_ten(self.places)}"


def run(options: CheckOptions, _: list[str]) -> int:
    """Report on each data set. Returns the exit status. Raises ValueError."""
    if not options.dataset:
        raise ValueError("name a DATASET, such as a folder with labels.tsv; see docs/data.md")
    check_datasets(options.dataset, options)
    sheet = choose_sheet(options.sheet, CheckOptions.sheet, COMMAND, options.dataset)
    alphabet = Alphabet.parse(options.alphabet) if options.alphabet else None
    chosen: list[Entry] = []
    everything: list[list[SeenImage]] = []  # of each data set
    odd: set[str] = set()
    faulty = False
    for name in options.dataset:
        dataset = find_dataset(name, options)
        seen, faults = _look(dataset)
        dataset = dataset._replace(rows=[*(each.entry for each in seen), *faults])
        say(f"{dataset}\n{_figures(seen)}" if seen else dataset)
        findings, found_odd = _findings(seen, alphabet)
        for finding in findings:
            say(finding)
        if faults:
            say(f"rows that cannot be used: {len(faults):,}{fault_list(faults)}")
        usable = [each for each in seen if not (alphabet and alphabet.unknown(each.entry.label))]
        faulty |= len(usable) < len(dataset.rows)
        if not usable:
            rows = f"{len(dataset.rows):,} rows"
            raise ValueError(f"{name}: none of its {rows} can be used; the reasons are above")
        odd |= found_odd
        everything.append(seen)
        chosen += _choose(seen, found_odd, SHOWN // len(options.dataset) or 1)
    if len(everything) > 1:
        say(_in_several(everything))
    if sheet:
        write_sheet(_sheet(chosen, odd), sheet, COMMAND)
        say(f"Some of the images with their labels: {sheet}", sys.stderr)
    return 1 if faulty else 0


def _look(dataset: Dataset) -> tuple[list[SeenImage], list[Fault]]:
    """Decode every image once. Returns what was seen, and the rows that cannot be used."""
    seen, faults = [], []
    for row in dataset.rows:
        if isinstance(row, Fault):
            faults.append(row)
            continue
        try:
            pixels = load_image(row)  # (rows, columns, 1)
        except (OSError, imaging.ImageError) as error:
            faults.append(image_fault(row, error))
            continue
        size = pixels.shape[1], pixels.shape[0]
        digest = hashlib.sha1(repr(size).encode() + pixels.tobytes()).digest()
        seen.append(SeenImage(row, size, digest, int(np.ptp(pixels)) < FLAT))
    return seen, faults


def _spread(values: Iterable[int]) -> str:
    found = np.array(list(values))
    return f"{found.min():,} to {found.max():,}, median {np.median(found):,.0f}"


def _lengths(labels: list[str]) -> str:
    """How many labels have each length; of many lengths, only their spread."""
    lengths = Counter(map(len, labels))
    if len(lengths) > LENGTHS:
        return _spread(map(len, labels))
    return ", ".join(f"{n} ({lengths[n]:,}x)" for n in sorted(lengths))


def _figures(seen: list[SeenImage]) -> str:
    """Lengths, sizes, and how many labels have each character."""
    labels = [each.entry.label for each in seen]
    widths, heights = zip(*(each.size for each in seen))
    counts = Counter(character for label in labels for character in set(label))
    shown = {c: f"{visible(c)} ({counts[c]:,}x)" for c in sorted(counts)}
    common = ", ".join(shown[c] for c in shown if counts[c] >= RARE)
    rare = ", ".join(shown[c] for c in shown if counts[c] < RARE)
    return (
        f"characters per label: {_lengths(labels)}\n"
        f"widths in pixels: {_spread(widths)}; heights: {_spread(heights)}\n"
        f"labels that contain each character: {common or f'none is in {RARE} labels or more'}\n"
        f"rare characters, in fewer than {RARE} labels: {rare or 'none'}"
    )


def _findings(seen: list[SeenImage], alphabet: Alphabet | None) -> tuple[list[Finding], set[str]]:
    """(what is odd, places of the images that are)."""
    by_pixels: dict[bytes, list[Entry]] = defaultdict(list)
    for each in seen:
        by_pixels[each.digest].append(each.entry)
    twice = [entries for entries in by_pixels.values() if len(entries) > 1]
    same: list[list[Entry]] = []
    differing: list[list[Entry]] = []
    for entries in twice:
        one_label = len({entry.label for entry in entries}) == 1
        (same if one_label else differing).append(entries)
    small = [each for each in seen if min(each.size) < SMALL]
    sideways = [each for each in seen if each.size[1] > each.size[0] and len(each.entry.label) > 1]
    blank = [each for each in seen if each.blank and each.entry.label]
    findings = [
        Finding("the same image with different labels", [_group(each) for each in differing]),
        Finding("the same image several times", [_group(each) for each in same]),
        Finding(
            f"images under {SMALL} pixels wide or high",
            [f"{each.entry.place}: {each.size[0]} x {each.size[1]} pixels" for each in small],
        ),
        Finding(
            "images taller than wide with several characters: turn them, so that the text is level",
            [_shape(each) for each in sideways],
        ),
        Finding(
            "blank images with a label",
            [f"{each.entry.place}: label {quoted(each.entry.label)}" for each in blank],
        ),
        *_too_long(seen),
    ]
    odd = {entry.place for entries in differing for entry in entries}
    odd |= {each.entry.place for each in (*small, *sideways, *blank)}
    if alphabet:
        reasons = [(each.entry, outside_alphabet(each.entry.label, alphabet)) for each in seen]
        outside = [f"{entry.place}: {reason}" for entry, reason in reasons if reason]
        odd |= {entry.place for entry, reason in reasons if reason}
        findings.append(Finding("labels with characters outside --alphabet", outside))
    return findings, odd


def _in_several(everything: list[list[SeenImage]]) -> Finding:
    """The images that several data sets have, whatever their files are called."""
    by_pixels: dict[bytes, dict[int, Entry]] = defaultdict(dict)
    for number, seen in enumerate(everything):
        for each in seen:
            by_pixels[each.digest].setdefault(number, each.entry)
    shared = [list(entries.values()) for entries in by_pixels.values() if len(entries) > 1]
    title = "the same image in several data sets; do not validate on what is trained on"
    return Finding(title, [_group(entries) for entries in shared])


def _shape(seen: SeenImage) -> str:
    width, height = seen.size
    return f"{seen.entry.place}: {width} x {height} pixels, label {quoted(seen.entry.label)}"


def _group(entries: list[Entry]) -> str:
    """Entries of one image for a message: the first of them, and one with another label."""
    other = next((entry for entry in entries if entry.label != entries[0].label), None)
    listed = list(dict.fromkeys(entries[:GROUP] + ([other] if other else [])))
    more = f"; and {len(entries) - len(listed):,} more" if len(entries) > len(listed) else ""
    return "; ".join(f"{entry.place} {quoted(entry.label)}" for entry in listed) + more


def _too_long(seen: list[SeenImage]) -> list[Finding]:
    """Labels that need more time steps than their image gives, for encoders of each stride."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, encoder in ENCODERS.items():
        names[encoder.stride].append(name)
    findings = []
    for _, same_stride in sorted(names.items()):
        spec = ModelSpec(architecture=same_stride[0])
        reasons = ((e.entry, too_long(e.size, e.entry.label, spec)) for e in seen)
        places = [f"{entry.place}: {reason}" for entry, reason in reasons if reason]
        title = f"labels too long for --architecture {', '.join(same_stride)}"
        findings.append(Finding(title, places))
    return findings


# --- the sheet --------------------------------------------------------------------------------


def _choose(seen: list[SeenImage], odd: set[str], count: int) -> list[Entry]:
    """Up to `count` entries, in order: odd ones, at most half, and others evenly spread."""
    strange = [each.entry for each in seen if each.entry.place in odd][: count // 2]
    others = [each.entry for each in seen if each.entry.place not in odd]
    room = min(len(others), count - len(strange))
    return strange + [others[i * len(others) // room] for i in range(room)]


def _sheet(entries: list[Entry], odd: set[str]) -> Image.Image:
    """The entries under their labels: red if something is odd about one."""
    pixels = [load_image(entry, channels=3) for entry in entries]
    colors = [WRONG if entry.place in odd else "black" for entry in entries]
    return pictures.lines(pixels, [visible(entry.label) for entry in entries], None, colors)
