"""Refused credentials, remembered: the same ones are never tried twice."""

from __future__ import annotations

import copy

from ..errors import AuthenticationError

__all__ = ["Refusal"]


class Refusal:
    """Keeps the first `AuthenticationError` of a flow and raises it again instead of another try."""

    def __init__(self) -> None:
        self._error: AuthenticationError | None = None

    def check(self) -> None:
        """Raise what was remembered, if anything."""
        if self._error is not None:
            # A fresh one each time: an exception that is raised twice collects the tracebacks of both.
            raise copy.copy(self._error)

    def remember(self, error: AuthenticationError) -> None:
        """Let every later `check` fail with this error."""
        self._error = copy.copy(error)
