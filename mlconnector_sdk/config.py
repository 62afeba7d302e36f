"""A pipeline as plain data: what a config file can say, and how it becomes an engine's parts.

Secrets never stand in a config. They are named, and looked up when the engine is built: `env:NAME` reads an environment
variable, `file:PATH` a file, anything else is asked from the caller's `secrets`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs

from ._converter import structure_config, unstructure_config
from .errors import ConfigurationError
from .mapping import Mapping as RecordMapping, MemberMapping, OrderMapping
from .models import Store
from .policy import SyncPolicy
from .protocols import Sink, Source, StateStore
from .retry import RetryPolicy

__all__ = [
    "AcumaticaConfig",
    "AuthConfig",
    "MailchimpConfig",
    "MappingConfig",
    "MembersConfig",
    "PipelineConfig",
    "RetryConfig",
    "Secrets",
    "StateConfig",
    "build_parts",
    "load_config",
]

Secrets: TypeAlias = Callable[[str], str] | Mapping[str, str] | None
"""Secrets by reference, or a function that finds them; for references other than `env:` and `file:`."""


@attrs.frozen(kw_only=True)
class AuthConfig:
    """How to sign in. `secret` fields hold references such as `env:ERP_PASSWORD`.

    Attributes:
        kind: `password` (OAuth 2 resource-owner password), `code` (OAuth 2 with a stored refresh token), or `cookie`.
    """

    kind: Literal["password", "code", "cookie"]
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    client_id: str = ""
    client_secret: str = attrs.field(default="", repr=False)
    # Only for connected applications that keep their refresh token: a config cannot save a rotated one.
    refresh_token: str = attrs.field(default="", repr=False)
    redirect_uri: str = ""
    tenant: str = ""
    branch: str = ""


@attrs.frozen(kw_only=True)
class AcumaticaConfig:
    """The settings of `mlconnector_sdk.Acumatica` that plain data can hold."""

    system: Literal["acumatica"]
    url: str
    auth: AuthConfig
    version: str | None = None
    endpoint: str = "Default"
    orders: Literal["SalesInvoice", "Invoice", "SalesOrder"] | None = None
    optout_field: str | None = None
    customer_email: Literal["main", "primary"] = "main"


@attrs.frozen(kw_only=True)
class MailchimpConfig:
    """The settings of `mlconnector_sdk.MailchimpSink`; `key` is a reference such as `env:MAILCHIMP_KEY`."""

    key: str = attrs.field(repr=False)
    list_id: str
    store: Store | None = None
    concurrency: int = 8
    base_url: str | None = None


@attrs.frozen(kw_only=True)
class StateConfig:
    """Where state is kept: `sqlite` with a path, `sql` with a reference to a database URL, or `memory`."""

    kind: Literal["sqlite", "sql", "memory"] = "sqlite"
    path: str = ""
    url: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class MembersConfig:
    """The part of `MemberMapping` that plain data can hold; values are attributes or `raw.` paths."""

    merge_fields: dict[str, str] | None = None
    merge_types: dict[str, str] = attrs.field(factory=dict)
    tags: list[str] = attrs.field(factory=list)
    language: str | None = None
    address_placeholder: str | None = None


@attrs.frozen(kw_only=True)
class MappingConfig:
    """Member mappings by kind of record; what is left out is mapped as `members` says."""

    members: MembersConfig = attrs.field(factory=MembersConfig)
    contacts: MembersConfig | None = None
    suppliers: MembersConfig | None = None


@attrs.frozen(kw_only=True)
class RetryConfig:
    """See `RetryPolicy`; durations are seconds."""

    attempts: int = 6
    within: timedelta = timedelta(minutes=5)
    fault_attempts: int = 3
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class PipelineConfig:
    """A whole pipeline. It pickles, and holds no secret.

    Example:
        >>> config = load_config(
        ...     '''
        ...     name = "acme"
        ...     [source]
        ...     system = "acumatica"
        ...     url = "https://erp.example.com/Acme"
        ...     auth = { kind = "cookie", username = "sync", password = "env:ERP_PASSWORD", tenant = "Acme" }
        ...     [sink]
        ...     key = "env:MAILCHIMP_KEY"
        ...     list_id = "a1b2c3d4e5"
        ...     [state]
        ...     path = "acme.db"
        ...     '''
        ... )
        >>> config.source.url
        'https://erp.example.com/Acme'
    """

    name: str
    source: AcumaticaConfig
    sink: MailchimpConfig
    state: StateConfig
    mapping: MappingConfig = attrs.field(factory=MappingConfig)
    policy: SyncPolicy = attrs.field(factory=SyncPolicy)
    retry: RetryConfig | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, as `load_config` takes them."""
        plain = unstructure_config(self)
        assert isinstance(plain, dict)
        return plain


