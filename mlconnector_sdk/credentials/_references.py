"""A secret's name in place of the secret."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SecretReference", "Secrets"]


class Secrets(Protocol):
    """Gives secrets by name."""

    def get(self, name: str) -> str: ...


class SecretReference:
    """Stands for a secret of this name, wherever a constructor takes one; holds the name only.

    It pickles when what keeps the secret does. Two references are equal when they name the same secret in the same
    place.

    Example:
        >>> from mlconnector_sdk.credentials import EnvironmentSecrets
        >>> EnvironmentSecrets().reference("ERP_PASSWORD")
        SecretReference('ERP_PASSWORD')
    """

    __slots__ = ("_name", "_secrets")

    def __init__(self, secrets: Secrets, name: str) -> None:
        self._secrets = secrets
        self._name = name

    @property
    def name(self) -> str:
        """What the secret is called."""
        return self._name

    def reveal(self) -> str:
        """The secret as it is now.

        Raises:
            VaultError: there is none of that name, or it cannot be read.
        """
        return self._secrets.get(self._name)

    def __repr__(self) -> str:
        return f"SecretReference({self._name!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretReference):
            return NotImplemented
        return (self._name, self._secrets) == (other._name, other._secrets)

    def __hash__(self) -> int:
        return hash(self._name)
