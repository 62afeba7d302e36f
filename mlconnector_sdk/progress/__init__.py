"""Showing progress to a person: by itself on a terminal or in a notebook, silent elsewhere."""

from ._display import shown_progress

__all__ = ["shown_progress"]
