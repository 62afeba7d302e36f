"""For the tests of those who build on this library: far systems on loopback, contract suites, a clock that obeys.

The contract suites need pytest, which is no dependency of the library; they load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._clock import FakeClock
from .fakes import (
    FakeAcumatica,
    FakeMailchimp,
    FakeProvideX,
    FakeSage100,
    FakeSage300,
    FakeSageX3,
    FakeServer,
    FakeSyspro,
    Fault,
    LoggedRequest,
    Reply,
    Request,
)

if TYPE_CHECKING:
    from ._sealed_contract import SealedStoreContract
    from ._source_contract import SourceContract
    from ._state_contract import StateStoreContract

__all__ = [
    "FakeAcumatica",
    "FakeClock",
    "FakeMailchimp",
    "FakeProvideX",
    "FakeSage100",
    "FakeSage300",
    "FakeSageX3",
    "FakeServer",
    "FakeSyspro",
    "Fault",
    "LoggedRequest",
    "Reply",
    "Request",
    "SealedStoreContract",
    "SourceContract",
    "StateStoreContract",
]

_NEED_PYTEST = {
    "SealedStoreContract": "_sealed_contract",
    "SourceContract": "_source_contract",
    "StateStoreContract": "_state_contract",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _NEED_PYTEST:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_NEED_PYTEST[name]}", __name__), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
