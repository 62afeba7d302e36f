"""The public API as a caller's type checker sees it. Never run: `nox -s typing` checks it."""

from __future__ import annotations

from typing import assert_type

import mlconnector_sdk
from mlconnector_sdk import MailchimpSink, Store, SyncEngine, SyncPolicy
from mlconnector_sdk.auth import BasicLogin, CloudPairing, OAuth2Token
from mlconnector_sdk.credentials import EncryptedVault, KeyRing, SecretReference
from mlconnector_sdk.errors import MLConnectorError, RateLimitError
from mlconnector_sdk.models import Erasure, WebhookEvent
from mlconnector_sdk.protocols import Secret, StateStore, Vault
from mlconnector_sdk.sync import Report


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


def a_reference_stands_for_a_secret(state: StateStore) -> Vault:
    vault = EncryptedVault(state, key=KeyRing.from_environment())
    assert_type(vault.reference("erp"), SecretReference)
    assert_type(BasicLogin(username="sync", password=vault.reference("erp")).password, str | Secret)
    MailchimpSink(vault.reference("mailchimp"), list_id="a1b2c3d4e5")
    BasicLogin(username="sync", password=vault)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return vault


def a_vault_keeps_tokens(vault: EncryptedVault) -> CloudPairing:
    assert_type(vault.get_token("pair"), OAuth2Token | None)
    return CloudPairing(
        client_id="app",
        client_secret="secret",
        redirect_uri="https://mine.example/done",
        save=vault.saver("pair"),
        load=vault.loader("pair"),
    )


def events_come_one_by_one_or_many(engine: SyncEngine, event: WebhookEvent) -> None:
    assert_type(engine.handle(event), Report)
    assert_type(engine.handle([event], wait=0), Report)
    assert_type(engine.erase("pat@acme.org", reason="request 4711"), Erasure)
    engine.erase("pat@acme.org")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
