"""Where secrets are kept, and how a setting names one without holding it.

An `EncryptedVault` keeps secrets in a file or in a state store, sealed with the keys of a `KeyRing`. What its
`reference` gives stands wherever a password, a token or an API key is wanted; it is looked up when first needed, and
shows nothing but its name.
"""

from ._environment import EnvironmentSecrets
from ._keys import Key, KeyRing, ring_on_demand
from ._references import SecretReference
from ._vault import EncryptedVault

__all__ = ["EncryptedVault", "EnvironmentSecrets", "Key", "KeyRing", "SecretReference", "ring_on_demand"]
