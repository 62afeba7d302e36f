"""Keeps a Mailchimp audience and store in step with an ERP: Acumatica, Sage 100, Sage 300, Sage X3 or SYSPRO.

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
    from .mailchimp import MailchimpSink, parse_transactional_webhook, parse_webhook
    from .mapping import (
        GLAccountFormat,
        Mapping,
        MemberMapping,
        OrderMapping,
        clean_email,
        clean_phone,
        member_address,
        split_emails,
    )
    from .models import Store
    from .network import Network
    from .policy import SyncPolicy
    from .retry import RetryPolicy
    from .sources.acumatica import Acumatica
    from .sources.sage100 import Sage100
    from .sources.sage300 import Sage300
    from .sources.sagex3 import SageX3
    from .sources.syspro import Syspro
    from .state import MemoryStateStore, SQLiteStateStore, SQLStateStore
    from .sync import SyncEngine

__all__ = [
    "Acumatica",
    "GLAccountFormat",
    "MailchimpSink",
    "Mapping",
    "MemberMapping",
    "MemoryStateStore",
    "Network",
    "OrderMapping",
    "RetryPolicy",
    "SQLStateStore",
    "SQLiteStateStore",
    "Sage100",
    "Sage300",
    "SageX3",
    "Store",
    "SyncEngine",
    "SyncPolicy",
    "Syspro",
    "__version__",
    "clean_email",
    "clean_phone",
    "member_address",
    "parse_transactional_webhook",
    "parse_webhook",
    "split_emails",
]

# Public name -> the module it lives in. The imports above tell type checkers the same, and a test compares the three.
_HOMES = {
    "Acumatica": "sources.acumatica",
    "GLAccountFormat": "mapping",
    "MailchimpSink": "mailchimp",
    "Mapping": "mapping",
    "MemberMapping": "mapping",
    "MemoryStateStore": "state",
    "Network": "network",
    "OrderMapping": "mapping",
    "RetryPolicy": "retry",
    "SQLStateStore": "state",
    "SQLiteStateStore": "state",
    "Sage100": "sources.sage100",
    "Sage300": "sources.sage300",
    "SageX3": "sources.sagex3",
    "Store": "models",
    "SyncEngine": "sync",
    "SyncPolicy": "policy",
    "Syspro": "sources.syspro",
    "clean_email": "mapping",
    "clean_phone": "mapping",
    "member_address": "mapping",
    "parse_transactional_webhook": "mailchimp",
    "parse_webhook": "mailchimp",
    "split_emails": "mapping",
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
