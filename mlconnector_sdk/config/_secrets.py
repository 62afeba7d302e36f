"""Turning references into secrets: a config names them and never holds them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from ..errors import ConfigurationError

__all__ = ["SecretLookup", "Secrets"]

Secrets: TypeAlias = Callable[[str], str] | Mapping[str, str] | None
"""Secrets by reference, or a function that finds them; for references other than `env:` and `file:`."""


class SecretLookup:
    """Reads `env:` and `file:` references, and asks the caller for all others."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def __call__(self, reference: str, setting: str) -> str:
        """The secret.

        Raises:
            ConfigurationError: there is none; the message names setting and reference.
        """
        kind, _, name = reference.partition(":")
        if kind == "env" and name in os.environ:
            return os.environ[name]
        if kind == "file" and Path(name).is_file():
            return Path(name).read_text(encoding="utf-8").strip()
        found = self._ask(reference)
        if found is None:
            # Somebody may have written the secret itself: only a reference is shown.
            shown = f"{kind}:{name}" if kind in {"env", "file", "vault"} else "what stands there"
            raise ConfigurationError(
                f"{setting}: no secret found for {shown}; use env:NAME, file:PATH, or hand it over in secrets="
            )
        return found

    def _ask(self, reference: str) -> str | None:
        if self._secrets is None:
            return None
        if isinstance(self._secrets, Mapping):
            return self._secrets.get(reference)
        return self._secrets(reference)
