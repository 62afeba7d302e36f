"""A tqdm bar per stream."""

from __future__ import annotations

import sys
from typing import Any

from ..events import Event, PageCommitted, StreamFinished, StreamStarted
from ..protocols import Progress

__all__ = ["TqdmProgress", "shown_progress"]


class TqdmProgress:
    """One counting bar for the stream at work; how many records will come is not known beforehand."""

    def __init__(self, bar: Any) -> None:
        self._new_bar = bar
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, StreamStarted):
            self.close()
            self._bar = self._new_bar(desc=event.stream, unit=" records", leave=True)
        elif isinstance(event, PageCommitted) and self._bar is not None:
            shown = {kind: count for kind, count in event.counts.items() if count and kind != "read"}
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(event.counts["read"] - self._bar.n)
        elif isinstance(event, StreamFinished):
            self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def shown_progress() -> Progress | None:
    """A display where a person is watching: a terminal on standard error, or a notebook; otherwise `None`."""
    if not (sys.stderr.isatty() or _in_notebook()):
        return None
    from tqdm.auto import tqdm

    return TqdmProgress(tqdm)


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    current = shell.get_ipython() if shell is not None else None
    return type(current).__name__ == "ZMQInteractiveShell"
