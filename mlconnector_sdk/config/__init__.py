"""A pipeline as plain data: what a config file can say, and how it becomes an engine's parts.

Secrets never stand in a config. They are named, and looked up when the engine is built: `env:NAME` reads an environment
variable, `file:PATH` a file, `vault:NAME` an entry of the vault, anything else is asked from the caller's `secrets`.
"""

from ._pipeline import (
    MailchimpConfig,
    MappingConfig,
    MembersConfig,
    PipelineConfig,
    RetryConfig,
    StateConfig,
    VaultConfig,
    build_parts,
    load_config,
)
from ._secrets import SecretLookup, Secrets
from ._sources import (
    AcumaticaConfig,
    AuthConfig,
    Sage100Config,
    Sage300Config,
    SageX3AuthConfig,
    SageX3Config,
    SourceConfig,
    SysproConfig,
)

__all__ = [
    "AcumaticaConfig",
    "AuthConfig",
    "MailchimpConfig",
    "MappingConfig",
    "MembersConfig",
    "PipelineConfig",
    "RetryConfig",
    "Sage100Config",
    "Sage300Config",
    "SageX3AuthConfig",
    "SageX3Config",
    "SecretLookup",
    "Secrets",
    "SourceConfig",
    "StateConfig",
    "SysproConfig",
    "VaultConfig",
    "build_parts",
    "load_config",
]
