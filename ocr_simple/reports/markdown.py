"""Markdown tables."""

import re
from collections.abc import Iterable, Sequence

from ocr_simple.messages import visible

MOST_ROWS = 30  # of a table


def cell(text: str) -> str:
    """`text` for a cell of a table, so that Markdown shows all of its characters, and no links.

    Some programs make a link of anything like an address. An escaped point or colon keeps them from
    it; @ can be escaped too, but is then still taken for a part of an address.
    """
    escaped = re.sub(r"([\\`*_\[\]<>|~&$:.])", r"\\\1", visible(text))
    return escaped.replace("@", "@<!-- -->")


def markdown_table(header: Iterable[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The text rows of a Markdown table; after MOST_ROWS it refers to report.json.

    The cells must be escaped already, by `cell` where they are not figures.
    """
    names = list(header)
    lines = [f"| {' | '.join(row)} |" for row in (names, ["---"] * len(names), *rows[:MOST_ROWS])]
    more = len(rows) - MOST_ROWS
    return [*lines, "", f"... and {more:,} more, in report.json"] if more > 0 else lines
