"""Keeps a Mailchimp audience and store in step with an ERP: Sage 100, Sage 300, Sage X3, SYSPRO or Acumatica.

The names a program starts with can be imported from here. They load on first use, so that importing the package costs
next to nothing and brings in neither SOAP nor a database driver:

    >>> from mlconnector_sdk import Store
    >>> Store(id="acme", name="Acme", currency_code="USD").currency_code
    'USD'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .models import Store
    from .policy import SyncPolicy

__all__ = [
    "Store",
    "SyncPolicy",
    "__version__",
]

# Public name -> the module it lives in. The imports above tell type checkers the same, and a test compares the three.
_HOMES = {
    "Store": "models",
    "SyncPolicy": "policy",
}

# Hidden from type checkers, which would otherwise take any misspelt name for granted.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