def load_config(config: Mapping[str, Any] | str | PipelineConfig) -> PipelineConfig:
    """A config from a dict or TOML text, strictly checked.

    Raises:
        ConfigurationError: every mistake at once, a line each, as `path: problem`.
    """
    if isinstance(config, PipelineConfig):
        return config
    if isinstance(config, str):
        try:
            config = tomllib.loads(config)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"config: not valid TOML: {error}") from None
    return structure_config(dict(config), PipelineConfig)


def build_parts(config: Mapping[str, Any] | str | PipelineConfig, *, secrets: Secrets = None) -> dict[str, Any]:
    """The arguments of `SyncEngine` that this config describes.

    Raises:
        ConfigurationError: a mistake in the config, or a secret that cannot be found; the message names the reference.
    """
    loaded = load_config(config)
    lookup = _SecretLookup(secrets)
    retry = RetryPolicy(**attrs.asdict(loaded.retry)) if loaded.retry else None
    return {
        "source": _source(loaded.source, lookup),
        "sink": _sink(loaded.sink, lookup),
        "state": _state(loaded.state, lookup),
        "name": loaded.name,
        "mapping": _mapping(loaded.mapping),
        "policy": loaded.policy,
        "retry": retry,
    }


class _SecretLookup:
    """Turns references into secrets."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def __call__(self, reference: str, setting: str) -> str:
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


def _source(config: AcumaticaConfig, secret: _SecretLookup) -> Source:
    from .sources.acumatica import Acumatica

    return Acumatica(
        config.url,
        version=config.version,
        endpoint=config.endpoint,
        auth=_auth(config.auth, secret),
        orders=config.orders,
        optout_field=config.optout_field,
        customer_email=config.customer_email,
    )


def _auth(config: AuthConfig, secret: _SecretLookup) -> Any:
    from .auth import CookieLogin, OAuth2AuthorizationCode, OAuth2Password, OAuth2Token

    if config.kind == "cookie":
        password = secret(config.password, "source.auth.password")
        return CookieLogin(username=config.username, password=password, tenant=config.tenant, branch=config.branch)
    client_secret = secret(config.client_secret, "source.auth.client_secret")
    if config.kind == "code":
        refresh_token = secret(config.refresh_token, "source.auth.refresh_token")
        return OAuth2AuthorizationCode(
            client_id=config.client_id,
            client_secret=client_secret,
            redirect_uri=config.redirect_uri,
            token=OAuth2Token(access_token="", refresh_token=refresh_token),
        )
    password = secret(config.password, "source.auth.password")
    return OAuth2Password(
        client_id=config.client_id, client_secret=client_secret, username=config.username, password=password
    )


def _sink(config: MailchimpConfig, secret: _SecretLookup) -> Sink:
    from .mailchimp import MailchimpSink

    return MailchimpSink(
        secret(config.key, "sink.key"),
        list_id=config.list_id,
        store=config.store,
        concurrency=config.concurrency,
        base_url=config.base_url,
    )


def _state(config: StateConfig, secret: _SecretLookup) -> StateStore:
    from .state import MemoryStateStore, SQLiteStateStore, SQLStateStore

    if config.kind == "memory":
        return MemoryStateStore()
    if config.kind == "sqlite":
        if not config.path:
            raise ConfigurationError("state.path: where shall the SQLite file lie?")
        return SQLiteStateStore(config.path)
    return SQLStateStore(secret(config.url, "state.url"))


def _mapping(config: MappingConfig) -> RecordMapping:
    return RecordMapping(
        members=_members(config.members),
        contacts=_members(config.contacts) if config.contacts else None,
        suppliers=_members(config.suppliers) if config.suppliers else None,
        orders=OrderMapping(),
    )


def _members(config: MembersConfig) -> MemberMapping:
    given = {name: value for name, value in attrs.asdict(config).items() if value}
    return MemberMapping(**given)
