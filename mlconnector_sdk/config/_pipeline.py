"""The config of a whole pipeline, and how it becomes an engine's parts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import attrs

from .._converter import structure_config, unstructure_config
from ..credentials import EncryptedVault, KeyRing
from ..errors import ConfigurationError, VaultError
from ..mapping import Mapping as RecordMapping, MemberMapping, OrderMapping
from ..models import Store
from ..network import Network
from ..policy import SyncPolicy
from ..protocols import Sink, StateStore
from ..retry import RetryPolicy
from ._secrets import SecretLookup, Secrets
from ._sources import SOURCES, SourceConfig

__all__ = [
    "MailchimpConfig",
    "MappingConfig",
    "MembersConfig",
    "PipelineConfig",
    "RetryConfig",
    "StateConfig",
    "VaultConfig",
    "build_parts",
    "load_config",
]


@attrs.frozen(kw_only=True)
class MailchimpConfig:
    """The settings of `mlconnector_sdk.MailchimpSink`; `key` is a reference such as `env:MAILCHIMP_KEY`.

    `batch_from` left out is what the sink takes for good; 0 keeps orders out of batches.
    """

    key: str = attrs.field(repr=False)
    list_id: str
    store: Store | None = None
    concurrency: int = 8
    base_url: str | None = None
    batch_from: int | None = None
    network: Network = attrs.field(factory=Network)


@attrs.frozen(kw_only=True)
class StateConfig:
    """Where state is kept: `sqlite` with a path, `sql` with a reference to a database URL, or `memory`.

    `key` is a reference to the keys that seal the payloads in it, the newest first; without one they lie in the clear.
    """

    kind: Literal["sqlite", "sql", "memory"] = "sqlite"
    path: str = ""
    url: str = attrs.field(default="", repr=False)
    key: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class VaultConfig:
    """Where secrets named `vault:NAME` are kept: in a file at `path`, or, without one, in the state store.

    `key` is a reference to the vault's keys, the newest first.
    """

    path: str = ""
    key: str = attrs.field(default="env:MLCONNECTOR_KEY", repr=False)


@attrs.frozen(kw_only=True)
class MembersConfig:
    """The part of `MemberMapping` that plain data can hold; values are attributes or `raw.` paths.

    `interests` may also be `true` or `false` for everybody.
    """

    merge_fields: dict[str, str] | None = None
    merge_types: dict[str, str] = attrs.field(factory=dict)
    tags: list[str] = attrs.field(factory=list)
    owned_prefix: str = ""
    interests: dict[str, bool | str] = attrs.field(factory=dict)
    permissions: dict[str, str] = attrs.field(factory=dict)
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
    source: SourceConfig
    sink: MailchimpConfig
    state: StateConfig
    mapping: MappingConfig = attrs.field(factory=MappingConfig)
    policy: SyncPolicy = attrs.field(factory=SyncPolicy)
    retry: RetryConfig | None = None
    vault: VaultConfig | None = None

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
    return structure_config(dict(config), PipelineConfig, choices={SourceConfig: ("system", SOURCES)})


def build_parts(config: Mapping[str, Any] | str | PipelineConfig, *, secrets: Secrets = None) -> dict[str, Any]:
    """The arguments of `SyncEngine` that this config describes.

    Raises:
        ConfigurationError: a mistake in the config, or a secret that cannot be found; the message names the reference.
    """
    loaded = load_config(config)
    lookup, state = _secrets_and_state(loaded, secrets)
    retry = RetryPolicy(**attrs.asdict(loaded.retry)) if loaded.retry else None
    return {
        "source": loaded.source.build(lookup),
        "sink": _sink(loaded.sink, lookup),
        "state": state,
        "name": loaded.name,
        "mapping": _mapping(loaded.mapping),
        "policy": loaded.policy,
        "retry": retry,
    }


def _secrets_and_state(config: PipelineConfig, secrets: Secrets) -> tuple[SecretLookup, StateStore]:
    """Each may need the other: a vault in the state store, or a database whose address is a secret."""
    lookup, vault = SecretLookup(secrets), config.vault
    if vault is None or vault.path:
        if vault is not None:
            lookup = SecretLookup(secrets, vault=EncryptedVault(vault.path, key=_keys(vault.key, "vault.key", lookup)))
        return lookup, _state(config.state, lookup)
    if config.state.kind == "memory":
        raise ConfigurationError("vault.path: where shall the vault lie? A state in memory begins empty each time")
    state = _state(config.state, lookup)
    return SecretLookup(secrets, vault=EncryptedVault(state, key=_keys(vault.key, "vault.key", lookup))), state


def _keys(reference: str, path: str, lookup: SecretLookup) -> KeyRing:
    try:
        return KeyRing.from_text(lookup.text(reference, path))
    except VaultError as error:
        raise ConfigurationError(f"{path}: {error.message}") from None


def _sink(config: MailchimpConfig, secret: SecretLookup) -> Sink:
    from ..mailchimp import MailchimpSink

    chosen: dict[str, Any] = {} if config.batch_from is None else {"batch_from": config.batch_from}
    return MailchimpSink(
        secret(config.key, "sink.key"),
        list_id=config.list_id,
        store=config.store,
        concurrency=config.concurrency,
        base_url=config.base_url,
        network=config.network,
        **chosen,
    )


def _state(config: StateConfig, secret: SecretLookup) -> StateStore:
    from ..state import MemoryStateStore, SQLiteStateStore, SQLStateStore

    if config.kind == "memory":
        return MemoryStateStore()
    key = _keys(config.key, "state.key", secret) if config.key else None
    if config.kind == "sqlite":
        if not config.path:
            raise ConfigurationError("state.path: where shall the SQLite file lie?")
        return SQLiteStateStore(config.path, key=key)
    return SQLStateStore(secret.text(config.url, "state.url"), key=key)


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
