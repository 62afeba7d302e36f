"""`EncryptedVault`: secrets by name, sealed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from ..auth import OAuth2Token
from ..errors import VaultError
from ..protocols import SealedStore, StateStore
from ._file import VaultFile
from ._keys import Key, KeyRing, ring_on_demand
from ._references import SecretReference
from ._tokens import plain_token, token_in

__all__ = ["EncryptedVault"]

_LONGEST_NAME = 255


class EncryptedVault:
    """Keeps secrets in a file or in a state store, encrypted and bound to their names.

    Nobody reads a secret without a key of the ring, and nobody changes one, or puts one in the place of another,
    without being noticed. Names can be read; an entry can be deleted, or put back to what it once was, by whoever may
    write to the file or the table.

    Every write is whole and durable when it returns. Threads, processes and, by way of a database, machines may share
    one vault: none loses what another wrote.

    Args:
        path_or_store: a file, created with the first `put` and readable by its owner only; or a state store, such as
            `SQLStateStore`, whose tables then hold the vault as well.
        key: a `KeyRing`, a text of keys, or a function that gives either and is called when first needed.

    Raises:
        VaultError: the key is none, or the store keeps no secrets. Most methods raise it as well, when the file cannot
            be used; a store raises `StateError`.

    Example:
        >>> vault = EncryptedVault("acme.vault", key=KeyRing.generate())
        >>> vault.put("mailchimp", "0123456789abcdef0123456789abcdef-us6")
        >>> vault.names()
        ('mailchimp',)
        >>> vault.reference("mailchimp")
        SecretReference('mailchimp')
    """

    def __init__(self, path_or_store: str | os.PathLike[str] | SealedStore | StateStore, *, key: Key) -> None:
        if isinstance(path_or_store, (str, os.PathLike)):
            self._entries: SealedStore = VaultFile(path_or_store)
        elif isinstance(path_or_store, SealedStore):
            self._entries = path_or_store
        else:
            raise VaultError(f"a {type(path_or_store).__name__} keeps no secrets: name a file", reason="vault_file")
        self._key: Key = KeyRing.from_text(key) if isinstance(key, str) else key
        self._ring = ring_on_demand(self._key)

    def __repr__(self) -> str:
        return f"<EncryptedVault {self._entries!r}>"

    def __eq__(self, other: object) -> bool:
        """Two vaults are equal that keep their secrets in the same place."""
        return isinstance(other, EncryptedVault) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(self._entries)

    def __reduce__(self) -> tuple[Any, ...]:
        if not isinstance(self._entries, VaultFile):
            raise TypeError("a vault in a state store is not pickled: build it anew where it is needed")
        return _rebuilt, (self._entries.path, self._key)

    # One secret

    def get(self, name: str) -> str:
        """The text that was put under this name.

        Raises:
            VaultError: there is none, it is no text, its key is not on the ring, or it was changed.
        """
        value = self.get_value(name)
        if not isinstance(value, str):
            raise VaultError(f"secret {name!r} is no text: read it with get_value or get_token", reason="secret")
        return value

    def get_value(self, name: str) -> Any:
        """What was put under this name, text or not. Raises as `get` does."""
        sealed = self._entries.sealed([name]).get(name)
        if sealed is None:
            raise VaultError(
                f"there is no secret {name!r} in {self._entries!r}: put it there, or check the name", reason="no_secret"
            )
        return self._value(name, sealed)

    def put(self, name: str, secret: Any) -> None:
        """Keep a secret under this name, in place of an earlier one.

        Args:
            name: up to 255 printable characters; it is not encrypted.
            secret: text, or what JSON can hold: numbers, lists, and dicts with text for keys.

        Raises:
            VaultError: name or value cannot be kept, or the vault was sealed with other keys.
        """
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise VaultError("the name of a secret is 1 to 255 printable characters, no blanks around", reason="secret")
        content = _content(name, secret)
        entries = self._entries.sealed()
        self._recognise(entries)
        while not self._entries.exchange_sealed(name, entries.get(name), self._ring().seal(content)):
            entries = self._entries.sealed([name])

    def delete(self, name: str) -> None:
        """Forget a secret; harmless when there is none. It needs no key."""
        while (sealed := self._entries.sealed([name]).get(name)) is not None:
            if self._entries.exchange_sealed(name, sealed, None):
                return

    def names(self) -> tuple[str, ...]:
        """What there are secrets for, in order."""
        return tuple(sorted(self._entries.sealed()))

    def reference(self, name: str) -> SecretReference:
        """A stand-in for the secret, for any constructor that takes one; nothing is looked up yet."""
        return SecretReference(self, name)

    # Tokens

    def put_token(self, name: str, token: OAuth2Token) -> None:
        """Keep a token. Raises as `put` does."""
        self.put(name, plain_token(token))

    def get_token(self, name: str) -> OAuth2Token | None:
        """The token, `None` when there is none yet.

        Raises:
            VaultError: what is kept there is no token, its key is not on the ring, or it was changed.
        """
        sealed = self._entries.sealed([name]).get(name)
        if sealed is None:
            return None
        token = token_in(self._value(name, sealed))
        if token is None:
            raise VaultError(f"secret {name!r} is no OAuth 2 token: check the name", reason="secret")
        return token

    def saver(self, name: str) -> Callable[[OAuth2Token], None]:
        """What keeps each token under this name: the `save` of `OAuth2AuthorizationCode` and `CloudPairing`."""
        return partial(self.put_token, name)

    def loader(self, name: str) -> Callable[[], OAuth2Token | None]:
        """What gives the token last kept: the `load` of `OAuth2AuthorizationCode` and `CloudPairing`."""
        return partial(self.get_token, name)

    # Keys

    def rotate(self) -> int:
        """Seal anew, with the ring's newest key, what an older one sealed; returns how many secrets that were.

        Others may read and write meanwhile, if their rings have the newest key as well. It may be repeated.

        Raises:
            VaultError: some secrets cannot be read; all others are sealed anew.
        """
        newest = self._ring().names[0]
        done, lost = 0, []
        for name, sealed in sorted(self._entries.sealed().items()):
            try:
                done += self._seal_anew(name, sealed, newest)
            except VaultError as error:
                if error.reason == "vault_file":
                    raise
                lost.append(name)
        if lost:
            raise VaultError(
                f"{done} secrets were sealed anew, but not {', '.join(lost)}: add the keys that sealed them, or put or "
                "delete them",
                reason="wrong_key",
            )
        return done

    def _seal_anew(self, name: str, sealed: str | None, newest: str) -> bool:
        """False when there was no need, or it is gone."""
        while sealed is not None and not sealed.startswith(f"{newest}."):
            content = _content(name, self._value(name, sealed))
            if self._entries.exchange_sealed(name, sealed, self._ring().seal(content)):
                return True
            sealed = self._entries.sealed([name]).get(name)
        return False

    def _recognise(self, entries: Mapping[str, str]) -> None:
        """Refuse to write with a wrong key what nobody else could read."""
        ring = self._ring()
        if entries and not any(sealed.partition(".")[0] in ring.names for sealed in entries.values()):
            raise VaultError(
                f"{self._entries!r} was sealed with other keys than {', '.join(ring.names)}: add one of them to the "
                "KeyRing, or delete what they sealed",
                reason="wrong_key",
            )

    def _value(self, name: str, sealed: str) -> Any:
        ring = self._ring()
        try:
            content = ring.unseal(sealed)
        except VaultError as error:
            raise VaultError(f"secret {name!r} was {error.message}", reason=error.reason) from None
        found = _value_in(content, name)
        if found is None:
            raise VaultError(
                f"secret {name!r} is not what was sealed under that name, somebody changed it: find out who, then put "
                "it again",
                reason="changed",
            )
        return found[0]


def _rebuilt(path: os.PathLike[str], key: Key) -> EncryptedVault:
    return EncryptedVault(path, key=key)


def _content(name: str, value: Any) -> bytes:
    """What is sealed: the value with its name, so that it is good under no other."""
    try:
        content = json.dumps({"name": name, "value": value}, allow_nan=False)
        exact = json.loads(content)["value"] == value
    except (TypeError, ValueError, RecursionError):
        exact, content = False, ""
    if not exact:
        # Outside of `except`: what was caught there may quote the value.
        raise VaultError(
            f"secret {name!r} would not come back as it is: put text, or what JSON can hold", reason="secret"
        )
    return content.encode()


def _value_in(content: bytes | None, name: str) -> tuple[Any] | None:
    """The value that was sealed with this name."""
    with suppress(ValueError, LookupError, TypeError):
        document = json.loads(content or b"")
        return (document["value"],) if document["name"] == name else None
    return None
