"""A secret that a setting holds itself, or says where to find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import attrs

__all__ = ["SealedStore", "Secret", "not_empty", "revealed"]


@runtime_checkable
class Secret(Protocol):
    """Says where a secret is to be found; settings take it in place of the secret itself.

    `EncryptedVault.reference` gives one. A class of your own needs this method only, and should not show the secret in
    its `repr`.
    """

    def reveal(self) -> str:
        """The secret as it is now: asked when it is first needed, and again with each new sign-in.

        Raises our errors, `ConfigurationError` when it cannot be had.
        """
        ...


@runtime_checkable
class SealedStore(Protocol):
    """Keeps what a vault has sealed, by name. It never sees a secret, and has no part in sealing."""

    def sealed(self, names: Sequence[str] | None = None) -> dict[str, str]:
        """What is kept under these names, or all there is; unknown names are absent."""
        ...

    def exchange_sealed(self, name: str, before: str | None, after: str | None) -> bool:
        """Put `after` in the place of `before` in one step, durably; `None` is no entry.

        Returns false, with nothing changed, when there is something else than `before`.
        """
        ...


def revealed(secret: str | Secret) -> str:
    """The secret itself."""
    return secret if isinstance(secret, str) else secret.reveal()


def not_empty(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
    """An attrs validator: some text, or a reference, whose text is not looked up for this."""
    if value == "":
        raise ValueError(f"{attribute.name} must not be empty")
