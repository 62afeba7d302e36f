"""The keys that a vault is sealed with."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeAlias

from cryptography.fernet import Fernet, InvalidToken

from ..errors import VaultError

__all__ = ["Key", "KeyRing", "ring_on_demand"]

_CURE = "make one with KeyRing.generate()"
_SEALED = re.compile(r"([0-9a-f]{8})\.([A-Za-z0-9_-]+={0,2})")


class KeyRing:
    """The keys of a vault: the first one seals, and each of them opens what it sealed.

    Keys are Fernet keys: AES-128 and HMAC-SHA-256 under 32 random bytes, written as 44 characters. A text of several,
    wherever it comes from, has the newest one first, with blanks, commas or line ends between them.

    Args:
        new: the key to seal with.
        old: keys that are still needed to open, until `EncryptedVault.rotate` has sealed everything anew.

    Raises:
        VaultError: a key is missing, or is none.

    Example:
        >>> KeyRing("b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZC0=")
        <KeyRing 0010730a>
    """

    def __init__(self, new: str, *old: str) -> None:
        self._origin: tuple[Any, ...] | None = None
        self._fernets: dict[str, Fernet] = {}
        for number, key in enumerate((new, *old), 1):
            which = f"key {number} of {1 + len(old)}" if old else "the key"
            name, fernet = _opened(key, which)
            self._fernets.setdefault(name, fernet)

    @staticmethod
    def generate() -> str:
        """A new key. Keep it where the vault is not: whoever has both has the secrets."""
        return Fernet.generate_key().decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The keys in a text, the newest one first.

        Raises:
            VaultError: there is none, or one is no key.
        """
        return cls._of(text, "the text")

    @classmethod
    def from_environment(cls, name: str = "MLCONNECTOR_KEY") -> Self:
        """The keys in an environment variable.

        Raises:
            VaultError: it is not set, or holds no keys.
        """
        text = os.environ.get(name, "")
        return cls._of(text, f"the environment variable {name}", (cls.from_environment, (name,)))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """The keys in a file; a line that begins with `#` is a remark.

        Raises:
            VaultError: the file cannot be read, or holds no keys.
        """
        try:
            text = Path(path).read_text("utf-8")
        except OSError as error:
            raise VaultError(
                f"the key file {os.fspath(path)} cannot be read ({error.strerror}): check path and rights",
                reason="no_key",
            ) from error
        except UnicodeDecodeError:
            text = "no text"
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        origin = (cls.from_file, (Path(path).absolute(),))
        return cls._of("\n".join(lines), f"the key file {os.fspath(path)}", origin)

    @classmethod
    def _of(cls, text: str, where: str, origin: tuple[Any, ...] | None = None) -> Self:
        keys = re.split(r"[\s,]+", text.strip(" \t\r\n,"))
        if keys == [""]:
            raise VaultError(f"{where} holds no key: {_CURE}", reason="no_key")
        try:
            ring = cls(*keys)
        except VaultError as error:
            raise VaultError(f"{where}: {error.message}", reason=error.reason) from None
        ring._origin = origin
        return ring

    @property
    def names(self) -> tuple[str, ...]:
        """The keys' own names, the newest first: short hashes that tell keys apart and give nothing away."""
        return tuple(self._fernets)

    def __repr__(self) -> str:
        return f"<KeyRing {' '.join(self.names)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._origin is None:
            raise TypeError("a ring of keys that were handed over is not pickled: use from_environment or from_file")
        return self._origin

    def seal(self, content: bytes) -> str:
        """The content under the newest key: the key's name, a dot, and a Fernet token."""
        name, fernet = next(iter(self._fernets.items()))
        return f"{name}.{fernet.encrypt(content).decode()}"

    def unseal(self, sealed: str) -> bytes | None:
        """The content again; `None` when this is not, to the letter, what `seal` gave.

        Raises:
            VaultError: it was sealed with a key that is not on the ring.
        """
        found = _SEALED.fullmatch(sealed)
        if found is None:
            return None
        name, token = found.groups()
        if name not in self._fernets:
            raise VaultError(
                f"sealed with key {name}, which is not among those given ({', '.join(self.names)}): add that key to "
                "the KeyRing",
                reason="wrong_key",
            )
        try:
            # Decoding forgives stray bits at the end of base64; here not even those may be changed.
            exact = base64.urlsafe_b64encode(base64.urlsafe_b64decode(token)).decode() == token
            return self._fernets[name].decrypt(token.encode()) if exact else None
        except (ValueError, InvalidToken):
            return None


Key: TypeAlias = KeyRing | str | Callable[[], KeyRing | str]
"""A key ring, the text of one or more keys, or a function that gives either and is called when first needed."""


def ring_on_demand(key: Key) -> Callable[[], KeyRing]:
    """What gives the ring, and asks for it once, by one thread at a time.

    Raises:
        VaultError: a text holds no keys; a function is asked later.
    """
    known = [KeyRing.from_text(key) if isinstance(key, str) else key] if not callable(key) else []
    asking = threading.Lock()

    def ring() -> KeyRing:
        with asking:
            if not known:
                assert callable(key)
                given = key()
                known.append(KeyRing.from_text(given) if isinstance(given, str) else given)
            return known[0]

    return ring


def _opened(key: str, which: str) -> tuple[str, Fernet]:
    """A key's name and what it is good for."""
    try:
        fernet = Fernet(key)
        content = base64.urlsafe_b64decode(key)
    except (ValueError, TypeError):
        fernet = None
        content = b""
    if fernet is None:
        # Outside of `except`: the error caught there is about the key's text.
        raise VaultError(f"{which} is no vault key: {_CURE}", reason="no_key")
    return hashlib.sha256(b"mlconnector_sdk vault key " + content).hexdigest()[:8], fernet
