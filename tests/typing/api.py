"""The public API as a caller's type checker sees it. Never run: `nox -s typing` checks it."""

from __future__ import annotations

from typing import assert_type

import mlconnector_sdk
from mlconnector_sdk import Store, SyncPolicy
from mlconnector_sdk.errors import MLConnectorError, RateLimitError


def root_names_have_their_types() -> None:
    assert_type(mlconnector_sdk.__version__, str)
    assert_type(Store(id="acme", name="Acme", currency_code="USD"), Store)
    assert_type(SyncPolicy(inactive="archive"), SyncPolicy)


def misspelt_names_are_noticed() -> None:
    mlconnector_sdk.Stroe  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    SyncPolicy(inactive="delete")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def errors_say_when_to_come_back(error: MLConnectorError) -> float:
    if isinstance(error, RateLimitError):
        assert_type(error.retry_after, float | None)
        return error.retry_after or 0.0
    return 0.0
