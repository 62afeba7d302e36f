"""Turning references into secrets: a config names them and never holds them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from .._secret import Secret, revealed
from ..credentials import EncryptedVault, SecretReference
from ..errors import ConfigurationError
from ..protocols import Vault

__all__ = ["SecretLookup", "Secrets"]

Secrets: TypeAlias = Callable[[str], str] | Mapping[str, str] | Vault | None
"""Secrets by reference, or a function that finds them, for references other than `env:` and `file:`; or the vault of
`vault:` references."""


class SecretLookup:
    """Reads `env:` and `file:` references, leaves `vault:` to the vault, and asks the caller for all others.

    Args:
        vault: the one that the config describes. Without it, `secrets` may be one.
    """

    def __init__(self, secrets: Secrets, *, vault: Vault | None = None) -> None:
        self._vault: Vault | None = vault
        self._secrets: Callable[[str], str] | Mapping[str, str] | None = None
        if secrets is None or isinstance(secrets, Mapping) or callable(secrets):
            self._secrets = secrets
        elif vault is None:
            self._vault = secrets

    def __call__(self, reference: str, setting: str) -> str | Secret:
        """The secret; one in a vault is looked up when it is first needed.

        Raises:
            ConfigurationError: there is none; the message names setting and reference.
        """
        kind, _, name = reference.partition(":")
        if kind == "env" and name in os.environ:
            return os.environ[name]
        if kind == "file" and Path(name).is_file():
            return Path(name).read_text(encoding="utf-8").strip()
        if kind == "vault" and self._vault is not None:
            return SecretReference(self._vault, name)
        found = self._ask(reference)
        if found is None:
            # Somebody may have written the secret itself: only a reference is shown.
            shown = f"{kind}:{name}" if kind in {"env", "file", "vault"} else "what stands there"
            raise ConfigurationError(
                f"{setting}: no secret found for {shown}; use env:NAME, file:PATH, vault:NAME with settings of a "
                "[vault], or hand it over in secrets="
            )
        return found

    def text(self, reference: str, setting: str) -> str:
        """The secret itself, for what cannot wait. Raises as well what a vault does."""
        return revealed(self(reference, setting))

    def token_vault(self, reference: str, setting: str) -> tuple[EncryptedVault, str]:
        """The vault that keeps a token, and the token's name there.

        Raises:
            ConfigurationError: it is no `vault:` reference, or there is no vault.
        """
        kind, _, name = reference.partition(":")
        if kind != "vault" or not isinstance(self._vault, EncryptedVault):
            raise ConfigurationError(
                f"{setting}: a token that renews itself is kept in a vault; use vault:NAME with settings of a [vault]"
            )
        return self._vault, name

    def _ask(self, reference: str) -> str | None:
        if self._secrets is None:
            return None
        if isinstance(self._secrets, Mapping):
            return self._secrets.get(reference)
        return self._secrets(reference)
