"""Secrets in environment variables."""

from __future__ import annotations

import os

import attrs

from ..errors import VaultError
from ._references import SecretReference

__all__ = ["EnvironmentSecrets"]


@attrs.frozen
class EnvironmentSecrets:
    """Names environment variables where a secret is wanted; they are read when first needed.

    Args:
        prefix: what the variables' names begin with, left out of the names used here.

    Example:
        >>> EnvironmentSecrets("ACME_").reference("ERP_PASSWORD")  # reads ACME_ERP_PASSWORD
        SecretReference('ERP_PASSWORD')
    """

    prefix: str = ""

    def get(self, name: str) -> str:
        """What the variable holds.

        Raises:
            VaultError: it is not set.
        """
        variable = self.prefix + name
        if variable not in os.environ:
            raise VaultError(
                f"the environment variable {variable} is not set: set it to the secret", reason="no_secret"
            )
        return os.environ[variable]

    def reference(self, name: str) -> SecretReference:
        """A stand-in for the secret."""
        return SecretReference(self, name)
