"""The text of a diagnosis: tables and sentences for people."""

import textwrap
from collections.abc import Sequence

import numpy as np

from aocr.diagnose.appearance import SHARES, Appearance
from aocr.diagnose.nearness import Nearness
from aocr.diagnose.pictures import Found
from ocr_simple.messages import visible
from ocr_simple.reports.intervals import shown_share
from ocr_simple.reports.metrics import Reading, evaluate

WIDTH = 96  # characters of a row
FEW = 20  # pictures: with fewer, the nearest recipe is a guess
KNOWN = 0.8  # mean confidence from which a model knows this kind of picture
MOSTLY_FAR = 0.5  # share of pictures that are far from all recipes
CONFUSIONS = 8  # that are listed
FIGURES = {  # how each figure is shown: title, and format of its value
    "ink_height": ("height of the ink, share of the picture", "{:.0%}"),
    "contrast": ("contrast, in grey levels", "{:.0f}"),
    "light_ink": ("pictures with light ink", "{:.0%}"),
    "sharpness": ("sharpness of edges (1: sharp)", "{:.2f}"),
    "noise": ("noise, in grey levels", "{:.1f}"),
    "slant": ("slant: horizontal shift per height", "{:+.2f}"),
    "stroke": ("stroke width, share of the ink height", "{:.0%}"),
    "density": ("strokes per ink height of width", "{:.1f}"),
    "frame": ("pictures with a line along them", "{:.0%}"),
}


def wrapped(text: str) -> str:
    """The text with its long rows broken between words, for a terminal."""
    return "\n".join(
        textwrap.fill(row, WIDTH, break_long_words=False, break_on_hyphens=False)
        if len(row) > WIDTH
        else row
        for row in text.split("\n")
    )


def about(folder: str, found: Found) -> str:
    """How many pictures there are, and how many have labels."""
    count, labels = len(found.pictures), len(found.labels)
    of = f" of {found.total:,}" if found.total != count else ""
    labelled = f"{labels:,} with labels" if labels else "no labels"
    return f"{folder}: {count:,}{of} pictures looked at, {labelled}"


def nearest_table(nearness: Nearness) -> str:
    """For each recipe, how many pictures are nearest to it, and how far all are from it."""
    counts, total = nearness.counts, len(nearness.nearest)
    order = np.lexsort((nearness.distances, -counts))
    rows = [f"{'recipe':14}{'nearest to':>12}{'distance':>12}"]
    for i in order:
        rows.append(
            f"{nearness.kinds[i]:14}{counts[i] / total:>12.0%}{nearness.distances[i]:>12.1f}"
        )
    return "\n".join(rows)


def verdict(nearness: Nearness) -> str:
    """Which recipe is the nearest, and how sure that is."""
    ranked, total = nearness.ranked(), len(nearness.nearest)
    kind, count = ranked[0]
    lines = [f"Nearest recipe: {kind}, for {count:,} of {total:,} pictures"]
    if len(ranked) > 1 and nearness.is_undecided():
        other, second = ranked[1]
        lines.append(
            f"This may be chance: {other} is the nearest for {second:,}. Look at the picture of "
            "--sheet."
        )
    elif 2 * count < total:
        lines.append(
            "No recipe stands out. Pictures of many kinds need several; if yours are all of one "
            "kind, no recipe draws it well, and labelling your pictures matters more."
        )
    if total < FEW:
        lines.append(
            f"With fewer than {FEW} pictures this is a guess; {FEW} tell more, and 100 are best."
        )
    if (far := nearness.far.mean()) >= MOSTLY_FAR:
        lines.append(
            f"{far:.0%} of the pictures are farther from every recipe than its own lines are: no "
            "recipe draws such pictures. Generated lines alone are unlikely to be enough; label "
            "some of the pictures, and train on them."
        )
    return "\n".join(lines)


def fonts_note(fonts: Sequence[str], lacking: Sequence[str]) -> str:
    """Which recipes were drawn in common fonts; empty if none was."""
    if not lacking:
        return ""
    return (
        f"--fonts {' '.join(fonts)} has no special fonts for: {', '.join(lacking)}. Their lines "
        "were drawn in common fonts, so pictures of these kinds may be taken for others. Run make "
        "fonts to make such fonts; they are then used by default."
    )


def appearance_table(yours: Sequence[Appearance], lines: Sequence[Appearance], kind: str) -> str:
    """Each figure of the pictures beside that of a recipe's lines; what differs is marked."""
    rows = [f"{'':40}{'yours':>8}   {kind}, 10 to 90 % of its lines"]
    for i, (name, (title, style)) in enumerate(FIGURES.items()):
        mine = np.array([each[i] for each in yours])
        theirs = np.array([each[i] for each in lines])
        if name in SHARES:
            rows.append(f"{title:40}{style.format(mine.mean()):>8}   {style.format(theirs.mean())}")
            continue
        middle, (low, high) = float(np.median(mine)), np.percentile(theirs, (10, 90))
        mark = "" if low <= middle <= high else "   <- outside"
        span = f"{style.format(low)} to {style.format(high)}"
        rows.append(f"{title:40}{style.format(middle):>8}   {span}{mark}")
    return "\n".join(rows)


def readings_note(confidences: dict[str, float]) -> str:
    """How sure the shipped models are of the pictures."""
    shown = ", ".join(f"{name} {value:.0%}" for name, value in confidences.items())
    note = f"Mean confidence of the shipped models: {shown}"
    if max(confidences.values()) < KNOWN:
        note += (
            f"\nNeither reaches {KNOWN:.0%}: this kind of picture, or its characters, is new to "
            "them. Train a model for it."
        )
    return note


def errors_note(readings: Sequence[Reading], model: str) -> str:
    """What a model reads of the labelled pictures, and which characters it gets wrong."""
    found = evaluate(readings)
    lines = [
        f"{model} reads {shown_share(found.exact, found.lines, '.0%')} of {found.lines:,} "
        f"labelled pictures, CER {found.cer:.0%}"
    ]
    confusions = [
        f"{visible(c.truth) if c.truth else 'nothing'} read as "
        f"{visible(c.read) if c.read else 'nothing'} ({c.count:,}x)"
        for c in found.confusions[:CONFUSIONS]
    ]
    if confusions:
        lines.append(f"most frequent errors: {', '.join(confusions)}")
    worst = [
        f"{visible(score.character)} {score.recall:.0%}"
        for score in sorted(found.by_character, key=lambda score: (score.recall, -score.count))
        if score.count >= 3 and score.recall < 1
    ]
    if worst:
        lines.append(f"worst-read characters: {', '.join(worst[:CONFUSIONS])}")
    if found.unknown_note:
        lines.append(found.unknown_note)
    return "\n".join(lines)
