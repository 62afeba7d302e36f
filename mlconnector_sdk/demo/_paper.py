"""How the demo puts text and tables on a terminal of a hundred columns."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["line", "say", "show", "table"]

WIDTH = 96


def line(text: str = "") -> None:
    """One line as it is; at once, so that it stands above the progress bars that follow it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A paragraph, in lines of bearable length."""
    line(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def show(thing: object) -> None:
    """A report or a table, and a blank line."""
    line(f"{textwrap.indent(str(thing), '  ')}\n")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows below their heads, columns aligned."""
    return "\n".join(_aligned([heads, *rows]))


def _aligned(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ("  ".join(map(str.ljust, row, widths)).rstrip() for row in texts)
